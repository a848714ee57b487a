"""Gathering: the shards of an atlas become one manifest, and its pictures a site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kerasviz.atlas.leases import FOLDER as CLAIMS
from kerasviz.atlas.shards import PICTURES, Shard
from kerasviz.atlas.site import write_site
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.figures.site.record import FigureRun
from kerasviz.io.files import cache_folder, checksum, make_folder, write_atomically
from kerasviz.io.storage import AT_ONCE, Storage
from kerasviz.network.network import Network
from kerasviz.rendering.checkpoints import FOLDER as STATES
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store

__all__ = ["SiteBuilder"]


class SiteBuilder:
    """The folder in which manifest and site are made.

    It is the storage itself where that is a folder; else one in the user's cache, into which the
    pictures are fetched and from which all else is put back.
    """

    def __init__(self, storage: Storage):
        self.storage = storage
        self.folder = (
            storage.local or cache_folder() / "atlas" / checksum(storage.url.encode())[:16]
        )

    def keep(self, path: str, data: bytes) -> None:
        """Keep a picture of a storage that is elsewhere."""
        own = self.folder / path
        if self.storage.local is None and not (own.is_file() and own.stat().st_size == len(data)):
            own.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(own, data)

    def merge(self, net: Network, shards: Sequence[Shard], requests: Sequence[Request]) -> Store:
        """A store of the pictures of the shards, in the order of the requests; not saved yet."""
        make_folder(self.folder)
        store = Store(make_folder(self.folder / PICTURES), net)
        places = {request.key(net): number for number, request in enumerate(requests)}
        entries = [entry for shard in shards for entry in shard.entries]
        entries.sort(key=lambda entry: (places[entry.key], entry.row, entry.step))
        store.replace_entries(
            {name: data for shard in shards for name, data in shard.requests.items()},
            {name: data for shard in shards for name, data in shard.environments.items()},
            entries,
        )
        return store

    def site(
        self, store: Store, order: FigureOptions, choice: FigureLayout, command: CommandLine
    ) -> str:
        """Write the site and the manifest; returns the address of the first page."""
        index = write_site(self.folder, FigureRun(store, order, command), choice)
        if self.storage.local is None:
            self._put_back()
        return self.storage.address(index.relative_to(self.folder).as_posix())

    def tidy(self) -> None:
        """Remove claims and states that nobody needs, and what killed writers have left."""
        for folder in (CLAIMS, STATES):
            for name in self.storage.names(folder):
                self.storage.remove(f"{folder}/{name}")
        self.storage.tidy(PICTURES)

    def _put_back(self) -> None:
        objects = self.folder / PICTURES / "objects"
        files = [
            path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and objects not in path.parents and not _hidden(path)
        ]
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            names = [path.relative_to(self.folder).as_posix() for path in some]
            self.storage.write_many(
                [(name, path.read_bytes()) for name, path in zip(names, some, strict=True)]
            )


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")
