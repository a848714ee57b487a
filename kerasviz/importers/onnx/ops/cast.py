"""Casts between the element types of ONNX."""

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
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.quantized_values import coded
from kerasviz.importers.onnx.registry import Call, Layout, operator


@operator("Cast", layout=Layout.FOLLOWS)
def cast(call: Call) -> LayoutTensor:
    """The same numbers in the type of the attribute ``to``."""
    return _cast(call, numpy_type(call.attribute("to")))


@operator("CastLike", since=15, layout=Layout.FOLLOWS)
def cast_like(call: Call) -> LayoutTensor:
    """The same numbers in the type of the second value."""
    return _cast(call, type_of(stored(call.input(1))[0]))


def _cast(call: Call, target: np.dtype[Any]) -> LayoutTensor:
    """In floats of a few bits, and out of quantized numbers, with the gradient of their codes."""
    operand = call.input()
    saturate = bool(call.attribute("saturate", 1))
    x, moved = _numbers(operand, target)
    if is_small_float(target) and x.dtype.is_floating and not is_small_float(type_of(x)):
        return coded(LayoutTensor(nearest(x, target, saturate), moved), target)
    return LayoutTensor(converted(x, target, saturate), moved)


def _numbers(operand: TensorValue, target: np.dtype[Any]) -> tuple[Any, bool]:
    floating = is_small_float(target) or tf.as_dtype(target).is_floating
    if isinstance(operand, Quantized) and floating:
        return operand.float_codes, operand.channels_last
    return stored(operand)


@operator("BitCast", since=26, layout=Layout.FOLLOWS)
def bit_cast(call: Call) -> LayoutTensor:
    """The same bits read as another type of the same width."""
    x, moved = stored(call.input())
    target = numpy_type(call.attribute("to"))
    if np.dtype(x.dtype.as_numpy_dtype).itemsize != target.itemsize:
        raise call.error(f"bits of {x.dtype.name} as {target.name}, which has another width")
    if tf.bool in (x.dtype, tf.as_dtype(target)):  # TensorFlow has bits of numbers only
        known = tf.get_static_value(x)
        if known is None:
            raise DataDependent("the bits of truth values only where they are known")
        return LayoutTensor(tf.constant(known.view(target)), moved)
    return LayoutTensor(tf.bitcast(x, tf.as_dtype(target)), moved)
