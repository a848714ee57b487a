"""Record every file of a folder of pictures in a manifest, with a journal of recent changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError
from kerasviz.io.files import checksum, read_manifest_file, stamp, write_atomically

MANIFEST = "manifest.json"
#: The changes since the manifest was written, a line of JSON each. Rewriting the manifest after
#: every batch would take a second for thousands of pictures.
JOURNAL = "manifest.jsonl"
VERSION = 1
#: A journal longer than this, in bytes, and longer than the manifest is merged into the manifest.
LONG = 1 << 20


@dataclass(frozen=True)
class Entry:
    """Describe one optimized picture file.

    ``step`` is its number of updates (the recipe's ``steps`` for the finished picture);
    ``request`` and ``environment`` name entries of the manifest's tables. ``curve`` has
    [step, score] pairs of finished pictures, ``term_scores`` the names and scores of the terms of
    sums. A ``transparent`` picture has an opacity.
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
    term_scores: tuple[tuple[str, float], ...] = ()
    transparent: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain data; what only some pictures have is left out of others."""
        data = {**vars(self), "term_scores": dict(self.term_scores)}
        for name in ("term_scores", "transparent"):
            if not data[name]:
                del data[name]
        return data


@dataclass(frozen=True)
class GradientEntry:
    """Describe one picture file that was computed from others, without optimizing.

    ``name`` is its title and ``words`` a result as text. ``made`` is the task as plain data;
    ``photos`` have a name, a SHA-256 and a path relative to the folder. ``key`` names all of that
    together with the network.
    """

    file: str
    sha256: str
    key: str
    name: str
    words: str
    made: dict[str, Any]
    photos: tuple[dict[str, str], ...]
    environment: str


def mask_file(file: str) -> str:
    """Return the name of the file of a finished picture's mask.

    >>> mask_file("mixed4a-7.png")
    'mixed4a-7.mask.png'
    """
    return f"{file.rpartition('.')[0]}.mask.png"


@dataclass(frozen=True)
class DerivedFile:
    """Describe a file derived from pictures: a sprite, or a panel of a unit's examples.

    ``file`` is its path relative to the folder; it may lie outside.
    """

    file: str
    sha256: str


class Manifest:
    """Read and write the manifest of a folder, which need not exist yet.

    :meth:`save` is cheap: it appends changes to the journal in one write. :meth:`merge` writes the
    whole manifest and removes the journal. A journal names its manifest, so that a journal which a
    killed process had already merged is ignored; so is an incomplete last line. Several processes
    may write if each holds a common lock from :meth:`refresh` to the end of its changes. Raises
    :class:`KerasvizError` for a damaged manifest.
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
        """Record the settings of a request, which entries name."""
        if name not in self.requests:
            self._change({"request": name, "is": data})

    def add_environment(self, name: str, data: dict[str, str]) -> None:
        """Record an environment, which entries name."""
        if name not in self.environments:
            self._change({"environment": name, "is": data})

    def add(self, entry: Entry | GradientEntry | DerivedFile) -> None:
        """Record a file that was written."""
        kind = {Entry: "picture", GradientEntry: "computed", DerivedFile: "copied"}[type(entry)]
        data = entry.to_json() if isinstance(entry, Entry) else vars(entry)
        self._change({kind: data})

    def remove(self, files: Iterable[str]) -> None:
        """Remove files before they are rewritten."""
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
            removed = self.entries.pop(change["forget"], None)
            if removed is not None:
                self.files[removed.key].discard(removed.file)
            self.computed.pop(change["forget"], None)
            self.copied.pop(change["forget"], None)

    # -- writing -----------------------------------------------------------------------------

    def save(self) -> None:
        """Save the changes in the journal, or in the manifest once the journal is long."""
        self.refresh()
        if self._stamp is None or self._length > max(LONG, self._stamp[-1]):
            self.merge()
        elif self._pending:
            lines = b"".join(_line(change) for change in self._pending)
            if self._length:
                self._append(lines)
            else:  # an existing journal belongs to an earlier manifest
                lines = _line({"after": self._base}) + lines
                write_atomically(self.folder / JOURNAL, lines)
            self._length += len(lines)
            self._pending.clear()

    def _append(self, lines: bytes) -> None:
        path = self.folder / JOURNAL
        try:
            with path.open("r+b", buffering=0) as file:
                file.truncate(self._length)  # drops an incomplete line
                file.seek(self._length)
                file.write(lines)
        except OSError as error:
            raise KerasvizError(f"cannot write {str(path)!r}: {error.strerror}") from error

    def merge(self) -> None:
        """Write the manifest with all changes, if there are any."""
        self.refresh()
        if self._pending or self._length or self._stamp is None:
            data = _text(self.data())
            write_atomically(self.folder / MANIFEST, data)
            self._stamp, self._base = stamp(self.folder / MANIFEST), checksum(data)
            self._pending.clear()
            self._length = 0
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def data(self) -> dict[str, Any]:
        """Return the manifest as plain data."""
        tables = {
            "format": VERSION,
            "network": self.network,
            "requests": self.requests,
            "environments": self.environments,
            "pictures": [entry.to_json() for entry in self.entries.values()],
            "computed": [dict(vars(entry)) for entry in self.computed.values()],
        }
        if self.copied:
            copied = sorted(self.copied.values(), key=lambda entry: entry.file)
            tables["copied"] = [dict(vars(entry)) for entry in copied]
        return tables

    # -- reading -----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what other processes saved; files without changes are not read."""
        journal = stamp(self.folder / JOURNAL)
        size = 0 if journal is None else journal[-1]
        if stamp(self.folder / MANIFEST) != self._stamp or size < self._length:
            self._load()
        elif size > self._length:
            self._read(_bytes(self.folder / JOURNAL, self._length))
            self._again()

    def _load(self) -> None:
        """Read manifest and journal; unsaved changes stay."""
        pictures = (self.entries, self.computed, self.copied)
        for table in (self.requests, self.environments, *pictures, self.files):
            table.clear()
        path = self.folder / MANIFEST
        # The journal first: a manifest written in between contains the whole journal.
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
        """Apply new lines of the journal."""
        for line in raw[: raw.rfind(b"\n") + 1].splitlines(keepends=True):
            try:
                change = json.loads(line)
            except ValueError:  # the rest cannot be trusted, and is rendered again
                return
            if not self._length and change.get("after") != self._base:
                return  # the journal of an earlier manifest
            self._apply(change)
            self._length += len(line)

    def _again(self) -> None:
        """Apply the changes of this process after those of others."""
        for change in self._pending:
            self._apply(change)


def entry_of(data: dict[str, Any]) -> Entry:
    """Return an entry of the manifest's plain data."""
    curve = tuple((step, score) for step, score in data["curve"])
    terms = tuple(data.get("term_scores", {}).items())
    return Entry(**{**data, "curve": curve, "term_scores": terms})


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a folder's manifest with its journal; raise an error of one line if it is damaged."""
    if not (folder / MANIFEST).is_file():
        read_manifest_file(folder / MANIFEST, VERSION, "kerasviz render")
    return Manifest(folder).data()


def _text(data: dict[str, Any]) -> bytes:
    """Return the bytes of a manifest: JSON with a line for each entry of its tables.

    Fully indented JSON would be twice as long and take four times as long.
    """

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    parts = []
    for name, table in data.items():
        if isinstance(table, list):
            ends, lines = ("[", "]"), [text(entry) for entry in table]
        elif isinstance(table, dict):
            ends, lines = (
                ("{", "}"),
                [f"{text(key)}: {text(value)}" for key, value in table.items()],
            )
        else:
            ends, lines = ("", ""), [text(table)]
        parts.append(f"{text(name)}: {ends[0]}" + ",\n".join(lines) + ends[1])
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _line(change: dict[str, Any]) -> bytes:
    return (json.dumps(change, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _bytes(path: Path, start: int = 0) -> bytes:
    """Return the bytes of a file from ``start`` on, ``b""`` if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""
