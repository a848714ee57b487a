"""The manifest of a folder of pictures: what every file is, with a journal of what came last."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError
from kerasviz.io.files import checksum, read_manifest_file, stamp, write_atomically

__all__ = [
    "JOURNAL",
    "MANIFEST",
    "DerivedFile",
    "Entry",
    "GradientEntry",
    "Manifest",
    "read_manifest",
]

MANIFEST = "manifest.json"
#: What was saved since the manifest was written: a line of JSON for each change. Rewriting the
#: manifest after every batch takes a second where there are thousands of pictures.
JOURNAL = "manifest.jsonl"
VERSION = 1
#: A journal that is longer than this, in bytes, and than the manifest is merged into it.
LONG = 1 << 20


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
class GradientEntry:
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
class DerivedFile:
    """A file in which pictures are shown otherwise: sprites, or examples of a unit in one picture.

    ``file`` is its path as seen from the folder, which it may lie beside.
    """

    file: str
    sha256: str


class Manifest:
    """The manifest of a folder, which need not be there yet.

    :meth:`save` is cheap: it appends what is new to the journal, in one write. :meth:`merge` writes
    the manifest whole and removes the journal. A journal names the manifest that it goes on from,
    so that one that was merged already, by a process that was killed then, is known; and a line
    that was cut off counts for nothing. Several processes may write if each holds a lock of theirs
    around :meth:`refresh` and what follows. Raises :class:`KerasvizError` for a damaged manifest.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.network: dict[str, Any] = {}
        self.requests: dict[str, dict[str, Any]] = {}
        self.environments: dict[str, dict[str, str]] = {}
        self.entries: dict[str, Entry] = {}  # by file name
        self.computed: dict[str, GradientEntry] = {}  # by file name too
        self.copied: dict[str, DerivedFile] = {}  # and these
        self.files: dict[str, set[str]] = {}  # the names of the files of a request's key
        self._pending: list[dict[str, Any]] = []  # changes that are not saved
        self._stamp: Any = None  # of the manifest that was read
        self._base = ""  # its checksum, which the journal names
        self._length = 0  # of the journal, as far as it was read
        if (folder / MANIFEST).is_file():
            self._load()

    # -- changes -----------------------------------------------------------------------------

    def add_request(self, name: str, data: dict[str, Any]) -> None:
        """Note the settings of a request, which entries name."""
        if name not in self.requests:
            self._change({"request": name, "is": data})

    def add_environment(self, name: str, data: dict[str, str]) -> None:
        """Note an environment, which entries name."""
        if name not in self.environments:
            self._change({"environment": name, "is": data})

    def add(self, entry: Entry | GradientEntry | DerivedFile) -> None:
        """Note a file that was written."""
        kind = {Entry: "picture", GradientEntry: "computed", DerivedFile: "copied"}[type(entry)]
        self._change({kind: vars(entry)})

    def remove(self, files: Iterable[str]) -> None:
        """Take files out, before they are rewritten."""
        for file in files:
            self._change({"forget": file})

    def _change(self, change: dict[str, Any]) -> None:
        self._pending.append(change)
        self._apply(change)

    def _apply(self, change: dict[str, Any]) -> None:
        if "picture" in change:
            entry = entry_of(change["picture"])
            self.entries[entry.file] = entry
            self.files.setdefault(entry.key, set()).add(entry.file)
        elif "computed" in change:
            data = change["computed"]
            self.computed[data["file"]] = GradientEntry(**{**data, "photos": tuple(data["photos"])})
        elif "copied" in change:
            self.copied[change["copied"]["file"]] = DerivedFile(**change["copied"])
        elif "request" in change:
            self.requests[change["request"]] = change["is"]
        elif "environment" in change:
            self.environments[change["environment"]] = change["is"]
        elif "forget" in change:
            there = self.entries.pop(change["forget"], None)
            if there is not None:
                self.files[there.key].discard(there.file)
            self.computed.pop(change["forget"], None)
            self.copied.pop(change["forget"], None)

    # -- writing -----------------------------------------------------------------------------

    def save(self) -> None:
        """Save the changes: nobody who reads the folder misses them any more."""
        self.refresh()
        if self._stamp is None or self._length > max(LONG, self._stamp[-1]):
            self.merge()
        elif self._pending:
            lines = b"".join(_line(change) for change in self._pending)
            if self._length:
                self._append(lines)
            else:  # the journal, if there is one, belongs to an earlier manifest
                lines = _line({"after": self._base}) + lines
                write_atomically(self.folder / JOURNAL, lines)
            self._length += len(lines)
            self._pending.clear()

    def _append(self, lines: bytes) -> None:
        path = self.folder / JOURNAL
        try:
            with path.open("r+b", buffering=0) as file:
                file.truncate(self._length)  # a line that was cut off
                file.seek(self._length)
                file.write(lines)
        except OSError as error:
            raise KerasvizError(f"cannot write {str(path)!r}: {error.strerror}") from error

    def merge(self) -> None:
        """Write the manifest with all changes; nothing is written where there are none."""
        self.refresh()
        if self._pending or self._length or self._stamp is None:
            data = _text(self.data())
            write_atomically(self.folder / MANIFEST, data)
            self._stamp, self._base = stamp(self.folder / MANIFEST), checksum(data)
            self._pending.clear()
            self._length = 0
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def data(self) -> dict[str, Any]:
        """The manifest as plain data."""
        found = {
            "format": VERSION,
            "network": self.network,
            "requests": self.requests,
            "environments": self.environments,
            "pictures": [dict(vars(entry)) for entry in self.entries.values()],
            "computed": [dict(vars(entry)) for entry in self.computed.values()],
        }
        if self.copied:
            copied = sorted(self.copied.values(), key=lambda entry: entry.file)
            found["copied"] = [dict(vars(entry)) for entry in copied]
        return found

    # -- reading -----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what other processes saved meanwhile; nothing is read where nothing changed."""
        journal = stamp(self.folder / JOURNAL)
        size = 0 if journal is None else journal[-1]
        if stamp(self.folder / MANIFEST) != self._stamp or size < self._length:
            self._load()
        elif size > self._length:
            self._read(_bytes(self.folder / JOURNAL, self._length))
            self._again()

    def _load(self) -> None:
        """Read manifest and journal; changes that are not saved stay."""
        pictures = (self.entries, self.computed, self.copied)
        for table in (self.requests, self.environments, *pictures, self.files):
            table.clear()
        path = self.folder / MANIFEST
        # The journal first: a manifest that is written in between has all of it.
        raw, self._stamp, self._base, self._length = _bytes(self.folder / JOURNAL), None, "", 0
        if path.is_file():
            self._stamp = stamp(path)
            data, manifest = read_manifest_file(path, VERSION, "kerasviz render")
            self._base = checksum(data)
            try:
                self.network = self.network or manifest["network"]
                self.requests |= manifest["requests"]
                self.environments |= manifest["environments"]
                for entry in manifest["pictures"]:
                    self._apply({"picture": entry})
                for kind in ("computed", "copied"):
                    for entry in manifest.get(kind, ()):
                        self._apply({kind: entry})
                self._read(raw)
            except (KeyError, TypeError, ValueError) as error:
                raise KerasvizError(f"{str(path)!r} is damaged: {error!r}") from error
        self._again()

    def _read(self, raw: bytes) -> None:
        """Apply the lines of the journal from where it was read to its end."""
        for line in raw[: raw.rfind(b"\n") + 1].splitlines(keepends=True):
            try:
                change = json.loads(line)
            except ValueError:  # what follows cannot be trusted, and is made again
                return
            if not self._length and change.get("after") != self._base:
                return  # of an earlier manifest
            self._apply(change)
            self._length += len(line)

    def _again(self) -> None:
        """What this process has changed comes after what others have."""
        for change in self._pending:
            self._apply(change)


