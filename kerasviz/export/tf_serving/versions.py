"""Write numbered versions of a model into a folder, as TensorFlow Serving expects them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kerasviz.errors import KerasvizError, UsageError, first_line
from kerasviz.io.files import HAS_LOCKS, lock

_PREFIX, _SUFFIX = ".kerasviz-", ".part"


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
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=_PREFIX, suffix=_SUFFIX))
    except OSError as error:
        raise KerasvizError(f"cannot write {str(folder)!r}: {error.strerror}") from error
    try:
        with _locked(temporary):
            draft = Draft(temporary / "model")
            yield draft
            draft.number = _put(draft.folder, folder, version)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise KerasvizError(f"cannot write {str(folder)!r}: {reason}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
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


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, which ends with the process, where there are such locks."""
    if not HAS_LOCKS:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        lock(handle, wait=True)
        yield
    finally:
        os.close(handle)


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary folders that no process locks: their writers were killed."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        if not HAS_LOCKS or not path.is_dir():
            continue
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                if lock(handle, wait=False):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)
