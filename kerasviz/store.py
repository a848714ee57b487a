"""The store: a folder of pictures with a manifest that is enough to make each of them again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.environment import differences, environment
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.files import checksum, digest, make_folder, write_atomically
from kerasviz.images import FORMATS, decode, encode, to_image
from kerasviz.input_spec import InputSpec
from kerasviz.network import Network
from kerasviz.rendering import (
    Picture,
    Plan,
    Report,
    Request,
    describe,
    plan,
    provenance,
    render_plan,
    render_plans,
)
from kerasviz.scoring import structure_of

__all__ = ["MANIFEST", "Entry", "Made", "Store", "Verified", "count_finished", "verify"]

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
class Made:
    """What a run of :meth:`Store.make` did: pictures made now, and found already there."""

    made: int
    kept: int


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

    def _note(self, entry: Entry) -> None:
        self.entries[entry.file] = entry
        self._files.setdefault(entry.key, set()).add(entry.file)

    # -- what is there -----------------------------------------------------------------------

    def find(self, request: Request) -> list[Entry]:
        """The entries of a request whose files exist, finished pictures before snapshots."""
        files = self._files.get(request.key(self.net), ())
        suffix = "." + self.file_format
        found = [self.entries[file] for file in files if file.endswith(suffix)]
        return sorted(filter(self._intact, found), key=lambda e: (-e.step, e.row))

    def finished(self, requests: Iterable[Request]) -> list[Entry]:
        """The finished pictures of the requests that are there, in order, without snapshots."""
        return [
            entry
            for request in dict.fromkeys(requests)
            for entry in self.find(request)
            if entry.step == request.recipe.steps
        ]

    def _intact(self, entry: Entry) -> bool:
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

    def make(
        self, requests: Sequence[Request], progress: Callable[[Report], None] | None = None
    ) -> Made:
        """Render the requests that are not complete; every finished batch is saved at once.

        Raises :class:`KerasvizError` for a folder that cannot be written, before anything runs.
        """
        requests = list(dict.fromkeys(requests))
        plans = [p.only(lambda r: not self.complete(r)) for p in plan(self.net, requests)]
        make_folder(self.folder)
        missing = [p for p in plans if p is not None]
        made = 0
        for pictures in render_plans(self.net, missing, progress):
            for picture in pictures:
                self.add(picture)
            self.save()
            made += len(pictures)
        return Made(made, sum(r.rows for r in requests) - made)

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
        }

    def save(self) -> None:
        """Write the manifest."""
        text = json.dumps(self.manifest(), indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.folder / MANIFEST, text.encode())


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


# -- verifying -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verified:
    """The result for one file: ``same``, ``differs`` (it was made again), ``changed`` (on disk)."""

    file: str
    result: str
    detail: str = ""


def verify(
    folder: Path, net: Network, progress: Callable[[Report], None] | None = None
) -> tuple[list[Verified], list[str]]:
    """Make every picture of a folder again, in the recorded batch sizes, and compare the bytes.

    Returns the results in the manifest's order, and the differences between the environments that
    are recorded and this one. Nothing is written. Raises :class:`UsageError` for another network.
    """
    manifest = read_manifest(folder)
    spec = InputSpec.from_json(manifest["network"]["input"])
    net.input_spec = spec
    store = Store(folder, net)
    # The same file may have another name today; the pictures say what it was called then.
    store.network = {key: manifest["network"][key] for key in store.network}
    here = environment()
    results: dict[str, Verified] = {}
    notes: list[str] = []
    for recorded in store.environments.values():
        notes += [n for n in differences(here, recorded) if n not in notes]
    asked: dict[Request, str] = {}  # requests and their names in the manifest
    plans = list(_recorded_plans(store, asked))
    pictures, done = sum(p.rows for p in plans), 0
    entries: dict[tuple[str, int], list[Entry]] = {}
    for entry in store.entries.values():
        entries.setdefault((entry.request, entry.row), []).append(entry)
    for each in plans:

        def report(p: Any, done: int = done, each: Plan = each) -> None:
            if progress is not None:
                text = each.requests[0].text
                progress(Report(done, pictures, each.rows, p.step, p.steps, p.score, text))

        for picture in render_plan(net, each, report):
            for entry in entries[asked[picture.request], picture.row]:
                results[entry.file] = _compare(store, entry, picture)
        done += each.rows
    return [results[file] for file in store.entries if file in results], notes


def _recorded_plans(store: Store, asked: dict[Request, str]) -> Iterator[Plan]:
    """The batches that make all recorded pictures again, each of the recorded size."""
    groups: dict[Any, dict[Request, int]] = {}
    for entry in store.entries.values():
        request = Request.from_json(entry.target, store.requests[entry.request])
        asked[request] = entry.request
        structure = structure_of(request.objective, store.net, request.recipe.pre_activation)
        group = (structure, request.recipe, request.snapshots, entry.compiled_batch)
        groups.setdefault(group, {})[request] = request.rows
    for (structure, _, _, size), requests in groups.items():
        batch: list[Request] = []
        for request in requests:
            if sum(r.rows for r in batch) + request.rows > size:
                yield Plan(structure, tuple(batch), size)
                batch = []
            batch.append(request)
        yield Plan(structure, tuple(batch), size)


def _compare(store: Store, entry: Entry, picture: Picture) -> Verified:
    path = store.folder / entry.file
    if not path.is_file():
        return Verified(entry.file, "missing", "the file is not there")
    data = path.read_bytes()
    if checksum(data) != entry.sha256:
        return Verified(entry.file, "changed", "the file is not the one that was written")
    image = {**picture.snapshots, picture.request.recipe.steps: picture.image}[entry.step]
    recorded = store.environments[entry.environment]
    about = {**provenance(picture, store.network, recorded), "step": entry.step}
    again = encode(to_image(image), path.suffix[1:], about)
    if again == data:
        return Verified(entry.file, "same")
    return Verified(entry.file, "differs", _difference(data, image))


def _difference(data: bytes, image: np.ndarray[Any, Any]) -> str:
    """How far the picture in a file is from an image made again."""
    before, _ = decode(data)
    now = np.asarray(to_image(image), np.int16)
    there = np.asarray(before, np.int16)
    if there.shape != now.shape:
        return "the picture has another size"
    apart = np.abs(there - now)
    if not apart.any():
        return "the pixels are the same, the file is not (another encoder?)"
    return (
        f"{np.mean(apart > 0):.1%} of the numbers differ, by {apart.mean():.2f} of 255 on average"
    )
