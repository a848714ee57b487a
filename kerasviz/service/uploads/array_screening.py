"""Screening of uploaded files of directions: which arrays they hold, all of which can be read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.io.arrays import opened_arrays
from kerasviz.optvis.objectives.direction_files import FileWords, file_words

#: Arrays of a file, at most.
MOST_ARRAYS = 256
#: Characters of the name of an array, at most.
_LONGEST_KEY = 200


def screen_arrays(path: Path, most_bytes: int) -> list[dict[str, Any]]:
    """Read every array of a file, and return the name and shape of those that have directions.

    An array has a vector in its shape [C], [N, C], [H, W, C] or [N, H, W, C], and a name that a
    target can have. ``most_bytes`` limits the unpacked size of an ``.npz`` file.

    Raises:
        UsageError: For a file that is damaged, a pickle, too large, or without such arrays.
    """
    if path.suffix.lower() == ".npz":
        _check_unpacked(path, most_bytes)
    found = []
    with opened_arrays(path) as arrays:
        if len(arrays) > MOST_ARRAYS:
            raise UsageError(f"{path}: {len(arrays)} arrays; at most {MOST_ARRAYS} may be")
        for key, array in arrays.items():
            if array.read().shape != array.shape:
                raise UsageError(f"{path}: the array {key[:_LONGEST_KEY]!r} is not of its shape")
            if len(array.shape) <= 4 and 0 not in array.shape and _can_be_named(path.name, key):
                found.append({"key": key, "shape": list(array.shape)})
    if not found:
        raise UsageError(
            f"{path}: no array of directions in it; save numbers of the shape [C], [N, C] or "
            "[H, W, C]"
        )
    return found


def _can_be_named(file: str, key: str) -> bool:
    """Tell whether the grammar of targets can name an array, also as a term of a sum."""
    if len(key) > _LONGEST_KEY or not key.isprintable() or key != " ".join(key.split()):
        return False
    words = FileWords(file, key)
    return not any(f" {sign} " in key for sign in "+-") and file_words(words.named(0)) == FileWords(
        file, key, "0"
    )


def _check_unpacked(path: Path, most_bytes: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise UsageError(f"{path}: no readable .npz file: {error}") from error
    if size > most_bytes:
        raise UsageError(f"{path}: unpacks to {size} bytes; at most {most_bytes} may be")
