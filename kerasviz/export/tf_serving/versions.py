"""Write numbered versions of a model into a folder, as TensorFlow Serving expects them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.io.files import temporary_folder


@dataclass
class Draft:
    """Hold the ``folder`` of a version being written, and its ``number`` once it has one."""

    folder: Path
    number: int = 0


def versions(folder: Path) -> list[int]:
    """Return the versions in the folder of a model, in order.

    >>> versions(Path("no such folder"))
    []
    """
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())


def next_version(folder: Path, version: int | None = None) -> int:
    """Return the number of a new version: ``version``, by default one more than the highest.

    Raises :class:`UsageError` for an existing version.
    """
    existing = versions(folder)
    if version is None:
        return max(existing, default=0) + 1
    if version in existing or (folder / str(version)).exists():
        raise UsageError(
            f"{folder / str(version)} exists already and is not overwritten; the next is "
            f"--version {max(existing, default=0) + 1}"
        )
    return version


@contextmanager
def new_version(folder: Path, version: int | None = None) -> Iterator[Draft]:
    """Give a folder to write to, which becomes a version at the end of the block.

    The version appears as a whole, under a number that no other has. A block that fails leaves
    nothing. A killed process may leave a hidden folder, which servers ignore and the next export
    removes. Raises :class:`UsageError` for an existing version, :class:`KerasvizError` where
    nothing can be written.
    """
    next_version(folder, version)
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with temporary_folder(folder, folder) as temporary:
            draft = Draft(temporary / "model")
            yield draft
            draft.number = _put(draft.folder, folder, version)
    finally:
        for path in new_folders:
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()


def _put(draft: Path, folder: Path, version: int | None) -> int:
    while True:
        number = next_version(folder, version)
        try:
            draft.rename(folder / str(number))
            return number
        except OSError:  # another export has taken the number
            if not (folder / str(number)).exists():
                raise
