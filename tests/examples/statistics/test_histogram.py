"""Histograms and the bins of spectra against numpy."""

from __future__ import annotations

import numpy as np

from kerasviz.examples.statistics.histogram import BINS, CELLS, QUANTILES, TAIL, Histogram


def offered(values: np.ndarray, batch: int) -> Histogram:
    histogram = Histogram(values.shape[1])
    for start in range(0, len(values), batch):
        histogram.offer(values[start : start + batch])
    return histogram


def sample(count: int = 3000) -> np.ndarray:
    draw = np.random.default_rng(5)
    columns = [draw.normal(-2, 1, count), draw.exponential(30, count), draw.standard_cauchy(count)]
    return np.stack([*columns, np.full(count, 4.0)], 1).astype(np.float32)


def test_counts_are_those_of_numpy_and_sum_to_the_number_of_values() -> None:
    values = sample()
    histogram = offered(values, 77)
    for unit in range(4):
        binned = histogram.binned(unit)
        inner = binned.edges[1:-1]
        expected = np.bincount(np.searchsorted(inner, values[:, unit], "right"), minlength=BINS)
        np.testing.assert_array_equal(binned.counts, expected)
        assert binned.counts.sum() == len(values)
        np.testing.assert_allclose(np.diff(binned.edges), np.diff(binned.edges)[0], rtol=1e-12)
    assert histogram.positive.tolist() == (values > 0).sum(0).tolist()


def test_bins_reach_from_one_percentile_to_the_other() -> None:
    values = sample(40_000)
    histogram = offered(values, 999)
    for unit in range(3):
        edges = histogram.binned(unit).edges
        low, high = np.quantile(values[:, unit], (TAIL, 1 - TAIL), method="inverted_cdf")
        cell = histogram.grid.width[unit]
        assert low - 19 * cell <= edges[0] <= low
        assert high <= edges[-1] <= high + 19 * cell
        exact = np.quantile(values[:, unit], QUANTILES, method="inverted_cdf")
        np.testing.assert_allclose(histogram.quantiles(unit), exact, atol=2 * cell)
    assert histogram.quantiles(3).tolist() == [4.0] * 5


def test_contributions_sum_to_the_mean() -> None:
    values = sample()
    histogram = offered(values, 100)
    for unit in range(2):
        binned = histogram.binned(unit)
        parts = histogram.contributions(unit, binned)
        number = np.clip(np.searchsorted(binned.edges, values[:, unit], "right") - 1, 0, BINS - 1)
        sums = np.bincount(number, values[:, unit].astype(np.float64), BINS) / len(values)
        np.testing.assert_allclose(parts, sums, atol=histogram.grid.width[unit])


def test_order_and_batches_do_not_matter_and_the_state_is_whole() -> None:
    values = sample()
    one, other = offered(values, 1000), offered(values[::-1], 13)
    for name, array in one.to_arrays().items():
        np.testing.assert_array_equal(array, other.to_arrays()[name], name)
    again = Histogram(4)
    again.restore(offered(values[:1100], 100).to_arrays())
    again.offer(values[1100:])
    np.testing.assert_array_equal(again.counts, one.counts)
    assert one.counts.shape == (4, CELLS)
