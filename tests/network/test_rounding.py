"""Rounding against errors, on numbers that are rounded by numpy itself."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from kerasviz.network.rounding import Exact, is_rounding, same_numbers

EXACT = np.random.default_rng(0).normal(size=(4, 500)) * np.array([[1e-3], [1], [30], [1e3]])
HALVES = [np.float16, ml_dtypes.bfloat16]


def exact(value: Any, size: Any = None) -> Exact:
    return Exact(value, np.abs(value) if size is None else size)


@pytest.mark.parametrize("dtype", [*HALVES, np.float32])
def test_rounded_numbers_are_right(dtype: Any) -> None:
    assert is_rounding(EXACT.astype(dtype), exact(EXACT), 1e-4)


@pytest.mark.parametrize(("dtype", "error"), [(np.float16, 1e-3), (ml_dtypes.bfloat16, 8e-3)])
def test_an_error_of_one_spacing_is_wrong_in_numbers_of_16_bits(dtype: Any, error: float) -> None:
    assert not is_rounding((EXACT * (1 + error)).astype(dtype), exact(EXACT), 1e-4)
    assert not same_numbers((EXACT * (1 + error)).astype(dtype), EXACT.astype(dtype))


@pytest.mark.parametrize("dtype", HALVES)
def test_few_numbers_may_be_the_next_one(dtype: Any) -> None:
    theirs = EXACT.astype(dtype)
    ours = theirs.copy()
    ours[1, :10] = np.nextafter(theirs[1, :10], np.array(np.inf, dtype))
    assert same_numbers(ours, theirs)
    ours[1] = np.nextafter(theirs[1], np.array(np.inf, dtype))
    ours[2] = np.nextafter(theirs[2], np.array(np.inf, dtype))
    assert not same_numbers(ours, theirs)


@pytest.mark.parametrize("dtype", [*HALVES, np.float32])
def test_one_wrong_channel_is_seen(dtype: Any) -> None:
    ours = EXACT.copy()
    ours[1] += 0.05
    assert not is_rounding(ours.astype(dtype), exact(EXACT), 1e-5)


def test_numbers_beyond_the_type_are_infinite() -> None:
    large = np.array([1.0, 1e6, -1e6])
    assert is_rounding(np.array([1, np.inf, -np.inf], np.float16), exact(large), 1e-4)
    assert not is_rounding(np.array([1, np.inf, np.inf], np.float16), exact(large), 1e-4)
    assert not is_rounding(np.array([1, np.nan, -np.inf], np.float16), exact(large), 1e-4)


def test_sums_may_differ_by_the_rounding_of_what_was_added() -> None:
    """The mean of numbers that cancel is rounding; one that is too large is not."""
    rows = np.random.default_rng(1).normal(size=(8, 1000)).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    value, size = rows.astype(np.float64).mean(1), np.abs(rows).astype(np.float64).mean(1)
    ours = np.array([sum(row[::-1]) / 1000 for row in rows], np.float32)
    assert np.abs(ours - value).max() > 1e-3 * np.abs(value).max()
    assert is_rounding(ours, exact(value, size), 1e-4)
    assert not is_rounding(ours, exact(value), 1e-4)
    assert not is_rounding(ours + np.float32(1e-5), exact(value, size), 1e-4)


def test_codes_may_be_the_next_one_rarely() -> None:
    codes = np.random.default_rng(2).integers(-128, 127, 5000).astype(np.int8)
    ours = codes.copy()
    ours[:5] += 1
    assert same_numbers(ours, codes)
    assert is_rounding(ours, exact(codes), 1e-4)
    ours[:60] = codes[:60] + 1
    assert not same_numbers(ours, codes)
    ours = codes.copy()
    ours[0] = codes[0] + 2 if codes[0] < 100 else codes[0] - 2
    assert not same_numbers(ours, codes)


def test_other_whole_numbers_are_the_same_or_not() -> None:
    places = np.arange(5000)
    assert same_numbers(places, places.copy())
    assert not same_numbers(places + (places == 7), places)


def test_shapes_have_to_be_the_same() -> None:
    assert not is_rounding(np.zeros((1, 3), np.float32), exact(np.zeros(3)), 1e-4)
