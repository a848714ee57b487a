"""The store: a folder of pictures with a manifest that is enough to make each of them again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.environment import environment
from kerasviz.errors import KerasvizError, ModelError, UsageError
from kerasviz.files import checksum, digest, make_folder, write_atomically
from kerasviz.images import FORMATS, encode, to_image
from kerasviz.network import Network
from kerasviz.rendering import (
    Picture,
    Plan,
    Report,
    Request,
    describe,
    plan,
    provenance,
    render_plans,
)

__all__ = [
    "MANIFEST",
    "Computed",
    "Entry",
    "Made",
    "Store",
    "Verified",
    "count_finished",
    "distinct",
    "read_manifest",
]

MANIFEST = "manifest.json"
VERSION = 1
#: Points of the score curve that the manifest keeps.
CURVE = 33


@dataclass(frozen=True)
class Entry:
    """One picture file: what it is, and the names of its settings in the manifest.

    ``step`` is the number of updates after which it was taken (the recipe's ``steps`` for the
    finished picture); ``request`` and ``environment`` name entries of the manifest's tables.
    ``curve`` holds the score at some steps, as [step, score] pairs, for finished pictures.
    """

    file: str
    sha256: str
    key: str
    target: str
    step: int
    row: int
    compiled_batch: int
    score: float | None
    request: str
    environment: str
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Computed:
    """One picture file that was computed from others, without optimizing.

    ``name`` says what it is and ``words`` what was found out about it. ``made`` is all that decides
    it but the ``photos`` it was computed from, as plain data; these have a name, a SHA-256 and a
    path as seen from the folder. ``key`` names all of that together with the network.
    """

    file: str
    sha256: str
    key: str
    name: str
    words: str
    made: dict[str, Any]
    photos: tuple[dict[str, str], ...]
    environment: str


@dataclass(frozen=True)
class Made:
    """What a run of :meth:`Store.make` did: pictures made now, and found already there."""

    made: int
    kept: int


@dataclass(frozen=True)
class Verified:
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
        self.network = describe(net)
        self.requests: dict[str, dict[str, Any]] = {}
        self.environments: dict[str, dict[str, str]] = {}
        self.entries: dict[str, Entry] = {}  # by file name
        self.computed: dict[str, Computed] = {}  # by file name too
        self._files: dict[str, set[str]] = {}  # the names of the files of a request's key
        self._hashed: dict[str, tuple[tuple[int, int], str]] = {}  # so that no file is read twice
        if (folder / MANIFEST).exists():
            self._read(read_manifest(folder))

    def _read(self, manifest: dict[str, Any]) -> None:
        theirs = manifest["network"]
        if theirs["sha256"] != self.network["sha256"]:
            raise UsageError(
                f"{str(self.folder)!r} holds pictures of another model, {theirs['name']} "
                f"({theirs['sha256'][:12]}…), not of {self.net.name}; "
                "name another folder with --out"
            )
        self.requests = manifest["requests"]
        self.environments = manifest["environments"]
        for data in manifest["pictures"]:
            self._note(entry_of(data))
        for data in manifest.get("computed", ()):
            self.computed[data["file"]] = Computed(**{**data, "photos": tuple(data["photos"])})

    def _note(self, entry: Entry) -> None:
        self.entries[entry.file] = entry
        self._files.setdefault(entry.key, set()).add(entry.file)

    # -- what is there -----------------------------------------------------------------------

    def find(self, request: Request) -> list[Entry]:
        """The entries of a request whose files exist, finished pictures before snapshots."""
        files = self._files.get(request.key(self.net), ())
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

    def intact(self, entry: Entry | Computed) -> bool:
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

    # -- making ------------------------------------------------------------------------------

    def missing(self, requests: Iterable[Request]) -> list[Plan]:
        """The batches that make the requests that are not complete."""
        plans = plan(self.net, distinct(self.net, requests))
        left = [p.only(lambda r: not self.complete(r)) for p in plans]
        return [p for p in left if p is not None]

    def make(
        self,
        requests: Sequence[Request],
        progress: Callable[[Report], None] | None = None,
        failed: dict[Request, str] | None = None,
    ) -> Made:
        """Render the requests that are not complete; every finished batch is saved at once.

        Where the network cannot compute a batch, :class:`ModelError` is raised, or if ``failed`` is
        given the reason goes there and the others are rendered. Raises :class:`KerasvizError` for a
        folder that cannot be written, before anything runs.
        """
        every, requests = requests, distinct(self.net, requests)
        missing = self.missing(requests)
        make_folder(self.folder)
        self._forget(r for p in missing for r in p.requests)
        made = 0
        for pictures in self._rendered(missing, progress, failed):
            for picture in pictures:
                self.add(picture)
            self.save()
            made += len(pictures)
        if not (self.folder / MANIFEST).is_file():  # the page leads to it, though it is empty
            self.save()
        lost = 0 if failed is None else sum(r.rows for r in requests if r in failed)
        if failed:  # under all of their names
            reasons = {request.key(self.net): why for request, why in failed.items()}
            keys = {request: request.key(self.net) for request in every}
            failed.update({r: reasons[key] for r, key in keys.items() if key in reasons})
        return Made(made, sum(r.rows for r in requests) - made - lost)

    def _rendered(
        self,
        plans: Sequence[Plan],
        progress: Callable[[Report], None] | None,
        failed: dict[Request, str] | None,
    ) -> Iterator[list[Picture]]:
        """The pictures of batch after batch; those that fail are left out, if ``failed`` is."""
        total, todo = sum(p.rows for p in plans), list(plans)

        def report(r: Report) -> None:
            if progress is not None:  # after a failure the count goes on
                progress(replace(r, done=r.done + total - r.pictures, pictures=total))

        while todo:
            try:
                for pictures in render_plans(self.net, list(todo), report):
                    del todo[0]
                    yield pictures
            except ModelError as error:
                if failed is None:
                    raise
                failed.update(dict.fromkeys(todo.pop(0).requests, str(error)))

    def _forget(self, requests: Iterable[Request]) -> None:
        """Take the pictures of incomplete requests out of the manifest before they are rewritten.

        On another machine they may come out otherwise, and a manifest with the checksums of the
        old files would be wrong if the run is killed before it is saved.
        """
        suffix = "." + self.file_format
        known = [self._files.get(request.key(self.net), set()) for request in requests]
        forgotten = [(files, file) for files in known for file in files if file.endswith(suffix)]
        for files, file in forgotten:
            files.remove(file)
            del self.entries[file]
        if forgotten:
            self.save()

    def add(self, picture: Picture) -> None:
        """Write the files of a picture; :meth:`save` makes the manifest know them."""
        here = environment()
        request = picture.request
        key = request.key(self.net)
        names = {"request": digest(request.to_json()), "environment": digest(here)}
        self.requests[names["request"]] = request.to_json()
        self.environments[names["environment"]] = here
        images = {**picture.snapshots, request.recipe.steps: picture.image}
        for step, image in images.items():
            final = step == request.recipe.steps
            file = self._file(request, picture.row, step, key)
            data = self._bytes(picture, step, image, here)
            write_atomically(self.folder / file, data)
            self._note(
                Entry(
                    file=file,
                    sha256=checksum(data),
                    key=key,
                    target=request.text,
                    step=step,
                    row=picture.row,
                    compiled_batch=picture.batch,
                    score=float(f"{picture.score:.6g}") if final else None,
                    curve=_curve(picture.history) if final else (),
                    **names,
                )
            )

    def _bytes(
        self, picture: Picture, step: int, image: np.ndarray[Any, Any], here: dict[str, str]
    ) -> bytes:
        about = {**provenance(picture, self.network, here), "step": step}
        return encode(to_image(image), self.file_format, about)

    def _file(self, request: Request, row: int, step: int, key: str) -> str:
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

    def manifest(self) -> dict[str, Any]:
        """The manifest as plain data."""
        return {
            "format": VERSION,
            "network": {**self.network, "source": _source(self.net, self.folder)},
            "requests": self.requests,
            "environments": self.environments,
            "pictures": [asdict(entry) for entry in self.entries.values()],
            "computed": [asdict(entry) for entry in self.computed.values()],
        }

    def save(self) -> None:
        """Write the manifest."""
        text = json.dumps(self.manifest(), indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.folder / MANIFEST, text.encode())


def distinct(net: Network, requests: Iterable[Request]) -> list[Request]:
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


def _curve(history: np.ndarray[Any, Any]) -> tuple[tuple[int, float], ...]:
    steps = np.unique(np.linspace(0, len(history) - 1, CURVE).round().astype(int))
    return tuple((int(s), float(f"{float(history[s]):.4g}")) for s in steps)


def entry_of(data: dict[str, Any]) -> Entry:
    """An entry from the manifest's plain data."""
    return Entry(**{**data, "curve": tuple((s, v) for s, v in data["curve"])})


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


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a folder's manifest, or say in one line what is wrong with it."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(
            f"{str(folder)!r} holds no {MANIFEST}; name a folder made by kerasviz render"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise KerasvizError(f"{str(path)!r} is damaged: {error}") from error
    if found != VERSION:
        raise UsageError(f"{str(path)!r} has the format {found}; this version reads {VERSION}")
    return dict(manifest)
