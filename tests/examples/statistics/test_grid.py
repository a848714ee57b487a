"""The cells of units: exact edges, and no dependence on the order of values."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.examples.statistics.grid import Grid


def seen(grid: Grid, values: np.ndarray, batch: int) -> Grid:
    for start in range(0, len(values), batch):
        grid.widen(values[start : start + batch])
    return grid


@pytest.mark.parametrize("scale", [1e-30, 0.003, 1.0, 7e6])
def test_cells_hold_all_values_in_the_narrowest_power_of_two(scale: float) -> None:
    draw = np.random.default_rng(3)
    values = (scale * draw.normal([0, -40, 5], [1, 3, 0.01], (300, 3))).astype(np.float32)
    grid = seen(Grid(3, 32), values, 7)
    numbers = grid.numbers(values)
    assert numbers.min() == 0
    assert numbers.max() < 32
    low = np.ldexp(numbers + grid.first, grid.exponent)
    assert (low <= values).all()
    assert (values < low + grid.width).all()
    half = np.floor(values / (grid.width / 2))
    assert (half.max(0) - half.min(0) >= 32).all()  # no narrower cells would do


def test_the_order_of_values_does_not_matter() -> None:
    values = np.random.default_rng(0).standard_cauchy((200, 4)).astype(np.float32)
    one, other = seen(Grid(4, 64), values, 1), seen(Grid(4, 64), values[::-1], 50)
    for name, array in one.to_arrays().items():
        np.testing.assert_array_equal(array, other.to_arrays()[name], name)


def test_old_cells_lie_whole_in_new_ones() -> None:
    draw = np.random.default_rng(1)
    grid = Grid(2, 16)
    old = draw.normal(0, 1, (50, 2))
    grid.widen(old)
    before = grid.numbers(old)
    change = grid.widen(draw.normal(9, 30, (50, 2)))
    assert change.rows.tolist() == [0, 1]
    moved = change.moved(16)
    for unit in range(2):
        np.testing.assert_array_equal(
            moved[unit][before[:, unit]], grid.numbers(old)[:, unit], str(unit)
        )


def test_constant_units_have_a_cell_too() -> None:
    grid = seen(Grid(3, 8), np.tile(np.array([[0.0, -3.5, 1e-20]]), (4, 1)), 2)
    assert (grid.numbers(np.array([[0.0, -3.5, 1e-20]])) == 0).all()
    grid.widen(np.array([[1.0, -3.5, 0.0]]))
    assert grid.numbers(np.array([[0.0, -3.5, 0.0]])).tolist() == [[0, 0, 0]]
