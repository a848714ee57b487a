"""Receive the bodies of uploads into files, up to the limits of the service."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterable
from pathlib import Path

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.service.settings import ServiceSettings

#: Characters of a name, at most.
LONGEST_NAME = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")


class TakenError(UsageError):
    """Another upload has this name."""


class UploadBusyError(KerasvizError):
    """Too many uploads wait."""


class TooLargeError(UsageError):
    """The file exceeds the limit of an upload or of the data folder."""


def is_file_name(name: str) -> bool:
    """Tell whether a name is a file name on every system, without folders.

    >>> is_file_name("concepts.npz"), is_file_name("../concepts.npz"), is_file_name(".npz")
    (True, False, False)
    """
    return len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None


async def write_body(
    path: Path, chunks: AsyncIterable[bytes], setting: ServiceSettings, most_bytes: int
) -> tuple[int, str]:
    """Write a body of at most ``most_bytes`` to a new file; return its length and SHA-256.

    Raises ``TooLargeError``, also where the data folder would exceed its own limit.
    """
    room = setting.limits.disk_bytes - await asyncio.to_thread(folder_bytes, setting.data)
    most = min(most_bytes, room)
    count, hashed = 0, hashlib.sha256()
    with path.open("xb") as file:
        async for chunk in chunks:
            count += len(chunk)
            if count > most:
                limited = "an upload" if most < room else "the data folder"
                raise TooLargeError(f"{limited} may hold no more than {max(most, 0)} bytes more")
            hashed.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return count, hashed.hexdigest()


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder, ignoring files that vanish."""
    total = 0
    for path, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(path, file)).st_size
    return total


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
