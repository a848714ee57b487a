"""Assembly: the shards of an atlas become one manifest, and its pictures a site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kerasviz.atlas.leases import FOLDER as LEASES
from kerasviz.atlas.shards import PICTURES, Shard
from kerasviz.atlas.site import write_site
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.figures.site.record import FigureRun
from kerasviz.io.files import cache_folder, checksum, make_folder, write_atomically
from kerasviz.io.storage import AT_ONCE, Storage
from kerasviz.network.network import Network
from kerasviz.rendering.checkpoints import FOLDER as CHECKPOINTS
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store


class SiteBuilder:
    """Writes manifest and site in a folder.

    It is the storage itself if that is a local folder. For a remote storage it is a folder in the
    user's cache: pictures are downloaded into it, and all other files uploaded from it.
    """

    def __init__(self, storage: Storage):
        self.storage = storage
        self.folder = (
            storage.local or cache_folder() / "atlas" / checksum(storage.url.encode())[:16]
        )

    def keep(self, path: str, data: bytes) -> None:
        """Keep a picture of a remote storage."""
        copy = self.folder / path
        if self.storage.local is None and not (copy.is_file() and copy.stat().st_size == len(data)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(copy, data)

    def merge(self, net: Network, shards: Sequence[Shard], requests: Sequence[Request]) -> Store:
        """Make a store of the shards' pictures in the order of the requests, without saving it."""
        make_folder(self.folder)
        store = Store(make_folder(self.folder / PICTURES), net)
        order = {request.key(net): number for number, request in enumerate(requests)}
        entries = [entry for shard in shards for entry in shard.entries]
        entries.sort(key=lambda entry: (order[entry.key], entry.row, entry.step))
        store.replace_entries(
            {name: data for shard in shards for name, data in shard.requests.items()},
            {name: data for shard in shards for name, data in shard.environments.items()},
            entries,
            {file.file: file for shard in shards for file in shard.beside},
        )
        return store

    def site(
        self, store: Store, options: FigureOptions, layout: FigureLayout, command: CommandLine
    ) -> str:
        """Write the site and the manifest, and return the address of the first page."""
        index = write_site(self.folder, FigureRun(store, options, command), layout)
        if self.storage.local is None:
            self.upload()
        return self.storage.address(index.relative_to(self.folder).as_posix())

    def tidy(self) -> None:
        """Remove leases and checkpoints, which are not needed any more, and leftover files."""
        for folder in (LEASES, CHECKPOINTS):
            for name in self.storage.names(folder):
                self.storage.remove(f"{folder}/{name}")
        self.storage.tidy(PICTURES)

    def upload(self) -> None:
        """Upload the files of the folder, but for pictures, which are there."""
        objects = self.folder / PICTURES / "objects"
        files = [
            path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and objects not in path.parents and not _hidden(path)
        ]
        for start in range(0, len(files), AT_ONCE):
            self.storage.write_many(
                [
                    (path.relative_to(self.folder).as_posix(), path.read_bytes())
                    for path in files[start : start + AT_ONCE]
                ]
            )


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")
