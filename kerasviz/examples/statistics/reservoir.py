"""Keep a random sample of the images in every part of a unit's range."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kerasviz.examples.statistics.grid import Grid
from kerasviz.types import Array

#: Cells of a unit in which samples are kept.
CELLS = 64
#: Samples in a cell.
KEPT = 8
#: Stands for the tie of an empty place.
NONE = np.iinfo(np.int64).max
FIELDS: dict[str, tuple[type, float]] = {
    "tie": (np.int64, NONE),
    "value": (np.float32, 0.0),
    "image": (np.int32, -1),
    "place": (np.int32, 0),
    "label": (np.int32, -1),
}


class Reservoir:
    """The ``KEPT`` values of every cell of a unit with the smallest ties.

    Ties are pseudorandom numbers of images, so that what is kept is a fair sample of each cell that
    does not depend on the order of the images. Arrays are [units * CELLS, KEPT], by tie.
    """

    def __init__(self, units: int):
        self.grid = Grid(units, CELLS)
        self.arrays: dict[str, Array] = {
            name: np.full((units * CELLS, KEPT), empty, kind)
            for name, (kind, empty) in FIELDS.items()
        }

    def offer(self, entries: Mapping[str, Array]) -> None:
        """Take entries by field, each [N, units], or [N, 1] for one that all units share."""
        values = entries["value"]
        if not len(values):
            return
        self._widen(values)
        units = np.broadcast_to(np.arange(values.shape[1]), values.shape)
        rows = units * CELLS + self.grid.numbers(values)
        last = self.arrays["tie"][:, -1][rows]
        better = np.broadcast_to(entries["tie"], values.shape) < last
        if better.any():
            picked = {n: np.broadcast_to(entries[n], values.shape)[better] for n in FIELDS}
            self._insert(rows[better], picked)

    def of(self, unit: int) -> dict[str, Array]:
        """Return the entries of a unit by field, each [M]; ``cell`` is the number of a cell."""
        part = slice(unit * CELLS, (unit + 1) * CELLS)
        filled = self.arrays["tie"][part] != NONE
        entries = {name: array[part][filled] for name, array in self.arrays.items()}
        return {**entries, "cell": np.nonzero(filled)[0]}

    def _widen(self, values: Array) -> None:
        change = self.grid.widen(values)
        if not change.rows.size:
            return
        parts = (change.rows[:, None] * CELLS + np.arange(CELLS)).ravel()
        filled = self.arrays["tie"][parts] != NONE
        moved = change.rows[:, None] * CELLS + change.moved(CELLS)
        rows = np.broadcast_to(moved.ravel()[:, None], filled.shape)[filled]
        entries = {name: array[parts][filled] for name, array in self.arrays.items()}
        for name, (_, empty) in FIELDS.items():
            self.arrays[name][parts] = empty
        if rows.size:
            self._insert(rows, entries)

    def _insert(self, rows: Array, entries: Mapping[str, Array]) -> None:
        """Put entries [M] into their rows [M], each of which keeps those with the smallest ties."""
        touched, number = np.unique(rows, return_inverse=True)
        old = np.repeat(np.arange(len(touched)), KEPT)
        joined = {
            n: np.concatenate([a[touched].ravel(), entries[n]]) for n, a in self.arrays.items()
        }
        number = np.concatenate([old, number])
        order = np.lexsort((joined["image"], joined["tie"], number))
        number = number[order]
        rank = np.arange(len(number)) - np.searchsorted(number, number)
        kept = rank < KEPT
        for name, array in self.arrays.items():
            array[touched[number[kept]], rank[kept]] = joined[name][order][kept]

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        return {**self.grid.to_arrays(), **self.arrays}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        self.grid.restore(arrays)
        self.arrays = {name: arrays[name] for name in FIELDS}


def mixed(numbers: Array) -> Array:
    """Mix whole numbers to pseudorandom ones below 2**53, by SplitMix64.

    >>> mixed(np.array([1, 2])) < 2**53
    array([ True,  True])
    """
    z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.int64)
