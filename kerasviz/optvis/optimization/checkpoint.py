"""Checkpoints: a batch between two steps, from which another process can resume."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from kerasviz.types import Array


@dataclass(frozen=True)
class Checkpoint:
    """What :func:`optimize` needs to resume a run after ``step`` steps.

    ``state`` are the parameters and the optimizer's moments in their order; ``history`` [step, B]
    the scores so far; ``snapshots`` [B, H, W, C] in [0, 1] the images taken, by step.
    """

    step: int
    state: tuple[Array, ...]
    history: Array
    snapshots: Mapping[int, Array]

    def write(self, file: BinaryIO) -> None:
        """Write an uncompressed NumPy archive: noise hardly gets smaller by compression."""
        parts = {f"state {number}": array for number, array in enumerate(self.state)}
        parts |= {f"snapshot {step}": image for step, image in self.snapshots.items()}
        np.savez(file, allow_pickle=False, step=self.step, history=self.history, **parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint | None:
        """Read what :meth:`write` wrote; return ``None`` for a damaged or another file.

        >>> checkpoint = Checkpoint(2, (np.zeros(3),), np.ones((2, 1)), {0: np.zeros((1, 4, 4, 3))})
        >>> checkpoint.write(file := io.BytesIO())
        >>> Checkpoint.from_bytes(file.getvalue()).step, Checkpoint.from_bytes(b"no")
        (2, None)
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                parts = {name: file[name] for name in file.files}
            state = [parts[f"state {i}"] for i in range(len(parts)) if f"state {i}" in parts]
            names = [name for name in parts if name.startswith("snapshot ")]
            snapshots = {int(name.split(" ")[1]): parts[name] for name in names}
            return cls(int(parts["step"]), tuple(state), parts["history"], snapshots)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
            return None