def entry_of(data: dict[str, Any]) -> Entry:
    """An entry from the manifest's plain data."""
    return Entry(**{**data, "curve": tuple((s, v) for s, v in data["curve"])})


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a folder's manifest with its journal, or say in one line what is wrong with it."""
    if not (folder / MANIFEST).is_file():
        read_manifest_file(folder / MANIFEST, VERSION, "kerasviz render")
    return Manifest(folder).data()


def _text(data: dict[str, Any]) -> bytes:
    """A manifest as a file: JSON with a line for each entry of its tables.

    All of it indented would be nearly twice as long, and take more than four times as long.
    """

    def words(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    parts = []
    for name, table in data.items():
        if isinstance(table, list):
            ends, lines = ("[", "]"), [words(entry) for entry in table]
        elif isinstance(table, dict):
            ends, lines = (
                ("{", "}"),
                [f"{words(key)}: {words(value)}" for key, value in table.items()],
            )
        else:
            ends, lines = ("", ""), [words(table)]
        parts.append(f"{words(name)}: {ends[0]}" + ",\n".join(lines) + ends[1])
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _line(change: dict[str, Any]) -> bytes:
    return (json.dumps(change, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _bytes(path: Path, start: int = 0) -> bytes:
    """The bytes of a file from ``start`` on; none where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""
