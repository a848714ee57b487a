"""Quantized numbers: from real numbers to codes and back, differentiable through the rounding."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import (
    converted,
    nearest,
    numpy_type,
    tensor_type,
    type_of,
)
from kerasviz.importers.onnx.layout import (
    LayoutTensor,
    TensorValue,
    model_layout,
    model_shape,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.quantized_values import coded, codes_of
from kerasviz.importers.onnx.registry import MICROSOFT, Call, Layout, operator
from kerasviz.types import Tensor

__all__ = ["dequantized", "dynamic_codes", "quantized", "rounded", "spread_numbers"]

#: The smallest and largest code of a type.
_RANGES = {
    np.dtype(kind): ends
    for kind, ends in (
        (np.uint8, (0, 255)),
        (np.int8, (-128, 127)),
        (np.uint16, (0, 65535)),
        (np.int16, (-32768, 32767)),
        (np.int32, (-(2**31), 2**31 - 1)),
        (ml_dtypes.uint4, (0, 15)),
        (ml_dtypes.int4, (-8, 7)),
        (ml_dtypes.uint2, (0, 3)),
        (ml_dtypes.int2, (-2, 1)),
    )
}


def _straight(x: Tensor) -> Any:
    """To the nearest whole number, the even one between two; the gradient passes unchanged."""
    return tf.round(x), lambda upstream: upstream


rounded = tf.custom_gradient(_straight)


def spread(
    operand: TensorValue, like: TensorValue, axis: int, block: int = 0
) -> tuple[Tensor, bool]:
    """A scale or zero point as it is broadcast with ``like``, and whether that is moved.

    It is one number, one for each entry of ``axis``, or one for each block along it.
    """
    value = model_layout(operand)
    moved = isinstance(like, LayoutTensor) and like.channels_last
    rank = rank_of(like)
    if value.shape.rank == 0 or (value.shape.rank == 1 and value.shape[0] == 1):
        return tf.reshape(value, []), moved
    if value.shape.rank == 1 and not block:
        shape = [1] * rank
        shape[stored_axis(axis, rank, moved)] = -1
        return tf.reshape(value, shape), moved
    place = axis % rank
    if block:  # all blocks are full, but the last may be cut
        value = tf.repeat(value, block, axis=place)
        length = model_shape(like)[place]
        if isinstance(length, int):
            value = tf.gather(value, tf.range(length), axis=place)
    return value, False


def quantized(
    real: LayoutTensor, scale: Tensor, zero: Tensor | None, target: np.dtype[Any]
) -> LayoutTensor:
    """``clip(round(real / scale) + zero)`` as codes of a type, rounding halves to even."""
    return _coded(LayoutTensor(real.tensor / scale, real.channels_last), scale, zero, target)


def _coded(
    ratio: LayoutTensor,
    scale: Tensor,
    zero: Tensor | None,
    target: np.dtype[Any],
    saturate: bool = True,
) -> LayoutTensor:
    """The quantized value of which ``ratio`` is the number over the scale."""
    if target not in _RANGES:  # small floats, whose zero point is 0
        return coded(
            LayoutTensor(nearest(ratio.tensor, target, saturate), ratio.channels_last),
            target,
            scale,
        )
    low, high = _RANGES[target]
    codes = rounded(tf.cast(ratio.tensor, tf.float32))
    if zero is not None:
        codes = codes + zero
    codes = tf.clip_by_value(codes, float(low), float(high))
    return coded(LayoutTensor(codes, ratio.channels_last), target, scale, zero)


def dequantized(
    operand: TensorValue, scale: TensorValue, zero: TensorValue | None, axis: int = 1
) -> LayoutTensor:
    """``(codes - zero) * scale`` in float32."""
    return _dequantized(operand, scale, zero, axis, 0)


def _dequantized(
    operand: TensorValue, scale: TensorValue, zero: TensorValue | None, axis: int, block: int
) -> LayoutTensor:
    factor, moved = spread(codes_of(scale), operand, axis, block)
    codes = codes_of(operand)
    values = codes.tensor if moved == codes.channels_last else model_layout(codes)
    if zero is not None:
        values = values - spread_numbers(zero, operand, axis, block)
    return LayoutTensor(values * factor, moved)


def spread_numbers(operand: TensorValue, like: TensorValue, axis: int, block: int = 0) -> Tensor:
    """:func:`spread` in float32."""
    return spread(codes_of(operand), like, axis, block)[0]


@operator("QuantizeLinear", layout=Layout.FOLLOWS, domain=MICROSOFT)
@operator("QuantizeLinear", since=10, layout=Layout.FOLLOWS)
def quantize_linear(call: Call) -> LayoutTensor:
    """``clip(round(x / scale) + zero)``, for the whole value, along an axis or in blocks."""
    x, scale = call.input(0), call.input(1)
    axis, block = int(call.attribute("axis", 1)), int(call.attribute("block_size", 0))
    target = np.dtype(np.uint8)
    if call.attribute("output_dtype", 0):
        target = numpy_type(call.attribute("output_dtype"))
    zero = None
    if call.has(2):
        target = type_of(stored(call.input(2))[0])
        zero = spread_numbers(call.input(2), x, axis, block)
    factor, moved = spread(scale, x, axis, block)
    real = stored(x)[0] if moved == stored(x)[1] else model_layout(x)
    if call.attribute("precision", 0):
        wide = tensor_type(call.attribute("precision"))
    else:
        wide = tf.float32 if real.dtype.is_integer else real.dtype
    ratio = LayoutTensor(
        converted(real, np.dtype(wide.as_numpy_dtype)) / tf.cast(factor, wide), moved
    )
    single = spread_numbers(scale, x, axis, block)
    return _coded(ratio, single, zero, target, bool(call.attribute("saturate", 1)))


@operator("DequantizeLinear", layout=Layout.FOLLOWS, domain=MICROSOFT)
@operator("DequantizeLinear", since=10, layout=Layout.FOLLOWS)
def dequantize_linear(call: Call) -> LayoutTensor:
    """``(x - zero) * scale``, for the whole value, along an axis or in blocks."""
    axis, block = int(call.attribute("axis", 1)), int(call.attribute("block_size", 0))
    zero = call.input(2) if call.has(2) else None
    made = _dequantized(call.input(0), call.input(1), zero, axis, block)
    target = stored(call.input(1))[0].dtype
    if call.attribute("output_dtype", 0):
        target = tensor_type(call.attribute("output_dtype"))
    return LayoutTensor(tf.cast(made.tensor, target), made.channels_last)


@operator("DynamicQuantizeLinear", since=11, layout=Layout.FOLLOWS)
def dynamic_quantize_linear(call: Call) -> list[LayoutTensor | None]:
    """Codes from 0 to 255 over the range of the value, with scale and zero point as found."""
    return [*dynamic_codes(call.input())]


def dynamic_codes(operand: TensorValue) -> tuple[LayoutTensor, LayoutTensor, LayoutTensor]:
    """Codes from 0 to 255 over the range of a value, their scale and their zero point."""
    x, moved = stored(operand)
    low = tf.minimum(tf.reduce_min(x), 0)
    high = tf.maximum(tf.reduce_max(x), 0)
    scale = tf.stop_gradient((high - low) / 255)  # the range is a setting, not a path
    safe = tf.where(scale > 0, scale, tf.ones_like(scale))
    zero = tf.stop_gradient(tf.clip_by_value(tf.round(-low / safe), 0, 255))
    codes = quantized(LayoutTensor(x, moved), safe, zero, np.dtype(np.uint8))
    return codes, LayoutTensor(scale), LayoutTensor(tf.cast(zero, tf.uint8))
