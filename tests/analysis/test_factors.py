"""Factors of weights: planted ones are found, with their signs."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.factors import (
    UnitFactors,
    band_score,
    factorize_family,
    factorize_unit,
    in_matched_order,
)
from kerasviz.errors import UsageError

DRAW = np.random.default_rng(7)
PATTERNS = np.zeros((5, 7, 2))
PATTERNS[:2, :, 0] = DRAW.uniform(0.5, 1, (2, 7))
PATTERNS[3:, 2:, 1] = DRAW.uniform(0.5, 1, (2, 5))
DIRECTIONS = DRAW.normal(size=(2, 9))


def cosine(a, b):
    return a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b)


def test_planted_factors_of_one_unit():
    weights = PATTERNS @ DIRECTIONS + DRAW.normal(0, 0.01, (5, 7, 9))
    found = factorize_unit(weights, 2)
    for k in range(2):  # each planted one is one of those found
        n = int(np.argmax([cosine(DIRECTIONS[k], found.directions[m]) for m in range(2)]))
        assert cosine(found.directions[n], DIRECTIONS[k]) > 0.95
        assert cosine(found.patterns[..., n], PATTERNS[..., k]) > 0.95
    assert found.explained > 0.98
    assert found.patterns.min() >= 0 and found.patterns.max() == 1


def test_planted_factors_of_a_family_have_their_signs():
    """W = s1 x c1 - s2 x c2, the other way round in the second unit."""
    one, two = np.array([1.0, 0, 2, 0.5, 0]), np.array([0, 3.0, 0, 0.2, 1])
    first, second = PATTERNS[..., 0, None] * one, PATTERNS[..., 1, None] * two
    found = factorize_family(np.stack([first - second, second - first, 2 * first]), 2)
    n = int(np.argmax([cosine(d, one) for d in found.directions]))
    for k, direction, pattern in ((n, one, PATTERNS[..., 0]), (1 - n, two, -PATTERNS[..., 1])):
        assert cosine(found.directions[k], direction) > 0.95
        assert cosine(found.patterns[0, ..., k], pattern) > 0.95
        assert cosine(found.patterns[1, ..., k], -pattern) > 0.95
    assert cosine(found.patterns[2, ..., n], PATTERNS[..., 0]) > 0.95
    assert abs(found.patterns[2, ..., 1 - n]).max() < 0.1


def test_the_same_seed_gives_the_same_factors():
    weights = DRAW.normal(size=(3, 3, 8))
    one, other = factorize_unit(weights, 3, seed=4), factorize_unit(weights, 3, seed=4)
    np.testing.assert_array_equal(one.patterns, other.patterns)
    np.testing.assert_array_equal(one.directions, other.directions)


def test_alike_factors_get_the_same_number():
    base = np.eye(3, 6) + 0.05
    units = []
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        units.append(UnitFactors(np.eye(3)[None, :, order], base[order], 1.0))
    for unit in in_matched_order(units):
        np.testing.assert_array_equal(unit.directions, base)
        np.testing.assert_array_equal(unit.patterns, units[0].patterns)
    assert in_matched_order([]) == []


def test_band_scores():
    rows, columns = np.arange(5.0)[:, None, None], np.arange(4.0)[None, :, None]
    assert band_score(np.broadcast_to(rows, (5, 4, 1))) == pytest.approx(1)
    assert band_score(np.broadcast_to(columns, (5, 4, 1))) == pytest.approx(0)
    assert band_score(np.ones((5, 4, 3))) == 0
    assert 0.05 < band_score(DRAW.normal(size=(7, 7, 3))) < 0.5


def test_errors_name_what_is_wrong():
    with pytest.raises(UsageError, match="factors 3: these weights have 1 to 2"):
        factorize_unit(np.ones((1, 2, 4)), 3)
    with pytest.raises(UsageError, match="all weights are 0"):
        factorize_unit(np.zeros((2, 2, 4)), 2)
