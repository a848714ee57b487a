"""Count the values of every unit in narrow cells, and join them into the bins of a spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerasviz.examples.statistics.grid import Grid
from kerasviz.types import Array

#: Cells of a unit. Bins are made of whole cells: this is how exactly they meet the percentiles.
CELLS = 1024
#: Bins of a spectrum, as in the article's pictures.
BINS = 18
#: The shares of values below the first and above the last inner edge.
TAIL = 1e-4
#: The shares below the quantiles of a unit.
QUANTILES = (TAIL, 0.25, 0.5, 0.75, 1 - TAIL)


@dataclass(frozen=True)
class BinnedUnit:
    """The bins of one unit.

    ``edges`` [19] bound the bins, of which the first and the last are open: they hold what lies
    outside, too. ``counts`` [18] are numbers of values and sum to their number. ``first`` and
    ``step`` say which cells a bin is made of.
    """

    edges: Array
    counts: Array
    first: int
    step: int

    def bins(self, cells: Array) -> Array:
        """Return the bins of cells by number."""
        bins: Array = np.clip((cells - self.first) // self.step, 0, BINS - 1)
        return bins


class Histogram:
    """The numbers of values [units, 1024] of every unit in each of its cells.

    It does not depend on the order of the values. ``positive`` [units] counts those above 0.
    """

    def __init__(self, units: int):
        self.grid = Grid(units, CELLS)
        self.counts: Array = np.zeros((units, CELLS), np.int64)
        self.positive: Array = np.zeros(units, np.int64)

    def offer(self, values: Array) -> None:
        """Count values [N, units], which are finite."""
        if not len(values):
            return
        change = self.grid.widen(values)
        if change.rows.size:
            self.counts[change.rows] = regrouped(self.counts[change.rows], change.moved(CELLS))
        numbers = self.grid.numbers(values) + CELLS * np.arange(len(self.counts))
        np.add.at(self.counts.reshape(-1), numbers.ravel(), 1)
        self.positive += (values > 0).sum(0)

    def binned(self, unit: int) -> BinnedUnit:
        """Return the spectrum of a unit: bins of one width from the .01 to the 99.99 percentile.

        Bins are rounded outwards to whole cells, at most 1/512 of the range of the values each.
        """
        counts = self.counts[unit]
        low, high = _quantile_cells(counts, (TAIL, 1 - TAIL))
        step = -(-(high - low + 1) // BINS)
        first = int(low - (step * BINS - (high - low + 1)) // 2)
        edges = self.grid.first[unit] + first + step * np.arange(BINS + 1)
        binned = BinnedUnit(np.ldexp(edges, self.grid.exponent[unit]), counts, first, int(step))
        joined = np.bincount(binned.bins(np.arange(CELLS)), counts, BINS)
        return BinnedUnit(binned.edges, joined.astype(np.int64), first, int(step))

    def quantiles(self, unit: int) -> Array:
        """Return the :data:`QUANTILES` of a unit, each the middle of its cell."""
        cells = _quantile_cells(self.counts[unit], QUANTILES)
        middle = np.ldexp(self.grid.first[unit] + cells + 0.5, self.grid.exponent[unit])
        values: Array = np.clip(middle, self.grid.low[unit], self.grid.high[unit])
        return values

    def contributions(self, unit: int, binned: BinnedUnit) -> Array:
        """Return x p(x) of every bin [18]: the sum of its values, divided by that of all values.

        Values count as the middle of their cells.
        """
        middle = np.ldexp(self.grid.first[unit] + np.arange(CELLS) + 0.5, self.grid.exponent[unit])
        sums = np.bincount(binned.bins(np.arange(CELLS)), self.counts[unit] * middle, BINS)
        return sums / max(1, int(self.counts[unit].sum()))

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        return {**self.grid.to_arrays(), "counts": self.counts, "positive": self.positive}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        self.grid.restore(arrays)
        self.counts, self.positive = arrays["counts"], arrays["positive"]


def regrouped(counts: Array, moved: Array) -> Array:
    """Return counts [R, cells, ...] in the new places [R, cells] of their cells.

    >>> regrouped(np.array([[1, 2, 4, 0]]), np.array([[0, 0, 1, 1]]))
    array([[3, 4, 0, 0]])
    """
    result = np.zeros_like(counts)
    rows = np.broadcast_to(np.arange(len(counts))[:, None], moved.shape)
    filled = counts.reshape(*moved.shape, -1).any(-1)  # an empty cell may lie out of range now
    np.add.at(result, (rows[filled], moved[filled]), counts[filled])
    return result


def _quantile_cells(counts: Array, shares: tuple[float, ...]) -> Array:
    """Return the first cells up to which at least these shares of the values lie."""
    below = np.cumsum(counts)
    wanted = np.maximum(np.ceil(np.array(shares) * below[-1]), 1)
    cells: Array = np.minimum(np.searchsorted(below, wanted), len(counts) - 1)
    return cells
