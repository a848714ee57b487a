"""Keep pictures in a folder with a manifest from which each can be rendered again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kerasviz.errors import UsageError, check_choice
from kerasviz.io.files import checksum, digest, write_atomically
from kerasviz.io.images import FORMATS
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.facet_records import names_weight, without_facet
from kerasviz.rendering.held_data import save_held
from kerasviz.rendering.manifest import (
    MANIFEST,
    DerivedFile,
    Entry,
    GradientEntry,
    Manifest,
    mask_file,
    read_manifest,
)
from kerasviz.rendering.media.media import medium_of
from kerasviz.rendering.media.medium import companion_file
from kerasviz.rendering.picture import Picture, network_provenance
from kerasviz.rendering.picture_files import Origin, entries_of, mask_bytes
from kerasviz.rendering.request import Request


@dataclass(frozen=True)
class FileCheck:
    """Hold the result of a check: ``same``, ``differs`` (rendered again), ``changed``...

    ``kept`` and ``by function`` (a Python function) are unchanged files that cannot be rendered
    again.
    """

    file: str
    result: str
    detail: str = ""


class Store:
    """Keep the pictures of one network in a folder; opening it reads the manifest.

    Args:
        folder: The folder, which is created by the first picture.
        net: The network of the pictures.
        file_format: ``"png"`` (with the provenance inside), ``"jpg"`` or ``"webp"``.

    Raises:
        UsageError: For an unknown format, and a folder with another network's pictures.

    Example:
        >>> r = kerasviz.render(net, "block3b:7", steps=4, size=32, out="pictures")
        >>> len(Store(Path("pictures"), net).manifest()["requests"])
        1
    """

    def __init__(self, folder: Path, net: Network, file_format: str = "png"):
        check_choice("format", file_format, FORMATS)
        self._manifest = Manifest(folder)
        net = net.identified_like(self._manifest.network)
        self.folder, self.net, self.file_format = folder, net, file_format
        self.medium = medium_of(net)
        self.network = network_provenance(net)
        #: The stamp and checksum of each file that was read.
        self._hashed: dict[str, tuple[tuple[int, int], str]] = {}
        if (theirs := self._manifest.network) and theirs["sha256"] != self.network["sha256"]:
            raise UsageError(
                f"{str(folder)!r} holds pictures of another model, {theirs['name']} "
                f"({theirs['sha256'][:12]}…), not of {net.name}; "
                "name another folder with --out"
            )
        self._manifest.network = {**self.network, "source": _source(net, folder)}
        #: Settings of requests, and environments, by the names that entries use.
        self.requests, self.environments = self._manifest.requests, self._manifest.environments
        #: Optimized pictures, computed ones, and sprites and panels, by file.
        self.entries, self.computed = self._manifest.entries, self._manifest.computed
        self.copied = self._manifest.copied

    # -- reading -----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what other processes saved. The caller holds the lock of the folder, as they do."""
        self._manifest.refresh()

    def find(self, request: Request) -> list[Entry]:
        """Return the entries of a request with intact files, finished pictures before snapshots."""
        files = self._manifest.files.get(request.key(self.net), ())
        suffix = "." + self.file_format
        entries = [self.entries[file] for file in files if file.endswith(suffix)]
        return sorted(filter(self.intact, entries), key=lambda e: (-e.step, e.row))

    def entry(self, request: Request, step: int, row: int) -> Entry:
        """Return the entry of an existing picture: its row after ``step`` steps."""
        return next(e for e in self.find(request) if (e.step, e.row) == (step, row))

    def finished(self, requests: Iterable[Request]) -> list[Entry]:
        """Return the existing finished pictures of requests, in order, without snapshots."""
        return [
            entry
            for request in dict.fromkeys(requests)
            for entry in self.find(request)
            if entry.step == request.recipe.steps
        ]

    def intact(self, entry: Entry | GradientEntry) -> bool:
        """Return whether the file of an entry exists unchanged."""
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
        """Return whether all pictures and snapshots of a request exist unchanged."""
        steps = {*request.snapshots, request.recipe.steps}
        entries = self.find(request)
        if len(entries) != len(steps) * request.rows:
            return False
        final = [entry.file for entry in entries if entry.score is not None]
        beside = [mask_file(file) for file in final if request.has_mask]
        beside += [companion_file(file, s) for file in final for s in self.medium.suffixes]
        return all(self.copied_bytes(self.folder / file) for file in beside)

    # -- changing ----------------------------------------------------------------------------

    def remove_requests(self, requests: Iterable[Request]) -> None:
        """Remove the pictures of incomplete requests from the manifest before they are rewritten.

        On another machine the bytes may differ, and if the run is killed the manifest would keep
        the checksums of the old files.
        """
        suffix = "." + self.file_format
        known = [self._manifest.files.get(request.key(self.net), set()) for request in requests]
        self.remove([file for files in known for file in files if file.endswith(suffix)])

    def add(self, picture: Picture, made_in: dict[str, str] | None = None) -> None:
        """Write the files of a picture; :meth:`save` records them in the manifest.

        ``made_in`` is its environment where that is not the present one.
        """
        current, request = made_in or environment(), picture.request
        origin = Origin(self.network, current, request.key(self.net), self.file_format)
        self._manifest.add_request(origin.request(request), request.to_json())
        self._manifest.add_environment(origin.place, current)
        save_held(self.folder, self.net, request)
        for entry, data in entries_of(picture, origin, self._file):
            write_atomically(self.folder / entry.file, data)
            self._manifest.add(entry)
            if entry.score is not None and picture.mask is not None:
                self.copy(self.folder / mask_file(entry.file), mask_bytes(picture))
            for suffix, content in (
                picture.companions() if entry.score is not None else {}
            ).items():
                self.copy(self.folder / companion_file(entry.file, suffix), content)

    def replace_entries(
        self,
        requests: Mapping[str, dict[str, Any]],
        environments: Mapping[str, dict[str, str]],
        entries: Sequence[Entry],
        beside: Mapping[str, DerivedFile] = MappingProxyType({}),
    ) -> None:
        """Record exactly these pictures, written by other processes; :meth:`merge` saves that.

        ``beside`` are the files beside them, by name.
        """
        for name, request in requests.items():
            self._manifest.add_request(name, request)
        for name, environment_data in environments.items():
            self._manifest.add_environment(name, environment_data)
        files = {entry.file for entry in entries}
        self._manifest.remove([file for file in self.entries if file not in files])
        for entry in entries:
            if self.entries.get(entry.file) != entry:
                self._manifest.add(entry)
        for file, copied in beside.items():
            if self.copied.get(file) != copied:
                self._manifest.add(copied)

    def _file(self, picture: Picture, step: int, origin: Origin, _: bytes) -> str:
        request, row, key = picture.request, picture.row, origin.key
        text = request.written if request.photo is not None else request.text
        facet = request.facet, request.facet_weight
        name = slug(without_facet(text, *facet) if request.facet else text)
        if request.photo is not None:
            stem = Path(request.photo.name).stem.replace(" ", "_")
            name += f"-from-{slug(stem)}"
        if request.style is not None:
            stem = Path(request.style.name).stem.replace(" ", "_")
            name += f"-style-{slug(stem)}"
        if request.facet:
            name += f"-facet-{slug(request.facet.replace(' ', '_'))}"
            if names_weight(request.text, *facet):
                name += f"-{request.facet_weight:g}"
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
        """Write the files of computed pictures one by one, and record the finished ones."""
        current = environment()
        try:
            for entry, data in entries:
                write_atomically(self.folder / entry.file, data)
                self._manifest.add_environment(entry.environment, current)
                self._manifest.add(entry)
        finally:  # after Ctrl-C too
            self.merge()

    def copy(self, path: Path, data: bytes) -> None:
        """Write a sprite or panel unless the file has the same content.

        It may lie outside the folder. :meth:`merge` records it in the manifest.
        """
        file = self._relative(path)
        entry = DerivedFile(file, checksum(data))
        same = path.is_file() and path.read_bytes() == data
        if self.copied.get(file) == entry and same:
            return
        if file in self.copied:
            self.remove([file])
        if not same:
            write_atomically(path, data)
        self._manifest.add(entry)

    def copied_bytes(self, path: Path) -> bytes:
        """Return the content of a sprite or panel, ``b""`` if it was changed or does not exist."""
        known = self.copied.get(self._relative(path))
        data = path.read_bytes() if path.is_file() else b""
        return data if known is None or checksum(data) == known.sha256 else b""

    def remove_copy(self, path: Path) -> None:
        """Remove a sprite or panel."""
        self.remove([self._relative(path)])
        path.unlink(missing_ok=True)

    def _relative(self, path: Path) -> str:
        """Return a path relative to the folder."""
        return Path(os.path.relpath(path, self.folder)).as_posix()

    def remove(self, files: Sequence[str]) -> None:
        """Remove files from the manifest before they are rewritten."""
        self._manifest.remove(files)
        if files:
            self.save()

    def manifest(self) -> dict[str, Any]:
        """Return the manifest as plain data."""
        return self._manifest.data()

    def save(self) -> None:
        """Record changes in the manifest or the journal beside it."""
        self._manifest.save()

    def merge(self) -> None:
        """Write the manifest whole and remove the journal."""
        self._manifest.merge()


