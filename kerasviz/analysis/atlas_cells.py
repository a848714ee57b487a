"""Cut a layout of activations into cells of a grid, and average those of each cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasviz.analysis.whitening import unit_length
from kerasviz.types import Array

#: Rows of activations that are in memory as float64 at once, but for larger cells.
ROWS = 8192


@dataclass(frozen=True, eq=False)
class AtlasCells:
    """Hold the cells of a grid that have enough points, row by row.

    Args:
        grid: The number of cells along each side.
        numbers: [M] The number of each cell: row times ``grid`` plus column, ascending.
        points: [K] The points in these cells, cell by cell, ascending in each.
        starts: [M + 1] Where those of each cell start in ``points``.
    """

    grid: int
    numbers: Array
    points: Array
    starts: Array

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def counts(self) -> Array:
        """The number of points of each cell, [M]."""
        return np.diff(self.starts)

    @property
    def rows(self) -> Array:
        """The row of each cell, [M]."""
        return self.numbers // self.grid

    @property
    def columns(self) -> Array:
        """The column of each cell, [M]."""
        return self.numbers % self.grid

    def members(self, cell: int) -> Array:
        """Return the points of a cell, by its place in ``numbers``."""
        return self.points[self.starts[cell] : self.starts[cell + 1]]


def find_cells(places: Array, grid: int, least: int) -> AtlasCells:
    """Find the cells of a grid with more than ``least`` points.

    Args:
        places: [N, 2] (x, y) in [0, 1]; y grows downwards.
        grid: The number of cells along each side.
        least: Cells with as many points or fewer are left out.

    Example:
        >>> places = np.array([[0.1, 0.1], [0.2, 0.2], [0.9, 0.1], [1.0, 1.0]])
        >>> cells = find_cells(places, 2, 1)
        >>> cells.numbers.tolist(), cells.counts.tolist(), cells.members(0).tolist()
        ([0], [2], [0, 1])
    """
    columns, rows = np.minimum((np.asarray(places) * grid).astype(np.int64), grid - 1).T
    numbers = rows * grid + columns
    counts = np.bincount(numbers, minlength=grid * grid)
    (kept,) = np.nonzero(counts > least)
    order = np.argsort(numbers, kind="stable")
    points = order[counts[numbers[order]] > least]
    starts = np.concatenate([[0], np.cumsum(counts[kept])])
    return AtlasCells(grid, kept, points, starts)


def cell_means(values: Array, cells: AtlasCells) -> Array:
    """Average the rows of values [N, C] over each cell: [M, C] float64.

    Only some cells are in memory at once, so that the values may be a file on disk.
    """
    means = np.empty((len(cells), values.shape[1]))
    first = 0
    while first < len(cells):
        end = int(np.searchsorted(cells.starts, cells.starts[first] + ROWS, "right")) - 1
        end = max(end, first + 1)
        points = cells.points[cells.starts[first] : cells.starts[end]]
        part = np.asarray(values[points], np.float64)
        starts = cells.starts[first:end] - cells.starts[first]
        means[first:end] = np.add.reduceat(part, starts, axis=0)
        first = end
    return means / cells.counts[:, None]


def typical_points(
    values: Array, photos: Array, cells: AtlasCells, means: Array, count: int
) -> list[list[int]]:
    """Find the points of each cell that are most alike its mean, by the cosine.

    ``photos`` [N] has the photo of each point: of one photo only one point is taken.
    """
    directions = unit_length(means)
    found = []
    for cell in range(len(cells)):
        members = cells.members(cell)
        likeness = unit_length(np.asarray(values[members], np.float64)) @ directions[cell]
        chosen: dict[int, int] = {}
        for k in np.argsort(-likeness, kind="stable"):
            if len(chosen) == count:
                break
            chosen.setdefault(int(photos[members[k]]), int(members[k]))
        found.append(list(chosen.values()))
    return found
