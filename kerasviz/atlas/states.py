"""States: how far batches are, in the storage, so that the death of a worker costs a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from kerasviz.atlas.storage import Storage
from kerasviz.checkpoint import Checkpoint
from kerasviz.errors import KerasvizError
from kerasviz.optimize import Progress

__all__ = ["EVERY", "FOLDER", "State"]

FOLDER = "states"
#: Seconds of work between two checkpoints of a batch: some 10 MB each.
EVERY = 60.0


class State:
    """The latest checkpoint of a task; as what is called with its progress it saves the next ones.

    ``place`` names all that decides the last bits beside the task: another processor begins anew.
    A checkpoint saves time and nothing else. So one that cannot be read or written is left out, and
    the storage is not waited for.
    """

    def __init__(
        self,
        storage: Storage,
        task: str,
        place: str,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.storage, self.path = Storage(storage.url, patience=0.0), f"{FOLDER}/{task}-{place}.npz"
        self.every, self._clock = every, clock
        self._saved = clock()
        self._there = False

    def read(self) -> Checkpoint | None:
        """The checkpoint that a worker has left, if there is one."""
        with suppress(KerasvizError):
            data = self.storage.read(self.path)
            self._there = data is not None
            return None if data is None else Checkpoint.from_bytes(data)
        return None

    def __call__(self, progress: Progress) -> None:
        """Save a checkpoint if it is time to and something is left to do."""
        due = self._clock() - self._saved >= self.every and progress.step < progress.steps
        if not due or progress.checkpoint is None:
            return
        with suppress(KerasvizError):
            self.storage.write(self.path, progress.checkpoint().to_bytes())
            self._there = True
        self._saved = self._clock()

    def drop(self) -> None:
        """Remove it: the task is done."""
        if self._there:
            with suppress(KerasvizError):
                self.storage.remove(self.path)
