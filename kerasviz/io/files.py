"""Files that appear whole or not at all, and checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import platformdirs
import portalocker
from portalocker import LockFlags

from kerasviz.errors import KerasvizError, UsageError, first_line

#: Windows does not rename or remove a file that is open: nothing is locked there.
HAS_LOCKS = os.name != "nt"
#: The start of temporary names. Only files with such names are taken for leftovers.
_PREFIX = ".kerasviz-"
#: The end of temporary names.
_SUFFIX = ".part"


#: The content of a file: its bytes, or a function that writes them without holding all of them.
Content = bytes | Callable[[BinaryIO], object]


def write_content(file: BinaryIO, data: Content) -> None:
    """Write ``data`` to an open file."""
    if isinstance(data, bytes):
        file.write(data)
    else:
        data(file)


def write_atomically(path: Path, data: Content) -> None:
    """Write ``data`` to a temporary file beside ``path``, and rename it to ``path``.

    A process that is killed leaves the temporary file, see :func:`remove_leftovers`.
    Raises :class:`KerasvizError` where the folder cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = _locked(path.parent)
        with os.fdopen(handle, "wb") as file:
            write_content(file, data)
            file.flush()
            os.chmod(temporary, 0o666 & ~_umask())
            if HAS_LOCKS:  # the file is renamed while locked; closing it unlocks
                os.replace(temporary, path)
        if not HAS_LOCKS:
            os.replace(temporary, path)
    except OSError as error:
        raise KerasvizError(f"cannot write {str(path)!r}: {error.strerror}") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _locked(folder: Path) -> tuple[int, str]:
    """Return handle and path of a new temporary file, which is locked while it is open."""
    while True:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=_SUFFIX)
        if not lock(handle, wait=True) or os.path.exists(temporary):
            return handle, temporary
        os.close(handle)  # it was removed as a leftover before it was locked


def lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file or folder until it is closed, and return whether that was possible.

    It is impossible on file systems without locks, and without ``wait`` if another process has it.
    """
    if not HAS_LOCKS:
        return False
    flags = LockFlags.EXCLUSIVE if wait else LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING
    try:
        portalocker.lock(handle, flags)
    except portalocker.LockException:
        return False
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in a folder whose writers were killed.

    Files of living writers are locked and stay, so that several processes may write into a folder.
    """
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if lock(file.fileno(), wait=False):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent: Path, target: Path) -> Iterator[Path]:
    """Give a hidden folder in ``parent`` to write to; the block renames what is to stay.

    A killed process leaves the folder, which the next call removes. Raises :class:`KerasvizError`,
    which names ``target``, where nothing can be written.
    """
    temporary: Path | None = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for path in parent.glob(f"{_PREFIX}*{_SUFFIX}/"):
            with contextlib.suppress(OSError), _opened(path) as handle:
                if lock(handle, wait=False):
                    shutil.rmtree(path, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX, suffix=_SUFFIX))
        with _opened(temporary) as handle:
            lock(handle, wait=True)
            yield temporary
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise KerasvizError(f"cannot write {str(target)!r}: {reason}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Give the handle of a folder, of one that cannot be used where there are no locks."""
    handle = os.open(folder, os.O_RDONLY) if HAS_LOCKS else -1
    try:
        yield handle
    finally:
        if HAS_LOCKS:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(path: Path) -> Path:
    """Make a folder with its parents, check that it can be written, and remove leftovers."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        remove_leftovers(path)
    except OSError as error:
        raise KerasvizError(
            f"cannot write into the folder {str(path)!r}: {error.strerror}; name another with --out"
        ) from error
    return path


def stamp(path: Path) -> Any:
    """Return a value that changes with a file, its size last; ``None`` if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def cache_folder() -> Path:
    """Return the cache folder; which is made when something is first written."""
    named = os.environ.get("KERASVIZ_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("kerasviz")


def checksum(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest(data: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of the canonical JSON of plain data.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return checksum(text.encode())[:16]


def read_manifest_file(path: Path, version: int, maker: str) -> tuple[bytes, dict[str, Any]]:
    """Read the bytes and the data of a folder's JSON manifest.

    ``maker`` is the command that makes such folders. Raises :class:`UsageError` for a missing file
    and a format other than ``version``, and :class:`KerasvizError` for a damaged file.
    """
    if not path.is_file():
        raise UsageError(
            f"{str(path.parent)!r} holds no {path.name}; name a folder made by {maker}"
        )
    data = path.read_bytes()
    try:
        manifest = json.loads(data.decode("utf-8"))
        found = manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise KerasvizError(f"{str(path)!r} is damaged: {error}") from error
    if found != version:
        raise UsageError(f"{str(path)!r} has the format {found}; this version reads {version}")
    return data, dict(manifest)
