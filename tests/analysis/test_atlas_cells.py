"""Cells: counts, means against a loop, the points that are typical of a cell."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis import atlas_cells
from kerasviz.analysis.atlas_cells import cell_means, find_cells, typical_points

DRAW = np.random.default_rng(0)
PLACES = DRAW.random((300, 2))
VALUES = DRAW.normal(size=(300, 5)).astype(np.float32)


def by_loop(grid: int) -> dict[tuple[int, int], list[int]]:
    cells: dict[tuple[int, int], list[int]] = {}
    for point, (x, y) in enumerate(PLACES):
        place = min(int(y * grid), grid - 1), min(int(x * grid), grid - 1)
        cells.setdefault(place, []).append(point)
    return cells


@pytest.mark.parametrize("grid", [1, 3, 7])
def test_cells_have_the_points_that_lie_in_them(grid, monkeypatch):
    monkeypatch.setattr(atlas_cells, "ROWS", 20)
    cells = find_cells(PLACES, grid, 4)
    expected = {place: points for place, points in by_loop(grid).items() if len(points) > 4}
    found = {
        (int(cells.rows[k]), int(cells.columns[k])): cells.members(k).tolist()
        for k in range(len(cells))
    }
    assert found == expected
    assert cells.counts.sum() == len(cells.points) == sum(map(len, expected.values()))
    means = cell_means(VALUES, cells)
    for k in range(len(cells)):
        np.testing.assert_allclose(means[k], VALUES[cells.members(k)].mean(0), atol=1e-6)


def test_the_border_belongs_to_the_last_cell():
    cells = find_cells(np.array([[1.0, 1.0], [0.0, 1.0]]), 4, 0)
    assert cells.numbers.tolist() == [12, 15]


def test_a_grid_without_enough_points_has_no_cells():
    cells = find_cells(PLACES, 50, 300)
    assert len(cells) == 0 and cell_means(VALUES, cells).shape == (0, 5)


def test_typical_points_are_of_different_photos():
    places = np.full((6, 2), 0.5)
    values = np.array([[1.0, 0], [1, 0.01], [1, 0.1], [1, 0.3], [0, 1], [1, -0.2]])
    cells = find_cells(places, 1, 0)
    means = np.array([[1.0, 0.0]])
    photos = np.array([7, 7, 8, 8, 9, 5])
    assert typical_points(values, photos, cells, means, 3) == [[0, 2, 5]]
    assert typical_points(values, photos, cells, means, 9) == [[0, 2, 5, 4]]