def unique_requests(net: Network, requests: Iterable[Request]) -> list[Request]:
    """Return the requests that make different pictures: the first of those with one key."""
    unique: dict[str, Request] = {}
    for request in requests:
        unique.setdefault(request.key(net), request)
    return list(unique.values())


def _source(net: Network, folder: Path) -> str:
    """Return the source of the network: a zoo name, or its path relative to the folder."""
    path = Path(net.identity.source)
    if net.identity.format == "zoo" or not path.exists():
        return net.identity.source
    return Path(os.path.relpath(path, folder)).as_posix()


def slug(text: str) -> str:
    """Return a target as a file name that every system takes.

    >>> slug("inception_4c/output:100@center"), slug("mixed4a:476 + mixed4b:111")
    ('inception_4c.output-100@center', 'mixed4a-476+mixed4b-111')
    >>> slug("mixed4a@my/photos/concepts.npz:nmf[3]#cosine=2")
    'mixed4a@concepts-nmf-3-cosine-2'
    """
    name = _FILE.sub(_file_name, text)
    name = name.replace(" ", "").replace("/", ".").replace(":", "-").replace("*", "x")
    name = re.sub(r"[^\w.@,+-]", "_", name).lstrip(".-") or "picture"
    if text.startswith("-"):
        name = "minus-" + name
    return name if len(name) <= 80 else f"{name[:60]}-{digest(text)[:8]}"


#: The file of a direction in a target: the name without folders, the key, the row, the option.
_FILE = re.compile(
    r"@(['\"]?)(?:[^'\"]*?[/\\])?([^/\\'\"]+?)\.(?:npy|npz|safetensors)\1"
    r"(?::([^\[\]#]+?))?(?:\[(\d+)\])?(?:#(\w+)=([\w.,-]+))?(?=$| [+-] )",
    re.IGNORECASE,
)


def _file_name(match: re.Match[str]) -> str:
    parts = (re.sub(r"[^\w.]+", "_", part) for part in match.groups()[1:] if part)
    return "@" + "-".join(parts)


def count_finished(folder: Path) -> int:
    """Count the finished pictures of a folder without snapshots; 0 without a manifest."""
    if not (folder / MANIFEST).is_file():
        return 0
    return sum(entry["score"] is not None for entry in read_manifest(folder)["pictures"])
