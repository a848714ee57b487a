"""Activations on disk: memory-mapped files of what photos or the user gave."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.arrays import array_name, file_checksum, opened_arrays
from kerasviz.io.files import digest, write_atomically
from kerasviz.types import Array

#: The folder of the files, in that of an atlas.
FOLDER = "samples"
#: The file that is written last: with it the others are complete.
RECORD = "samples.json"
#: Rows that are checked at once.
ROWS = 8192


@dataclass(frozen=True, eq=False)
class ActivationSamples:
    """Hold the activations of an atlas, which may lie on disk.

    Args:
        values: [N, C] Activations of a layer at single positions.
        attributions: [N, classes] What each contributes to every class, ``None`` where unknown.
        positions: [N, 3] The number of the photo, and row and column on the map of the layer,
            ``None`` for activations from a file.
        about: Where they are from, as plain data.
    """

    values: Array
    attributions: Array | None = None
    positions: Array | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def identity(self) -> str:
        """A digest of where they are from."""
        return digest(dict(self.about))

    @property
    def photos(self) -> Array:
        """The photo of each activation, [N]; each has its own where it is unknown."""
        return np.arange(len(self)) if self.positions is None else self.positions[:, 0]

    def of(self, points: Array) -> ActivationSamples:
        """Return the activations of some points, in memory."""
        shares, positions = (
            None if array is None else array[points]
            for array in (self.attributions, self.positions)
        )
        return ActivationSamples(self.values[points], shares, positions, self.about)


def open_samples(folder: Path) -> ActivationSamples | None:
    """Open the finished files in a folder; ``None`` without them.

    Raises :class:`KerasvizError` for damaged ones.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        about = json.loads(path.read_bytes())
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in about["files"]
        }
        values = arrays["activations"]
        return ActivationSamples(
            values, arrays.get("attributions"), arrays.get("positions"), about["from"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KerasvizError(
            f"{str(path)!r} is damaged: {error}; remove that folder, and sample again"
        ) from error


def save_samples(folder: Path, samples: ActivationSamples, notes: Mapping[str, Any]) -> None:
    """Write the files of activations, and last the record that they are complete."""
    arrays = {
        "activations": samples.values,
        "attributions": samples.attributions,
        "positions": samples.positions,
    }
    files = {name: array for name, array in arrays.items() if array is not None}
    for name, array in files.items():
        write_array(folder / f"{name}.npy", array)
    record = {"from": dict(samples.about), "files": list(files), "notes": dict(notes)}
    text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_atomically(folder / RECORD, text.encode())


def notes_of(folder: Path) -> dict[str, Any]:
    """Return what was noted when the activations in a folder were sampled."""
    path = folder / RECORD
    return dict(json.loads(path.read_bytes())["notes"]) if path.is_file() else {}


def write_array(path: Path, array: Array) -> None:
    """Write an array, which may lie on disk, as an ``.npy`` file that appears whole."""
    data = np.ascontiguousarray(array) if not array.flags.c_contiguous else array
    write_atomically(path, lambda file: np.lib.format.write_array(file, data, allow_pickle=False))


def read_samples(
    activations: str | os.PathLike[str],
    attributions: str | os.PathLike[str] | None,
    channels: int,
    tap: str,
) -> ActivationSamples:
    """Open activations [N, C] that the user gives, and what they contribute to classes.

    Raises :class:`UsageError` for files of another shape, and numbers that are not finite.
    """
    values = read_rows(activations)
    if values.shape[1] != channels:
        raise UsageError(
            f"{os.fspath(activations)}: rows of {values.shape[1]} numbers; {tap} has {channels} "
            "channels"
        )
    about = {"activations": file_checksum(Path(activations))}
    if attributions is None:
        return ActivationSamples(values, about=about)
    shares = read_rows(attributions)
    if len(shares) != len(values):
        raise UsageError(
            f"{os.fspath(attributions)}: {len(shares)} rows for {len(values)} activations; give "
            "one for each"
        )
    about["attributions"] = file_checksum(Path(attributions))
    return ActivationSamples(values, shares, about=about)


def read_rows(file: str | os.PathLike[str]) -> Array:
    """Open the array [N, D] of finite numbers in a file, an ``.npy`` file without reading it all.

    Raises :class:`UsageError` for other files.
    """
    path = Path(file)
    with opened_arrays(path) as arrays:
        array = arrays[array_name(path, list(arrays), "")].whole()
    if array.ndim != 2 or 0 in array.shape:
        sides = " x ".join(map(str, array.shape))
        raise UsageError(f"{path}: {sides} numbers; expected a row of numbers for each activation")
    for start in range(0, len(array), ROWS):
        finite = np.isfinite(array[start : start + ROWS]).all(1)
        if not finite.all():
            row = start + int(np.flatnonzero(~finite)[0])
            raise UsageError(f"{path}: row {row} has numbers that are not finite; leave it out")
    return array
