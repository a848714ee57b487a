"""Equal cells over the values of every unit, which widen with the range of the values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

#: The exponent of the width of cells before any value but 0 was seen.
SMALLEST = -200
#: Cells are at least 2**-40 of the largest value wide, so that their numbers are exact.
PRECISION = 40


@dataclass(frozen=True)
class Widening:
    """The units ``rows`` [R] whose cells were replaced by wider ones, or moved.

    ``shifts`` [R] is how often the width was doubled, ``first`` and ``new_first`` [R] the number of
    the first cell before and after.
    """

    rows: Array
    shifts: Array
    first: Array
    new_first: Array

    def moved(self, cells: int) -> Array:
        """Return the new places [R, cells] of the old cells; those out of range were empty."""
        old = self.first[:, None] + np.arange(cells)
        return (old >> self.shifts[:, None]) - self.new_first[:, None]


class Grid:
    """The cells of every unit: ``cells`` of width 2**exponent, from ``first`` * width upwards.

    The width is the smallest power of two with which the cells hold all values that were seen, and
    the first cell holds the smallest of them. Edges are whole multiples of the width: cells of
    twice the width hold two of them each, and the result does not depend on the order of values.
    All arrays are [units].
    """

    def __init__(self, units: int, cells: int):
        self.cells = cells
        self.low: Array = np.full(units, np.inf)
        self.high: Array = np.full(units, -np.inf)
        self.exponent: Array = np.full(units, SMALLEST, np.int64)
        self.first: Array = np.zeros(units, np.int64)

    @property
    def width(self) -> Array:
        """The widths of the cells of all units."""
        return np.ldexp(1.0, self.exponent)

    def numbers(self, values: Array) -> Array:
        """Return the numbers of the cells, from 0, of values [..., units]."""
        return _floor(values, self.exponent) - self.first

    def widen(self, values: Array) -> Widening:
        """Make room for values [N, units], at least one; return the units whose cells changed."""
        self.low = np.minimum(self.low, values.min(0))
        self.high = np.maximum(self.high, values.max(0))
        before, first = self.exponent, self.first
        self.exponent = _exponent(self.low, self.high, self.cells)
        self.first = _floor(self.low, self.exponent)
        rows = np.flatnonzero((self.exponent != before) | (self.first != first))
        shifts = np.minimum(self.exponent[rows] - before[rows], 63)
        return Widening(rows, shifts, first[rows], self.first[rows])

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        return {
            f"grid/{name}": getattr(self, name) for name in ("low", "high", "exponent", "first")
        }

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        self.low, self.high = arrays["grid/low"], arrays["grid/high"]
        self.exponent, self.first = arrays["grid/exponent"], arrays["grid/first"]


def _floor(values: Array, exponent: Array) -> Array:
    return np.floor(np.ldexp(values.astype(np.float64), -exponent)).astype(np.int64)


def _exponent(low: Array, high: Array, cells: int) -> Array:
    """Return the smallest exponents with which ``cells`` cells hold the values from low to high."""
    largest = np.maximum(np.abs(low), np.abs(high))
    exponent = np.where(largest > 0, np.frexp(largest)[1] - PRECISION, SMALLEST)
    spread = (high - low) / cells
    exponent = np.maximum(exponent, np.where(spread > 0, np.frexp(spread)[1] - 2, SMALLEST))
    exponent = exponent.astype(np.int64)
    while True:
        narrow = _floor(high, exponent) - _floor(low, exponent) >= cells
        if not narrow.any():
            return exponent
        exponent = exponent + narrow
