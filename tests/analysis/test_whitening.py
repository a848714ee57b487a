"""Whitening: nothing to do for white data, the inverse of the moment for others."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.whitening import second_moment, unit_length, whitened
from kerasviz.errors import UsageError

DRAW = np.random.default_rng(0)


def white(count: int, channels: int) -> np.ndarray:
    """Values whose second moment is the identity."""
    values, _ = np.linalg.qr(DRAW.normal(size=(count, channels)))
    return values * np.sqrt(count)


def test_white_data_stay_as_they_are():
    values = white(50, 7)
    moment = second_moment(values)
    np.testing.assert_allclose(moment, np.eye(7), atol=1e-12)
    np.testing.assert_allclose(whitened(values, moment), values, atol=1e-5)


def test_the_moment_is_the_same_in_parts(monkeypatch):
    values = DRAW.normal(size=(23, 5)).astype(np.float32)
    expected = values.astype(float).T @ values / 23
    monkeypatch.setattr("kerasviz.analysis.whitening.ROWS", 4)
    np.testing.assert_allclose(second_moment(values), expected, rtol=1e-6)


def test_directions_are_multiplied_by_the_inverse():
    values = DRAW.normal(size=(400, 6)) @ DRAW.normal(size=(6, 6))
    moment, vectors = second_moment(values), DRAW.normal(size=(3, 6))
    expected = vectors @ np.linalg.inv(moment)
    np.testing.assert_allclose(whitened(vectors, moment), expected, rtol=1e-3)


def test_a_channel_that_is_always_0_stays_0():
    values = DRAW.normal(size=(40, 4))
    values[:, 2] = 0
    found = whitened(values[:3], second_moment(values))
    assert np.isfinite(found).all() and not found[:, 2].any()


def test_nothing_but_zeros():
    with pytest.raises(UsageError, match="all activations are 0"):
        whitened(np.ones((1, 3)), np.zeros((3, 3)))


def test_unit_length_keeps_rows_of_zeros():
    found = unit_length(np.array([[0.0, 0], [2, 0], [1, -1]]))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [0, 1, 1])
