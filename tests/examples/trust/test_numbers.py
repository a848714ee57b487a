"""Trust numbers against SciPy, numpy and cases whose answers are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from kerasviz.examples.trust.numbers import (
    NaturalValues,
    cross_cosine,
    mean_cosine,
    path_similarity,
    spectrum_slope,
    standard_ranks,
)


def test_agreement_is_1_for_equal_and_0_for_orthogonal_pictures() -> None:
    same = np.tile([1.0, -2.0, 0.5], (4, 1)) * np.array([[1], [2], [3], [4]])
    assert mean_cosine(same) == pytest.approx(1)
    assert mean_cosine(np.eye(5)) == pytest.approx(0)
    assert mean_cosine(np.ones((1, 3))) is None
    assert mean_cosine(np.array([[0.0, 0.0], [1.0, 0.0]])) is None


def test_agreement_is_the_mean_over_pairs() -> None:
    draw = np.random.default_rng(0)
    vectors, others = draw.normal(size=(5, 7)), draw.normal(size=(3, 7))

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    pairs = [cosine(a, b) for a, b in itertools.combinations(vectors, 2)]
    assert mean_cosine(vectors) == pytest.approx(np.mean(pairs))
    across = [cosine(a, b) for a in vectors for b in others]
    assert cross_cosine(vectors, others) == pytest.approx(np.mean(across))


@pytest.mark.parametrize("ties", [False, True])
def test_products_of_ranks_are_spearmans_correlation(ties: bool) -> None:
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(2, 301))
    if ties:  # as behind a ReLU
        a, b = np.maximum(a, 0), np.maximum(b, 0)
    wanted = stats.spearmanr(a, b).statistic
    assert float(standard_ranks(a) @ standard_ranks(b)) == pytest.approx(wanted, abs=1e-12)
    assert not standard_ranks(np.full(9, 3.0)).any()


def photos(pattern: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The ranks of photos of one class: a pattern of its own, with noise."""
    noise = np.random.default_rng(seed).normal(size=(count, len(pattern)))
    return np.stack([standard_ranks(pattern + 0.7 * n) for n in noise])


def test_a_photo_of_the_class_is_1_and_another_photo_0() -> None:
    draw = np.random.default_rng(2)
    common, mine, theirs = draw.normal(size=(3, 4000))
    same, other = photos(common + mine, 12, 3), photos(common + theirs, 12, 4)
    more, strange = photos(common + mine, 20, 5), photos(common + theirs, 20, 6)
    inside = [path_similarity(p, same, other) for p in more]
    outside = [path_similarity(p, same, other) for p in strange]
    assert np.mean([p.value for p in inside]) == pytest.approx(1, abs=0.03)
    assert np.mean([p.value for p in outside]) == pytest.approx(0, abs=0.03)
    assert inside[0].spread is not None and 0 < inside[0].spread < 0.1
    pairs = [stats.spearmanr(a, b).statistic for a, b in itertools.combinations(same, 2)]
    assert inside[0].r_same == pytest.approx(np.mean(pairs))


def test_no_similarity_without_a_scale() -> None:
    pattern = np.random.default_rng(7).normal(size=500)
    same, other = photos(pattern, 5, 8), photos(pattern, 5, 9)  # no class is to be seen
    found = path_similarity(same[0], same[1:], other)
    assert found.value is None and found.spread is None and abs(found.r_same - found.r_other) < 0.01
    theirs = photos(np.random.default_rng(10).normal(size=500), 5, 11)
    assert path_similarity(np.zeros(500), same, theirs).value is None


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("shape", [(128, 128), (97, 130)])
def test_the_slope_of_a_spectrum(exponent: float, shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(12)
    down, across = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1])
    radius = np.maximum(np.hypot(down[:, None], across), 1 / max(shape))
    slopes = []
    for _ in range(4):
        noise = np.fft.fft2(draw.normal(size=shape)) * radius**-exponent
        slopes.append(spectrum_slope(np.real(np.fft.ifft2(noise))[..., None]))
    assert np.mean(slopes) == pytest.approx(-exponent, abs=0.15)


def test_a_picture_without_a_spectrum() -> None:
    assert spectrum_slope(np.full((32, 32, 3), 0.5)) is None
    assert spectrum_slope(np.random.default_rng(0).uniform(size=(8, 40, 3))) is None


def test_natural_values_in_parts_are_those_at_once() -> None:
    draw = np.random.default_rng(13)
    activations = np.round(draw.normal(size=(53, 4)), 1)
    activations[:, 3] = 2.0  # a constant unit
    values = np.array([activations[7, 0], 10.0, -10.0, 5.0])
    parts = NaturalValues(values, 6)
    for first in range(0, 53, 9):
        numbers = np.arange(first, min(first + 9, 53))
        parts.add(numbers, activations[numbers])
    for row in range(3):
        column = activations[:, row]
        assert parts.ratio(row) == pytest.approx(values[row] / column.max())
        assert parts.average_ratio(row) == pytest.approx(column.mean() / column.max())
        wanted = stats.percentileofscore(column, values[row], kind="mean")
        assert parts.percentile(row) == pytest.approx(wanted)
        assert parts.best[row].tolist() == sorted(column, reverse=True)[:6]
        assert parts.numbers[row].tolist() == np.argsort(-column, kind="stable")[:6].tolist()
    assert parts.ratio(3) is None and parts.percentile(3) is None
    assert parts.average_ratio(3) is None


def test_a_unit_that_no_photo_excites_has_no_ratio() -> None:
    natural = NaturalValues(np.array([1.0]), 2)
    assert natural.percentile(0) is None  # no photo yet
    natural.add(np.arange(3), np.array([[-3.0], [-2.0], [-1.0]]))
    assert natural.ratio(0) is None and natural.average_ratio(0) is None
    assert natural.percentile(0) == 100
