"""Who works in a data folder: locks that end with the processes that hold them."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kerasviz.errors import UsageError

__all__ = ["exclusive_lock", "shared_lock"]

SERVER, WORKERS = "server.lock", "workers.lock"
#: Seconds for the workers of a service that was killed to notice it.
PATIENCE = 30.0


@contextmanager
def exclusive_lock(data: Path) -> Iterator[None]:
    """Be the only service in a data folder, when the workers of an earlier one are gone.

    Raises :class:`UsageError` where another service works.
    """
    with (data / SERVER).open("a") as server:
        _take(server, fcntl.LOCK_EX, 0.0, data)
        with (data / WORKERS).open("a") as workers:
            _take(workers, fcntl.LOCK_EX, PATIENCE, data)
        yield


@contextmanager
def shared_lock(data: Path) -> Iterator[None]:
    """Be one of the workers in a data folder."""
    with (data / WORKERS).open("a") as workers:
        fcntl.flock(workers, fcntl.LOCK_SH)
        yield


def _take(file: IO[str], kind: int, patience: float, data: Path) -> None:
    latest = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= latest:
                raise UsageError(
                    f"another kerasviz serve works in {str(data)!r}; stop it or name another --data"
                ) from None
            time.sleep(0.05)
        else:
            return
