"""Checkpoints: a batch between two steps, so that another process goes on from there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from kerasviz.types import Array

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """What ``optimize`` needs to go on as if it had not stopped.

    ``step`` steps are done; ``state`` are the numbers of parameters and optimizer in their order;
    ``history`` [step, B] the scores so far; ``snapshots`` [B, H, W, C] the images taken, by step.
    """

    step: int
    state: tuple[Array, ...]
    history: Array
    snapshots: Mapping[int, Array]

    def write(self, file: BinaryIO) -> None:
        """Write it as a file of numpy's, not compressed: numbers of noise are hardly smaller so."""
        parts = {f"state {number}": array for number, array in enumerate(self.state)}
        parts |= {f"snapshot {step}": image for step, image in self.snapshots.items()}
        np.savez(file, allow_pickle=False, step=self.step, history=self.history, **parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint | None:
        """Read what :meth:`write` wrote; ``None`` for what is damaged or something else.

        >>> there = Checkpoint(2, (np.zeros(3),), np.ones((2, 1)), {0: np.zeros((1, 4, 4, 3))})
        >>> there.write(file := io.BytesIO())
        >>> Checkpoint.from_bytes(file.getvalue()).step, Checkpoint.from_bytes(b"no")
        (2, None)
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                parts = {name: file[name] for name in file.files}
            state = [parts[f"state {i}"] for i in range(len(parts)) if f"state {i}" in parts]
            shots = {n: parts[n] for n in parts if n.startswith("snapshot ")}
            return cls(
                int(parts["step"]),
                tuple(state),
                parts["history"],
                {int(name.split(" ")[1]): image for name, image in shots.items()},
            )
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
            return None
