"""The store: a folder of pictures with a manifest that is enough to make each of them again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.io.files import checksum, digest, write_atomically
from kerasviz.io.images import FORMATS
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.manifest import (
    JOURNAL,
    MANIFEST,
    DerivedFile,
    Entry,
    GradientEntry,
    Manifest,
    read_manifest,
)
from kerasviz.rendering.picture_files import Origin, entries_of
from kerasviz.rendering.render import Picture, network_provenance
from kerasviz.rendering.request import Request

__all__ = [
    "JOURNAL",
    "MANIFEST",
    "Entry",
    "FileCheck",
    "GradientEntry",
    "Store",
    "count_finished",
    "read_manifest",
    "unique_requests",
]


@dataclass(frozen=True)
class FileCheck:
    """What was found out about a file: ``same``, ``differs`` (it was made again), ``changed``...

    ``kept`` is a file as it was written that cannot be made again.
    """

    file: str
    result: str
    detail: str = ""


class Store:
    """A folder of pictures of one network.

    Opening reads the manifest; :meth:`make` renders what is missing and saves every finished
    batch. Raises :class:`UsageError` for a folder with another network's pictures.
    """

    def __init__(self, folder: Path, net: Network, file_format: str = "png"):
        if file_format not in FORMATS:
            raise UsageError(f"unknown format {file_format!r}; choose from {', '.join(FORMATS)}")
        self.folder, self.net, self.file_format = folder, net, file_format
        self.network = network_provenance(net)
        self._hashed: dict[str, tuple[tuple[int, int], str]] = {}  # so that no file is read twice
        self._manifest = Manifest(folder)
        if (theirs := self._manifest.network) and theirs["sha256"] != self.network["sha256"]:
            raise UsageError(
                f"{str(folder)!r} holds pictures of another model, {theirs['name']} "
                f"({theirs['sha256'][:12]}…), not of {net.name}; "
                "name another folder with --out"
            )
        self._manifest.network = {**self.network, "source": _source(net, folder)}

    # -- what is there -----------------------------------------------------------------------

    @property
    def requests(self) -> dict[str, dict[str, Any]]:
        """The settings of requests by the names that entries have for them."""
        return self._manifest.requests

    @property
    def environments(self) -> dict[str, dict[str, str]]:
        """Where pictures were made, by the names that entries have for it."""
        return self._manifest.environments

    @property
    def entries(self) -> dict[str, Entry]:
        """The optimized pictures by file name."""
        return self._manifest.entries

    @property
    def computed(self) -> dict[str, GradientEntry]:
        """The pictures computed from others, by file name."""
        return self._manifest.computed

    @property
    def copied(self) -> dict[str, DerivedFile]:
        """The files that show pictures otherwise, by their path as seen from the folder."""
        return self._manifest.copied

    def refresh(self) -> None:
        """See what other processes saved; cheap. They and this one lock the folder meanwhile."""
        self._manifest.refresh()

    def find(self, request: Request) -> list[Entry]:
        """The entries of a request whose files exist, finished pictures before snapshots."""
        files = self._manifest.files.get(request.key(self.net), ())
        suffix = "." + self.file_format
        found = [self.entries[file] for file in files if file.endswith(suffix)]
        return sorted(filter(self.intact, found), key=lambda e: (-e.step, e.row))

    def entry(self, request: Request, step: int, row: int) -> Entry:
        """The entry of a picture that is there, after so many steps."""
        return next(e for e in self.find(request) if (e.step, e.row) == (step, row))

    def finished(self, requests: Iterable[Request]) -> list[Entry]:
        """The finished pictures of the requests that are there, in order, without snapshots."""
        return [
            entry
            for request in dict.fromkeys(requests)
            for entry in self.find(request)
            if entry.step == request.recipe.steps
        ]

    def intact(self, entry: Entry | GradientEntry) -> bool:
        """Whether the file of an entry is there, unchanged."""
        path = self.folder / entry.file
        if not path.is_file():
            return False
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._hashed.get(entry.file)
        if known is None or known[0] != stamp:
            known = self._hashed[entry.file] = (stamp, checksum(path.read_bytes()))
        return known[1] == entry.sha256

    def complete(self, request: Request) -> bool:
        """Whether all pictures and snapshots of a request are there, unchanged."""
        steps = {*request.snapshots, request.recipe.steps}
        return len(self.find(request)) == len(steps) * request.rows

    # -- changing ----------------------------------------------------------------------------

    def remove_requests(self, requests: Iterable[Request]) -> None:
        """Take the pictures of incomplete requests out of the manifest before they are rewritten.

        On another machine they may come out otherwise, and a manifest with the checksums of the
        old files would be wrong if the run is killed before it is saved.
        """
        suffix = "." + self.file_format
        known = [self._manifest.files.get(request.key(self.net), set()) for request in requests]
        forgotten = [file for files in known for file in files if file.endswith(suffix)]
        self.remove(forgotten)

    def add(self, picture: Picture) -> None:
        """Write the files of a picture; :meth:`save` makes the manifest know them."""
        here, request = environment(), picture.request
        origin = Origin(self.network, here, request.key(self.net), self.file_format)
        self._manifest.add_request(origin.request(request), request.to_json())
        self._manifest.add_environment(origin.place, here)
        for entry, data in entries_of(picture, origin, self._file):
            write_atomically(self.folder / entry.file, data)
            self._manifest.add(entry)

    def replace_entries(
        self,
        requests: Mapping[str, dict[str, Any]],
        environments: Mapping[str, dict[str, str]],
        entries: Sequence[Entry],
    ) -> None:
        """Know these pictures, which others have written, and no others; :meth:`merge` saves it."""
        for name, request in requests.items():
            self._manifest.add_request(name, request)
        for name, there in environments.items():
            self._manifest.add_environment(name, there)
        files = {entry.file for entry in entries}
        self._manifest.remove([file for file in self.entries if file not in files])
        for entry in entries:
            if self.entries.get(entry.file) != entry:
                self._manifest.add(entry)

    def _file(self, picture: Picture, step: int, origin: Origin, _: bytes) -> str:
        request, row, key = picture.request, picture.row, origin.key
        name = slug(request.text)
        if request.seed:
            name += f"-seed{request.seed}"
        if request.rows > 1:
            name += f"-{row}"
        if step != request.recipe.steps:
            name += f".step{step:05d}"
        taken = self.entries.get(f"{name}.{self.file_format}")
        if taken is not None and taken.key != key:
            name += f"-{key[:8]}"
        return f"{name}.{self.file_format}"

    def compute(self, entries: Iterable[tuple[GradientEntry, bytes]]) -> None:
        """Write the files of pictures that are computed one by one, and save what is finished."""
        here = environment()
        try:
            for entry, data in entries:
                write_atomically(self.folder / entry.file, data)
                self._manifest.add_environment(entry.environment, here)
                self._manifest.add(entry)
        finally:  # after Ctrl-C too: what is finished is kept
            self.merge()

    def copy(self, path: Path, data: bytes) -> None:
        """Write a file that shows pictures otherwise, unless it is there with the same content.

        It may lie outside the folder. :meth:`merge` makes the manifest know it.
        """
        file = self._seen(path)
        entry, there = (
            DerivedFile(file, checksum(data)),
            path.is_file() and path.read_bytes() == data,
        )
        if self.copied.get(file) == entry and there:
            return
        if file in self.copied:
            self.remove([file])
        if not there:
            write_atomically(path, data)
        self._manifest.add(entry)

    def copied_bytes(self, path: Path) -> bytes:
        """What is in such a file, if it is as it was written; else nothing."""
        known = self.copied.get(self._seen(path))
        data = path.read_bytes() if path.is_file() else b""
        return data if known is None or checksum(data) == known.sha256 else b""

    def remove_copy(self, path: Path) -> None:
        """Remove such a file."""
        self.remove([self._seen(path)])
        path.unlink(missing_ok=True)

    def _seen(self, path: Path) -> str:
        """A path as seen from the folder."""
        return Path(os.path.relpath(path, self.folder)).as_posix()

    def remove(self, files: Sequence[str]) -> None:
        """Take files out of the manifest, before they are rewritten."""
        self._manifest.remove(files)
        if files:
            self.save()

    def manifest(self) -> dict[str, Any]:
        """The manifest as plain data."""
        return self._manifest.data()

    def save(self) -> None:
        """Make the manifest, or the journal beside it, know what was added."""
        self._manifest.save()

    def merge(self) -> None:
        """Write the manifest whole and remove the journal."""
        self._manifest.merge()


def unique_requests(net: Network, requests: Iterable[Request]) -> list[Request]:
    """The requests that make different pictures: of those that differ in their words the first."""
    found: dict[str, Request] = {}
    for request in requests:
        found.setdefault(request.key(net), request)
    return list(found.values())


def _source(net: Network, folder: Path) -> str:
    """Where the network came from: a zoo name, or its path as seen from the folder."""
    path = Path(net.identity.source)
    if net.identity.format == "zoo" or not path.exists():
        return net.identity.source
    return Path(os.path.relpath(path, folder)).as_posix()


def slug(text: str) -> str:
    """A target as a file name that every system takes.

    >>> slug("inception_4c/output:100@center"), slug("mixed4a:476 + mixed4b:111")
    ('inception_4c.output-100@center', 'mixed4a-476+mixed4b-111')
    """
    name = text.replace(" ", "").replace("/", ".").replace(":", "-").replace("*", "x")
    name = re.sub(r"[^\w.@,+-]", "_", name).lstrip(".-") or "picture"
    if text.startswith("-"):
        name = "minus-" + name
    return name if len(name) <= 80 else f"{name[:60]}-{digest(text)[:8]}"


def count_finished(folder: Path) -> int:
    """How many finished pictures a folder holds, snapshots not counted; 0 without a manifest."""
    if not (folder / MANIFEST).is_file():
        return 0
    return sum(entry["score"] is not None for entry in read_manifest(folder)["pictures"])
