"""Locks of a data folder, released when the processes that hold them end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from portalocker import AlreadyLocked, Lock, LockFlags

from kerasviz.errors import UsageError

SERVER, WORKERS = "server.lock", "workers.lock"
#: Seconds for the workers of a service that was killed to notice it.
PATIENCE = 30.0
#: Seconds between two attempts to lock a file.
INTERVAL = 0.05


@contextmanager
def exclusive_lock(data: Path) -> Iterator[None]:
    """Be the only service in a data folder, when the workers of an earlier one are gone.

    Raises :class:`UsageError` where another service works.
    """
    server = _locked(data / SERVER, 0.0)
    try:
        _locked(data / WORKERS, PATIENCE).release()
        yield
    finally:
        server.release()


@contextmanager
def shared_lock(data: Path) -> Iterator[None]:
    """Be one of the workers in a data folder."""
    with Lock(data / WORKERS, flags=LockFlags.SHARED):
        yield


def _locked(path: Path, patience: float) -> Lock[IO[str]]:
    """Lock a file for this process alone, within some seconds."""
    lock = Lock(path, timeout=patience, check_interval=INTERVAL)
    try:
        lock.acquire()
    except AlreadyLocked:
        raise UsageError(
            f"another kerasviz serve works in {str(path.parent)!r}; stop it or name another --data"
        ) from None
    return lock
