"""Running correlations against numpy's of all values at once."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.examples.statistics import comoments as module
from kerasviz.examples.statistics.comoments import Comoments


def sample(count: int = 700) -> np.ndarray:
    draw = np.random.default_rng(8)
    base = draw.normal(0, 1, (count, 3))
    mixed = base @ draw.normal(0, 1, (3, 6)) + draw.normal(0, 0.3, (count, 6))
    values = 1000 + 5 * np.concatenate([mixed, np.zeros((count, 1))], 1)  # far from 0; one constant
    return values.astype(np.float32)


def offered(values: np.ndarray, batch: int) -> Comoments:
    moments = Comoments(values.shape[1])
    for start in range(0, len(values), batch):
        moments.offer(values[start : start + batch])
    return moments


def test_correlations_means_and_deviations_are_numpys() -> None:
    values = sample()
    moments = offered(values, 33)
    moments.finish()
    exact = values.astype(np.float64)
    np.testing.assert_allclose(moments.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.deviation, exact.std(0), rtol=1e-9, atol=1e-9)
    found = moments.correlation()
    assert found is not None
    expected = np.corrcoef(exact[:, :6].T)
    np.testing.assert_allclose(found[:6, :6], expected, atol=1e-10)
    assert np.isnan(found[6]).all()
    near = moments.neighbours(3, 2)
    assert near is not None
    np.fill_diagonal(expected, -2)
    np.testing.assert_array_equal(near.near[:6], np.argsort(-expected, 1)[:, :3])
    np.fill_diagonal(expected, 2)
    np.testing.assert_array_equal(near.far[:6], np.argsort(expected, 1)[:, :2])
    np.testing.assert_allclose(near.far_correlation[0], np.sort(expected[0])[:2], atol=1e-6)
    assert near.near[6].tolist() == [-1, -1, -1]


def test_a_stop_changes_no_bit() -> None:
    values = sample()
    whole, again = offered(values, 50), Comoments(7)
    again.restore(offered(values[:350], 50).to_arrays())
    for start in range(350, 700, 50):
        again.offer(values[start : start + 50])
    for name, array in whole.to_arrays().items():
        np.testing.assert_array_equal(array, again.to_arrays()[name], name)


def test_few_units_and_few_values_have_no_neighbours() -> None:
    moments = offered(sample(1), 1)
    moments.finish()
    found = moments.neighbours(8, 4)
    assert found is not None
    assert found.near.shape == (7, 8)
    assert (found.near == -1).all()
    assert np.isnan(found.near_correlation).all()


def test_beyond_a_number_of_units_there_are_deviations_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_UNITS", 6)
    values = sample()
    moments = offered(values, 64)
    moments.finish()
    assert moments.neighbours(3, 2) is None
    np.testing.assert_allclose(moments.deviation, values.astype(np.float64).std(0), rtol=1e-9)
