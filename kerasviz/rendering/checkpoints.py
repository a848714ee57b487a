"""Save checkpoints of batches in files, so that the death of a process costs a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kerasviz.errors import KerasvizError
from kerasviz.io.files import Content, remove_leftovers, write_atomically
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.run import LoopProgress

if TYPE_CHECKING:
    from kerasviz.io.storage import Storage

FOLDER = "states"
#: Seconds of work between two checkpoints of a batch for every second that the last one took to
#: save, and at least this. Checkpoints have about 10 MB, those of very large pictures hundreds.
EVERY = 60.0


class CheckpointWriter:
    """Save the latest checkpoint of a batch when called with the progress of its loop.

    ``name`` stands for everything that decides the last bits, including the machine. A checkpoint
    only saves time: failures of ``files``, a :class:`KerasvizError`, are ignored.
    """

    def __init__(
        self,
        files: LatestCheckpoint | Storage,
        name: str,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.files, self.path = files, f"{FOLDER}/{name}.npz"
        self.every, self._clock = every, clock
        self._saved, self._pause = clock(), every
        self.resumed = 0  # the step of the checkpoint that was read

    def read(self) -> Checkpoint | None:
        """Return the checkpoint that another process left, if there is one."""
        with suppress(KerasvizError):
            data = self.files.read(self.path)
            checkpoint = None if data is None else Checkpoint.from_bytes(data)
            self.resumed = 0 if checkpoint is None else checkpoint.step
            return checkpoint
        return None

    def __call__(self, progress: LoopProgress) -> None:
        """Save a checkpoint if it is due and steps are left."""
        now = self._clock()
        due = now - self._saved >= self._pause and progress.step < progress.steps
        if not due or progress.checkpoint is None:
            return
        with suppress(KerasvizError):
            self.files.write(self.path, progress.checkpoint().write)
        self._saved = self._clock()
        self._pause = self.every * max(1.0, self._saved - now)

    def drop(self) -> None:
        """Remove the checkpoint of a finished batch."""
        with suppress(KerasvizError):
            self.files.remove(self.path)


class LatestCheckpoint:
    """Keep only the latest checkpoint in a folder: they are large."""

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, ``None`` if it cannot be read."""
        with suppress(OSError):
            return (self.folder / path).read_bytes()
        return None

    def write(self, path: str, data: Content) -> None:
        """Write a file and remove the others of its folder."""
        target = self.folder / path
        try:
            target.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise KerasvizError(f"cannot write {str(target)!r}: {error.strerror}") from error
        write_atomically(target, data)
        for other in set(target.parent.iterdir()) - {target}:
            with suppress(OSError):
                other.unlink()

    def remove(self, path: str) -> None:
        """Remove a file, and its folder if that is empty."""
        target = self.folder / path
        with suppress(OSError):
            target.unlink()
            remove_leftovers(target.parent)
            target.parent.rmdir()
