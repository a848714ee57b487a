"""Convert casts between the element types of ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import (
    converted,
    is_small_float,
    nearest,
    numpy_type,
    type_of,
)
from kerasviz.importers.onnx.layout import DataDependent, LayoutTensor, Quantized, TensorValue
from kerasviz.importers.onnx.quantized_values import from_codes
from kerasviz.importers.onnx.registry import Call, Layout, operator, stored


@operator("Cast", layout=Layout.FOLLOWS)
def cast(call: Call) -> LayoutTensor:
    """Compute the same numbers in the type of the attribute ``to``."""
    return _cast(call, numpy_type(call.attribute("to")))


@operator("CastLike", since=15, layout=Layout.FOLLOWS)
def cast_like(call: Call) -> LayoutTensor:
    """Compute the same numbers in the type of the second value."""
    return _cast(call, type_of(call.stored(1)[0]))


def _cast(call: Call, target: np.dtype[Any]) -> LayoutTensor:
    """Cast a value; casts to small floats and from whole numbers with codes have their gradient."""
    value = call.input()
    if isinstance(value, Quantized) and value.scale is None and _holds(target, value):
        codes = LayoutTensor(value.float_codes, value.channels_last)
        return from_codes(codes, target)
    saturate = bool(call.attribute("saturate", 1))
    x, is_last = _numbers(value, target)
    if is_small_float(target) and x.dtype.is_floating and not is_small_float(type_of(x)):
        return from_codes(LayoutTensor(nearest(x, target, saturate), is_last), target)
    return LayoutTensor(converted(x, target, saturate), is_last)


def _holds(target: np.dtype[Any], value: Quantized) -> bool:
    """Return whether a type of whole numbers holds what another such type is likely to hold."""
    source = type_of(value.tensor)
    if source.kind not in "iu" or target.kind not in "iu":
        return False
    before, after = np.iinfo(source), np.iinfo(target)
    return target.itemsize >= 4 or (after.min <= before.min and before.max <= after.max)


def _numbers(value: TensorValue, target: np.dtype[Any]) -> tuple[Any, bool]:
    floating = is_small_float(target) or tf.as_dtype(target).is_floating
    if isinstance(value, Quantized) and floating:
        return value.float_codes, value.channels_last
    return stored(value)


@operator("BitCast", since=26, layout=Layout.FOLLOWS)
def bit_cast(call: Call) -> LayoutTensor:
    """Compute the same bits, read as another type of the same width."""
    x, is_last = call.stored()
    target = numpy_type(call.attribute("to"))
    if np.dtype(x.dtype.as_numpy_dtype).itemsize != target.itemsize:
        raise call.error(f"bits of {x.dtype.name} as {target.name}, which has another width")
    if tf.bool in (x.dtype, tf.as_dtype(target)):  # TensorFlow cannot read the bits of truth values
        known = tf.get_static_value(x)
        if known is None:
            raise DataDependent("the bits of truth values only where they are known")
        return LayoutTensor(tf.constant(known.view(target)), is_last)
    return LayoutTensor(tf.bitcast(x, tf.as_dtype(target)), is_last)
