"""Tell rounding from errors: two results of one operation, or a result and its float64 value.

What rounding may do follows from the type. Numbers of 16 bits are compared in units of their
spacing, quantized codes by how many differ, and sums by the size of what was added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from kerasviz.types import Array

#: Knows bfloat16 and the types of 8 bits too, but has no types itself.
_finfo: Any = ml_dtypes.finfo

#: Root mean square of rounding to 16 bits, in units of ``eps * |x|``: one rounding has about 0.2,
#: an error of 1e-3 in float16 has 1.
RMS = 0.6
#: The largest single error in the same units: a few roundings, each of half a spacing.
LARGEST = 4.0
#: The same for two results, which may differ where a number lies between two others only.
RMS_OF_TWO = 0.3
LARGEST_OF_TWO = 2.0
#: Error of a sum in float32, in units of ``eps`` times the sum of the absolute values.
SUM = 32.0
#: Share of quantized codes that may be the next one, because a number lay between two.
CODES = 1e-3


@dataclass(frozen=True)
class Exact:
    """Hold the float64 value of an operation on the inputs of this network.

    ``size`` is the sum of the absolute values that were added up for each entry.
    """

    value: Array
    size: Array


def eps(dtype: Any) -> float | None:
    """Return the spacing of a floating type at 1, ``None`` for other types.

    >>> eps(np.float16), eps(ml_dtypes.bfloat16), eps(np.int8)
    (0.0009765625, 0.0078125, None)
    """
    try:
        return float(_finfo(dtype).eps)
    except ValueError:
        return None


def is_short(dtype: Any) -> bool:
    """Return whether a type is floating with 16 bits or fewer."""
    spacing = eps(dtype)
    return spacing is not None and spacing > 1e-5


def same_numbers(ours: Array, theirs: Array) -> bool:
    """Return whether two arrays of 16 bits, or of whole numbers, differ by rounding only."""
    if is_short(theirs.dtype):
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        return _are_near(a, b, theirs.dtype, 0.0, (RMS_OF_TWO, LARGEST_OF_TWO))
    return _same_codes(ours, theirs)


def is_rounding(ours: Array, exact: Exact, tolerance: float) -> bool:
    """Return whether a result is its float64 value up to the rounding of its type."""
    if ours.shape != exact.value.shape:
        return False
    if eps(ours.dtype) is None:
        return _same_codes(ours, exact.value)
    a, b = ours.astype(np.float64), exact.value.astype(np.float64)
    floor = SUM * np.finfo(np.float32).eps * exact.size
    if is_short(ours.dtype):
        return _are_near(a, b, ours.dtype, floor, (RMS, LARGEST))
    if not _same_special(a, b):
        return False
    finite = np.isfinite(b)
    largest = np.abs(b[finite]).max(initial=0.0)
    excess = _gaps(a, b, finite) - floor
    return bool((excess <= tolerance * largest).all())


def _are_near(a: Array, b: Array, dtype: Any, floor: Any, limits: tuple[float, float]) -> bool:
    """Compare in units of the spacing; ``limits`` are of the root mean square and the largest."""
    info = _finfo(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        b = np.where(np.abs(b) > float(info.max), np.sign(b) * np.inf, b)
    if not _same_special(a, b):
        return False
    finite = np.isfinite(b)
    unit = float(info.eps) * np.maximum(np.abs(b), float(info.tiny))
    gap = np.maximum(_gaps(a, b, finite) - floor, 0.0)
    errors = (gap / np.where(finite, unit, 1.0))[finite]
    if not errors.size:
        return True
    return bool(np.sqrt(np.mean(errors**2)) <= limits[0] and errors.max() <= limits[1])


def _gaps(a: Array, b: Array, finite: Array) -> Array:
    """Return the differences, 0 where the numbers are not finite."""
    gaps: Array = np.abs(np.where(finite, a, 0.0) - np.where(finite, b, 0.0))
    return gaps


def _same_special(a: Array, b: Array) -> bool:
    finite = np.isfinite(b)
    same = np.array_equal(finite, np.isfinite(a))
    return same and np.array_equal(a[~finite], b[~finite], equal_nan=True)


def _same_codes(ours: Array, theirs: Array) -> bool:
    """Compare whole numbers, of which those of 8 bits are quantized codes."""
    if ours.dtype.kind not in "iu" or ours.dtype.itemsize > 1:
        return bool(np.array_equal(ours, theirs))
    gaps = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
    return bool(gaps.max(initial=0) <= 1 and gaps.sum() <= max(1.0, CODES * gaps.size))
