"""Measures on images whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from figure_measures import distances, energy_map, gram_cosines, surround_share


def test_the_surround_counts_by_area() -> None:
    flat = np.random.default_rng(0).normal(0.5, 0.1, (1, 40, 60, 3))
    assert surround_share(flat) == pytest.approx([0.5], abs=0.03)
    centre = np.full((1, 41, 61, 3), 0.4)
    centre[:, 15:26, 20:41] += flat[:, :11, :21]
    assert surround_share(centre) == pytest.approx([0], abs=1e-12)
    corner = np.full((1, 41, 61, 3), 0.4)
    corner[:, :5, :5] = 1
    assert surround_share(corner) == pytest.approx([1], abs=1e-12)


def test_energy_is_the_squared_distance_from_the_median_colour() -> None:
    image = np.zeros((1, 3, 3, 2))
    image[0, 1, 1] = (3, 4)
    expected = np.zeros((1, 3, 3))
    expected[0, 1, 1] = 25
    np.testing.assert_array_equal(energy_map(image + 7), expected)


def test_distances_and_cosines_agree_with_loops() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(3, 4, 5, 6)).astype(np.float32)
    apart, cosines = distances(a), gram_cosines(a)
    for i in range(3):
        for j in range(3):
            assert apart[i, j] == pytest.approx(np.sqrt(np.mean((a[i] - a[j]) ** 2)), abs=1e-6)
            grams = [
                sum(np.outer(v, v) for v in a[k].reshape(-1, 6).astype(np.float64)).ravel()
                for k in (i, j)
            ]
            expected = grams[0] @ grams[1] / np.sqrt((grams[0] ** 2).sum() * (grams[1] ** 2).sum())
            assert cosines[i, j] == pytest.approx(expected)
