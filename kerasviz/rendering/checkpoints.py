"""States: how far batches are, in files, so that the death of a process costs a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kerasviz.errors import KerasvizError
from kerasviz.io.files import Content, remove_leftovers, write_atomically
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.loop import LoopProgress

__all__ = ["EVERY", "FOLDER", "CheckpointFiles", "CheckpointWriter", "LatestCheckpoint"]

FOLDER = "states"
#: Seconds of work between two checkpoints of a batch, some 10 MB each, for every second that one
#: took to save, and for one at least: those of very large pictures have hundreds of MB.
EVERY = 60.0


class CheckpointFiles(Protocol):
    """Where states are kept: files by relative paths. What fails is a :class:`KerasvizError`."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; ``None`` where there is none."""

    def write(self, path: str, data: Content) -> None:
        """Write a file, or replace it."""

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""


class CheckpointWriter:
    """The latest checkpoint of a batch; as what is called with its progress it saves the next ones.

    ``name`` names all that decides the last bits, the machine too: another one begins anew. A
    checkpoint saves time and nothing else. So one that cannot be read or written is left out.
    """

    def __init__(
        self,
        files: CheckpointFiles,
        name: str,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.files, self.path = files, f"{FOLDER}/{name}.npz"
        self.every, self._clock = every, clock
        self._saved, self._pause = clock(), every
        self.resumed = 0  # the step of the checkpoint that was read

    def read(self) -> Checkpoint | None:
        """The checkpoint that another process has left, if there is one."""
        with suppress(KerasvizError):
            data = self.files.read(self.path)
            checkpoint = None if data is None else Checkpoint.from_bytes(data)
            self.resumed = 0 if checkpoint is None else checkpoint.step
            return checkpoint
        return None

    def __call__(self, progress: LoopProgress) -> None:
        """Save a checkpoint if it is time to and something is left to do."""
        now = self._clock()
        due = now - self._saved >= self._pause and progress.step < progress.steps
        if not due or progress.checkpoint is None:
            return
        with suppress(KerasvizError):
            self.files.write(self.path, progress.checkpoint().write)
        self._saved = self._clock()
        self._pause = self.every * max(1.0, self._saved - now)

    def drop(self) -> None:
        """Remove it: the batch is done."""
        with suppress(KerasvizError):
            self.files.remove(self.path)


class LatestCheckpoint:
    """A folder that keeps one state, the latest: those of batches nobody goes on with are large."""

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; ``None`` where there is none that can be read."""
        with suppress(OSError):
            return (self.folder / path).read_bytes()
        return None

    def write(self, path: str, data: Content) -> None:
        """Write a file and remove the others beside it."""
        place = self.folder / path
        try:
            place.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise KerasvizError(f"cannot write {str(place)!r}: {error.strerror}") from error
        write_atomically(place, data)
        for other in set(place.parent.iterdir()) - {place}:
            with suppress(OSError):
                other.unlink()

    def remove(self, path: str) -> None:
        """Remove a file, and the folder that was made for it."""
        place = self.folder / path
        with suppress(OSError):
            place.unlink()
            remove_leftovers(place.parent)
            place.parent.rmdir()
