"""Map the element types of ONNX, and convert numbers between them."""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from kerasviz.types import Tensor

_FLOAT8 = tuple(
    np.dtype(kind)
    for kind in (
        ml_dtypes.float8_e4m3fn,
        ml_dtypes.float8_e4m3fnuz,
        ml_dtypes.float8_e5m2,
        ml_dtypes.float8_e5m2fnuz,
    )
)
_FLOAT4 = np.dtype(ml_dtypes.float4_e2m1fn)
_INT4 = (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4))
_INT2 = (np.dtype(ml_dtypes.int2), np.dtype(ml_dtypes.uint2))
_TEXT = np.dtype(object)
#: Types that TensorFlow stores but mostly cannot convert on a CPU.
_SMALL = {*_FLOAT8, _FLOAT4, *_INT4, *_INT2}
#: The largest number of each small type that TensorFlow converts.
_LARGEST = {tf.as_dtype(_FLOAT8[0]): 448.0, tf.as_dtype(_FLOAT8[2]): 57344.0}


def numpy_type(code: Any) -> np.dtype[Any]:
    """Return the numpy type of an ONNX type code, a number or (below opset 6) a name."""
    if isinstance(code, str):
        code = onnx.TensorProto.DataType.Value(code)
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code))


def tensor_type(code: Any) -> tf.DType:
    """Return the TensorFlow type of an ONNX type code."""
    return tf.as_dtype(numpy_type(code))


def wide_float(dtype: tf.DType) -> tf.DType:
    """Return a type for sums over many entries: float32 for types of fewer than 32 bits."""
    return tf.float32 if dtype.size < 4 else dtype


def finite_root(x: Tensor, p: float = 2) -> Tensor:
    """Compute ``x^(1/p)`` of numbers from 0 on, with gradient 0 instead of infinity at 0."""
    if p == 1:
        return x
    some = x > 0
    inside = tf.where(some, x, tf.ones_like(x))
    return tf.where(some, tf.sqrt(inside) if p == 2 else inside ** (1 / p), x)


def type_of(tensor: Tensor) -> np.dtype[Any]:
    """Return the numpy type of a tensor's entries."""
    kind: np.dtype[Any] = np.dtype(tensor.dtype.as_numpy_dtype)
    return kind


def is_small_float(kind: np.dtype[Any]) -> bool:
    """Return whether a type is a float of 8 or 4 bits."""
    return kind == _FLOAT4 or kind in _FLOAT8


def converted(x: Tensor, target: np.dtype[Any], saturate: bool = True) -> Tensor:
    """Return the same numbers in another type, differentiable between the usual float types.

    With ``saturate`` a number beyond the range of an 8-bit float becomes the largest one.
    """
    source = type_of(x)
    if source == target:
        return tf.identity(x)
    if _TEXT in (source, target) or not _SMALL.isdisjoint((source, target)):
        known = x.numpy() if hasattr(x, "numpy") else tf.get_static_value(x)
        if known is not None:
            return tf.constant(_by_numpy(np.asarray(known), target, saturate))
        return _in_graph(x, target, saturate)
    return tf.cast(x, tf.as_dtype(target))


def _by_numpy(array: Any, target: np.dtype[Any], saturate: bool) -> Any:
    if array.dtype == _TEXT:
        texts = [t.decode() if isinstance(t, bytes) else str(t) for t in array.reshape(-1)]
        return np.array([float(text) for text in texts]).reshape(array.shape).astype(target)
    if target == _TEXT:
        return array.astype(np.str_).astype(object)
    if saturate and target in _FLOAT8:
        return numpy_helper.saturate_cast(array, target)
    with np.errstate(all="ignore"):
        return array.astype(target)


def _in_graph(x: Tensor, target: np.dtype[Any], saturate: bool) -> Tensor:
    """Convert by operations of TensorFlow where it has them, else by numpy during the run."""
    if target == _TEXT:
        return tf.strings.as_string(x, shortest=x.dtype.is_floating)
    if x.dtype == tf.string:
        return tf.cast(tf.strings.to_number(x, tf.float64), tf.as_dtype(target))
    dtype = tf.as_dtype(target)
    if dtype in _LARGEST and x.dtype.is_floating:
        wide = tf.cast(x, tf.float32)
        if saturate:
            wide = tf.clip_by_value(wide, -_LARGEST[dtype], _LARGEST[dtype])
        return tf.cast(wide, dtype)
    if x.dtype in _LARGEST and target not in _SMALL:
        return tf.cast(tf.cast(x, tf.float32), dtype)
    if target in _INT4 and x.dtype in (tf.int32, tf.int8, tf.uint8):
        return tf.cast(x, dtype)
    if type_of(x) in _INT4 and target not in _SMALL:
        return tf.cast(tf.cast(x, tf.int32), dtype)
    y = tf.numpy_function(
        lambda array: _by_numpy(array, target, saturate), [x], dtype, stateful=False
    )
    return tf.ensure_shape(y, x.shape)


def nearest(x: Tensor, kind: np.dtype[Any], saturate: bool = True) -> Tensor:
    """Round to the nearest numbers of a small float type, in float32; ties go to the even code.

    The gradient passes the rounding unchanged. It is 0 where a number is too large and becomes the
    largest (with ``saturate``), infinite or NaN.
    """
    table = _table(kind)
    largest = float(table.numbers[-1])

    def rounded(wide: Tensor) -> Any:
        place = tf.searchsorted(table.bounds, tf.reshape(wide, [-1]))
        y = tf.reshape(tf.gather(table.numbers, place), tf.shape(wide))
        if not saturate and not np.isnan(table.beyond):
            y = tf.where(tf.abs(wide) > table.limit, tf.sign(wide) * table.beyond, y)
        elif not saturate:
            y = tf.where(tf.abs(wide) > table.limit, table.beyond, y)
        y = tf.ensure_shape(tf.where(tf.math.is_nan(wide), wide, y), wide.shape)
        inside = tf.cast(tf.abs(wide) <= largest, wide.dtype)
        return y, lambda upstream: upstream * inside

    return tf.custom_gradient(rounded)(tf.cast(x, tf.float32))


class _Table:
    """List the finite numbers of a small float type in order, and the bounds of their rounding.

    A number x is rounded to the entry whose index is the number of ``bounds`` below x. Beyond
    ``limit`` it becomes ``beyond``.
    """

    def __init__(self, kind: np.dtype[Any]):
        bits = 4 if kind == _FLOAT4 else 8
        codes = np.arange(2**bits, dtype=np.uint8)
        values = codes.view(kind).astype(np.float32)
        kept = np.isfinite(values) & ~(np.signbit(values) & (values == 0))
        order = np.argsort(values[kept])
        self.numbers, odd = values[kept][order], codes[kept][order] % 2 == 1
        middle = (self.numbers[1:] + self.numbers[:-1]) / 2
        down = np.nextafter(middle, np.float32(-np.inf))
        self.bounds = np.where(odd[:-1], down, middle)  # ties to even
        last = self.numbers[-1]
        limit = last + (last - self.numbers[-2]) / 2
        self.limit = np.nextafter(limit, np.float32(0)) if odd[-1] else limit
        self.beyond = np.float32(np.inf if np.isinf(values).any() else np.nan)
        if kind == _FLOAT4:  # it has neither infinity nor NaN
            self.limit, self.beyond = np.float32(np.inf), np.float32(last)


@cache
def _table(kind: np.dtype[Any]) -> _Table:
    return _Table(kind)
