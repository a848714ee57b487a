"""The most active units of positions, and coarse maps."""

from __future__ import annotations

import numpy as np

from kerasviz.analysis.layer_view import coarse, view_layer

LAYER = np.random.default_rng(0).normal(size=(5, 7, 6))


def test_units_of_every_position_by_activation():
    found = view_layer("layer", LAYER, 3)
    for y, x in np.ndindex(5, 7):
        order = sorted(range(6), key=lambda unit: -LAYER[y, x, unit])[:3]
        assert found.units[y, x].tolist() == order
        np.testing.assert_array_equal(found.values[y, x], LAYER[y, x, order])
    norms = np.sqrt((LAYER**2).sum(-1))
    np.testing.assert_allclose(found.sides, norms / norms.max())


def test_nothing_wins_where_nothing_is_active():
    found = view_layer("layer", np.array([[[-1.0, -2.0], [0.0, 0.0], [1.0, 3.0], [4.0, 5.0]]]))
    assert found.winners.tolist() == [[-1, -1, 1, 1]] and found.frequent() == [1]


def test_cells_hold_the_largest_of_their_positions():
    cells = coarse(LAYER, 3)
    assert cells.shape == (3, 3, 6)
    rows, columns = np.linspace(0, 5, 4).astype(int), np.linspace(0, 7, 4).astype(int)
    for i, j in np.ndindex(3, 3):
        cell = LAYER[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        np.testing.assert_array_equal(cells[i, j], cell.max((0, 1)))
    np.testing.assert_array_equal(coarse(LAYER, 9), LAYER)
