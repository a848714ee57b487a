"""Casts between the element types of ONNX."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from kerasviz.importers.onnx.layout import DataDependent, Laid
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator

__all__ = ["converted", "numpy_type"]

Tensor = Any

#: Types that TensorFlow stores but, on a CPU, does not convert: numpy does it where it is known.
_FLOAT8 = (
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e4m3fnuz,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float8_e5m2fnuz,
)
_TEXT = np.dtype(object)
_SMALL = {
    np.dtype(kind)
    for kind in (
        *_FLOAT8,
        ml_dtypes.int4,
        ml_dtypes.uint4,
        ml_dtypes.int2,
        ml_dtypes.uint2,
        ml_dtypes.float4_e2m1fn,
    )
}


def numpy_type(code: Any) -> np.dtype[Any]:
    """The type of an ONNX code, a number or (below opset 6) its name."""
    if isinstance(code, str):
        code = onnx.TensorProto.DataType.Value(code)
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code))


def converted(x: Tensor, target: np.dtype[Any], saturate: bool = True) -> Tensor:
    """The same numbers in another type, differentiable between the usual float types.

    With ``saturate`` what is too large for an 8-bit float becomes the largest; small types are
    converted where the value is known, not inside a compiled function.
    """
    source = np.dtype(x.dtype.as_numpy_dtype)
    if source == target:
        return tf.identity(x)
    if _TEXT in (source, target) or not _SMALL.isdisjoint((source, target)):
        return _by_numpy(x, target, saturate)
    return tf.cast(x, tf.as_dtype(target))


def _by_numpy(x: Tensor, target: np.dtype[Any], saturate: bool) -> Tensor:
    known = x.numpy() if hasattr(x, "numpy") else tf.get_static_value(x)
    if known is None:
        return _in_graph(x, target, saturate)
    array = np.asarray(known)
    if array.dtype == _TEXT:
        return tf.constant(_from_text(array, target))
    if target == _TEXT:
        return tf.constant(array.astype(np.str_).astype(object), tf.string)
    if saturate and target in [np.dtype(kind) for kind in _FLOAT8]:
        return tf.constant(numpy_helper.saturate_cast(array, target))
    with np.errstate(all="ignore"):
        return tf.constant(array.astype(target))


def _from_text(array: Any, target: np.dtype[Any]) -> Any:
    texts = [t.decode() if isinstance(t, bytes) else str(t) for t in array.reshape(-1)]
    return np.array([float(text) for text in texts]).reshape(array.shape).astype(target)


def _in_graph(x: Tensor, target: np.dtype[Any], saturate: bool) -> Tensor:
    """What TensorFlow can do of it in a function: text, and 8-bit floats that it knows."""
    if target == _TEXT:
        return tf.strings.as_string(x, shortest=x.dtype.is_floating)
    if x.dtype == tf.string:
        return tf.cast(tf.strings.to_number(x, tf.float64), tf.as_dtype(target))
    kinds = {ml_dtypes.float8_e4m3fn: 448.0, ml_dtypes.float8_e5m2: 57344.0}
    large = {tf.as_dtype(kind): number for kind, number in kinds.items()}
    there = tf.as_dtype(target)
    if there in large and x.dtype.is_floating:
        wide = tf.cast(x, tf.float32)
        if not saturate:
            return tf.cast(wide, there)
        return tf.cast(tf.clip_by_value(wide, -large[there], large[there]), there)
    if x.dtype in large:
        return tf.cast(tf.cast(x, tf.float32), there)
    raise DataDependent(f"numbers of type {x.dtype.name} to {there.name} only where they are known")


@operator("Cast", layout=Layout.FOLLOWS)
def cast(call: Call) -> Laid:
    """The same numbers in the type of the attribute ``to``."""
    x, moved = stored(call.input())
    saturate = bool(call.attribute("saturate", 1))
    return Laid(converted(x, numpy_type(call.attribute("to")), saturate), moved)


@operator("CastLike", since=15, layout=Layout.FOLLOWS)
def cast_like(call: Call) -> Laid:
    """The same numbers in the type of the second value."""
    x, moved = stored(call.input())
    target = np.dtype(stored(call.input(1))[0].dtype.as_numpy_dtype)
    return Laid(converted(x, target, bool(call.attribute("saturate", 1))), moved)


@operator("BitCast", since=26, layout=Layout.FOLLOWS)
def bit_cast(call: Call) -> Laid:
    """The same bits read as another type of the same width."""
    x, moved = stored(call.input())
    target = numpy_type(call.attribute("to"))
    if np.dtype(x.dtype.as_numpy_dtype).itemsize != target.itemsize:
        raise call.error(f"bits of {x.dtype.name} as {target.name}, which has another width")
    if tf.bool in (x.dtype, tf.as_dtype(target)):  # TensorFlow has bits of numbers only
        known = tf.get_static_value(x)
        if known is None:
            raise DataDependent("the bits of truth values only where they are known")
        return Laid(tf.constant(known.view(target)), moved)
    return Laid(tf.bitcast(x, tf.as_dtype(target)), moved)
