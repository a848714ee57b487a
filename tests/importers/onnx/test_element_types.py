"""Numbers of one element type in another: ml_dtypes and onnx as the oracles."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from onnx import numpy_helper

from kerasviz.importers.onnx.element_types import converted, is_small_float, nearest

F = np.float32
FLOATS = [
    np.dtype(kind)
    for kind in (
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float8_e4m3fnuz,
        ml_dtypes.float8_e5m2,
        ml_dtypes.float8_e5m2fnuz,
        ml_dtypes.float4_e2m1fn,
    )
]
WHOLE = [np.dtype(k) for k in (ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2)]


def every_number(kind: Any) -> Any:
    """All finite numbers of a type, in order."""
    bits = ml_dtypes.finfo(kind).bits
    found = np.arange(2**bits, dtype=np.uint8).view(kind).astype(F)
    return np.unique(found[np.isfinite(found)])


def hard_numbers(kind: Any) -> Any:
    """Numbers of the type, those half way between two, and what lies next to them and beyond."""
    own = every_number(kind)
    half = (own[1:] + own[:-1]) / 2
    around = [np.nextafter(half, F(sign * np.inf)) for sign in (1, -1)]
    ends = np.array([1e6, -1e6, np.inf, -np.inf, 464, 248, 61440, own[-1] * 1.01], F)
    return np.concatenate([own, half, *around, ends]).astype(F)


@pytest.mark.parametrize("kind", FLOATS, ids=str)
@pytest.mark.parametrize("saturate", [True, False])
def test_the_nearest_number(kind: Any, saturate: bool) -> None:
    x = hard_numbers(kind)
    with np.errstate(all="ignore"):
        cast = numpy_helper.saturate_cast if saturate and kind != FLOATS[-1] else np.ndarray.astype
        expected = cast(x, kind).astype(F)
    np.testing.assert_array_equal(nearest(tf.constant(x), kind, saturate), expected)


def test_the_gradient_passes_the_rounding_and_stops_beyond_the_largest() -> None:
    x = tf.constant([[0.3, -448.0], [449.0, -1e6]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = nearest(x, FLOATS[0])
    np.testing.assert_array_equal(y, [[0.3125, -448], [448, -448]])
    np.testing.assert_array_equal(tape.gradient(y, x), [[1, 1], [0, 0]])
    assert np.isnan(nearest(tf.constant([np.nan]), FLOATS[0]).numpy()).all()


@pytest.mark.parametrize("kind", [*FLOATS, *WHOLE], ids=str)
def test_there_and_back_in_a_function(kind: Any) -> None:
    """Also where TensorFlow itself has no kernel of it."""
    numbers = every_number(kind) if is_small_float(kind) else np.arange(-8, 16).astype(kind)
    numbers = np.unique(numbers.astype(F))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.float32)])
    def there_and_back(x: Any) -> Any:
        whole = x if is_small_float(kind) else tf.cast(x, tf.int32)
        small = converted(whole, kind)
        assert small.dtype == tf.as_dtype(kind)
        return converted(small, np.dtype(F))

    np.testing.assert_array_equal(there_and_back(tf.constant(numbers)), numbers)
