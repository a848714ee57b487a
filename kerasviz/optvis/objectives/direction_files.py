"""Read directions from the words ``FILE:KEY[ROWS]``: vectors, with where they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.arrays import array_name, file_checksum, opened_arrays
from kerasviz.types import Array

#: Rows that a target without ``[ROWS]`` stands for, at most.
MOST_ROWS = 256

_PATH = r"[^'\"]*?\.(?:npy|npz|safetensors|pth?|pkl|pickle|bin|ckpt|joblib)"
_WORDS = re.compile(
    rf"(?P<quote>['\"]?)(?P<path>{_PATH})(?P=quote)"
    r"(?::(?P<key>[^\[\]#]+))?(?:\[(?P<rows>[^\[\]]*)\])?(?:#(?P<option>\w+)=(?P<value>.+))?",
    re.IGNORECASE,
)
_ROWS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class FileWords:
    """The parts of ``FILE:KEY[ROWS]#OPTION=VALUE``; those that are not given are ``""``."""

    path: str
    key: str = ""
    rows: str = ""
    option: str = ""
    value: str = ""

    def named(self, row: int | None) -> str:
        """Return the words of one row, with quotes where a path needs them."""
        quoted = self.path
        if re.search(r"\s[+-]\s", quoted):
            quoted = f"'{quoted}'"
        key = f":{self.key}" if self.key else ""
        return quoted + key + ("" if row is None else f"[{row}]")


@dataclass(frozen=True)
class DirectionFile:
    """Record where a vector was read: the name of its file, the SHA-256, the array and the row.

    ``row`` is ``None`` for an array that is itself the vector. For a latent of an autoencoder it is
    the number of the latent. ``path`` is where the file lay, which no record has.
    """

    file: str
    sha256: str
    key: str = ""
    row: int | None = None
    path: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain data without defaults."""
        data: dict[str, Any] = {"file": self.file, "sha256": self.sha256}
        if self.key:
            data["key"] = self.key
        if self.row is not None:
            data["row"] = self.row
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DirectionFile:
        """Return the record of plain data, which names no path: nobody's record opens a file."""
        row = data.get("row")
        return cls(
            str(data.get("file", "")),
            str(data.get("sha256", "")),
            str(data.get("key", "")),
            None if row is None else int(row),
        )


@dataclass(frozen=True)
class FileDirection:
    """A vector [C] or [H, W, C] in float32 as a file has it, with its words and its record."""

    words: str
    vector: Array
    source: DirectionFile


def file_words(text: str) -> FileWords | None:
    """Split ``FILE:KEY[ROWS]#OPTION=VALUE``; return ``None`` for a text that names no such file.

    >>> file_words("C:\\\\my data\\\\v.npz:nmf[3,7-9]#cosine=2")
    FileWords(path='C:\\\\my data\\\\v.npz', key='nmf', rows='3,7-9', option='cosine', value='2')
    """
    match = _WORDS.fullmatch(text.strip())
    if match is None:
        return None
    parts = {name: part or "" for name, part in match.groupdict().items() if name != "quote"}
    if match["rows"] is not None and not parts["rows"].strip():
        raise UsageError(f"{text}: no rows between the brackets; give [3], [3,7] or [0-9]")
    return FileWords(**parts)


def row_numbers(text: str, what: str) -> list[int]:
    """Expand ``3,7-9`` to numbers, in order and each once.

    >>> row_numbers("3, 7-9,3", "v.npy")
    [3, 7, 8, 9]
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = _ROWS.fullmatch(part.strip())
        first, last = (0, -1) if match is None else (int(match[1]), int(match[2] or match[1]))
        if last < first:
            raise UsageError(f"{what}: {text!r} are no numbers such as 3, 3,7 or 0-9")
        if last - first >= MOST_ROWS:
            raise UsageError(f"{what}: {last - first + 1} at once; give at most {MOST_ROWS}")
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))


def read_directions(words: FileWords, at: Path | None = None) -> list[FileDirection]:
    """Read the vectors that words name, of the file that lies ``at`` a place or where they say.

    An array of one axis [C] is a vector, one of two [N, C] has a vector in each row, one of three
    [H, W, C] is a vector for a whole map, and one of four has such a vector in each row.

    Raises:
        UsageError: For files, arrays and rows that do not exist, and numbers that are not finite.
    """
    named = Path(words.path).expanduser()
    path = named if at is None else at.expanduser()
    with opened_arrays(path) as arrays:
        key = array_name(named, list(arrays), words.key)
        array, shape = arrays[key], arrays[key].shape
        where = f"{named}:{key}" if key else f"{named}"
        if len(shape) > 4 or 0 in shape:
            sides = "x".join(map(str, shape))
            raise UsageError(f"{where}: {sides} numbers; expected [C], [N, C] or [H, W, C]")
        rows: list[int | None] = [None]
        if len(shape) in (2, 4):
            rows = [*_wanted(words, shape[0], where)]
            vectors = array.read([row for row in rows if row is not None])
        elif words.rows:
            sides = "x".join(map(str, shape))
            raise UsageError(f"{where}: {sides} numbers are one vector; leave out [{words.rows}]")
        else:
            vectors = array.read()[None]
    sha256 = file_checksum(path)
    return [
        FileDirection(
            words.named(row),
            _checked(vector, where if row is None else f"{where}[{row}]"),
            DirectionFile(path.name, sha256, key, row, str(path)),
        )
        for row, vector in zip(rows, vectors, strict=True)
    ]


def _wanted(words: FileWords, count: int, where: str) -> list[int]:
    """Return the numbers of the wanted rows of an array of ``count``."""
    if not words.rows:
        if count > MOST_ROWS:
            raise UsageError(f"{where} has {count} rows; name some, at most {MOST_ROWS}: [0-9]")
        return list(range(count))
    rows = row_numbers(words.rows, where)
    if max(rows) >= count:
        raise UsageError(f"{where}[{max(rows)}]: it has the rows 0 to {count - 1}")
    return rows


def _checked(vector: Array, where: str) -> Array:
    """Return a vector in float32; raise :class:`UsageError` for one that is no direction."""
    with np.errstate(over="ignore"):
        vector = np.asarray(vector).astype(np.float32)
    finite = np.isfinite(vector)
    if not finite.all():
        first = int(np.flatnonzero(~finite.ravel())[0])
        raise UsageError(f"{where}: number {first} is {vector.ravel()[first]}, not finite")
    if not vector.any():
        raise UsageError(f"{where}: all numbers are 0, which is no direction")
    return vector
