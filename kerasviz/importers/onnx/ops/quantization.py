"""Convert between real numbers and codes, differentiably through the rounding."""

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
from kerasviz.importers.onnx.quantized_values import codes_of, from_codes
from kerasviz.importers.onnx.registry import MICROSOFT, Call, Layout, operator, stored
from kerasviz.types import Tensor

#: The smallest and largest code of a type.
_RANGES = {
    np.dtype(kind): (tf.as_dtype(kind).min, tf.as_dtype(kind).max)
    for kind in (
        *(np.uint8, np.int8, np.uint16, np.int16, np.int32),
        *(ml_dtypes.uint4, ml_dtypes.int4, ml_dtypes.uint2, ml_dtypes.int2),
    )
}


def _straight(x: Tensor) -> Any:
    """Round to the nearest integer, ties to even; the gradient passes unchanged."""
    return tf.round(x), lambda upstream: upstream


rounded = tf.custom_gradient(_straight)


def spread(
    operand: TensorValue, like: TensorValue, axis: int, block: int = 0
) -> tuple[Tensor, bool]:
    """Return a scale or zero point that broadcasts with ``like``, and whether channels are last.

    It is one number, one for each entry of ``axis``, or one for each block along it.
    """
    value = model_layout(operand)
    is_last = isinstance(like, LayoutTensor) and like.channels_last
    rank = rank_of(like)
    if value.shape.rank == 0 or (value.shape.rank == 1 and value.shape[0] == 1):
        return tf.reshape(value, []), is_last
    if value.shape.rank == 1 and not block:
        shape = [1] * rank
        shape[stored_axis(axis, rank, is_last)] = -1
        return tf.reshape(value, shape), is_last
    place = axis % rank
    if block:  # the last block may be shorter
        value = tf.repeat(value, block, axis=place)
        length = model_shape(like)[place]
        if isinstance(length, int):
            value = tf.gather(value, tf.range(length), axis=place)
    return value, False


def quantized(
    real: LayoutTensor, scale: Tensor, zero: Tensor | None, target: np.dtype[Any]
) -> LayoutTensor:
    """Compute ``clip(round(real / scale) + zero)`` as codes of a type, rounding ties to even."""
    return _from_ratio(LayoutTensor(real.tensor / scale, real.channels_last), scale, zero, target)


def _from_ratio(
    ratio: LayoutTensor,
    scale: Tensor,
    zero: Tensor | None,
    target: np.dtype[Any],
    saturate: bool = True,
) -> LayoutTensor:
    """Return the quantized value of ``ratio``, real numbers divided by the scale."""
    if target not in _RANGES:  # small floats, whose zero point is 0
        return from_codes(
            LayoutTensor(nearest(ratio.tensor, target, saturate), ratio.channels_last),
            target,
            scale,
        )
    low, high = _RANGES[target]
    codes = rounded(tf.cast(ratio.tensor, tf.float32))
    if zero is not None:
        codes = codes + zero
    codes = tf.clip_by_value(codes, float(low), float(high))
    return from_codes(LayoutTensor(codes, ratio.channels_last), target, scale, zero)


def dequantized(
    value: TensorValue,
    scale: TensorValue,
    zero: TensorValue | None,
    axis: int = 1,
    block: int = 0,
) -> LayoutTensor:
    """Compute ``(codes - zero) * scale`` in float32."""
    factor, is_last = spread(codes_of(scale), value, axis, block)
    codes = codes_of(value)
    values = codes.tensor if is_last == codes.channels_last else model_layout(codes)
    if zero is not None:
        values = values - spread_numbers(zero, value, axis, block)
    return LayoutTensor(values * factor, is_last)


def spread_numbers(value: TensorValue, like: TensorValue, axis: int, block: int = 0) -> Tensor:
    """Return the result of :func:`spread` in float32."""
    return spread(codes_of(value), like, axis, block)[0]


@operator("QuantizeLinear", layout=Layout.FOLLOWS, domain=MICROSOFT)
@operator("QuantizeLinear", since=10, layout=Layout.FOLLOWS)
def quantize_linear(call: Call) -> LayoutTensor:
    """Compute ``clip(round(x / scale) + zero)`` for the whole value, an axis or blocks."""
    x, scale = call.input(0), call.input(1)
    axis, block = int(call.attribute("axis", 1)), int(call.attribute("block_size", 0))
    target = np.dtype(np.uint8)
    if call.attribute("output_dtype", 0):
        target = numpy_type(call.attribute("output_dtype"))
    zero = None
    if call.has(2):
        target = type_of(call.stored(2)[0])
        zero = spread_numbers(call.input(2), x, axis, block)
    factor, is_last = spread(scale, x, axis, block)
    real = stored(x)[0] if is_last == stored(x)[1] else model_layout(x)
    if call.attribute("precision", 0):
        wide = tensor_type(call.attribute("precision"))
    else:
        wide = tf.float32 if real.dtype.is_integer else real.dtype
    ratio = LayoutTensor(
        converted(real, np.dtype(wide.as_numpy_dtype)) / tf.cast(factor, wide), is_last
    )
    single = spread_numbers(scale, x, axis, block)
    return _from_ratio(ratio, single, zero, target, bool(call.attribute("saturate", 1)))


@operator("DequantizeLinear", layout=Layout.FOLLOWS, domain=MICROSOFT)
@operator("DequantizeLinear", since=10, layout=Layout.FOLLOWS)
def dequantize_linear(call: Call) -> LayoutTensor:
    """Compute ``(x - zero) * scale`` for the whole value, an axis or blocks."""
    axis, block = int(call.attribute("axis", 1)), int(call.attribute("block_size", 0))
    made = dequantized(call.input(0), call.input(1), call.optional(2), axis, block)
    target = call.stored(1)[0].dtype
    if call.attribute("output_dtype", 0):
        target = tensor_type(call.attribute("output_dtype"))
    return LayoutTensor(tf.cast(made.tensor, target), made.channels_last)


@operator("DynamicQuantizeLinear", since=11, layout=Layout.FOLLOWS)
def dynamic_quantize_linear(call: Call) -> list[LayoutTensor | None]:
    """Compute codes from 0 to 255 over the range of the value, their scale and zero point."""
    return [*dynamic_codes(call.input())]


def dynamic_codes(value: TensorValue) -> tuple[LayoutTensor, LayoutTensor, LayoutTensor]:
    """Return codes from 0 to 255 over the range of a value, their scale and zero point."""
    x, is_last = stored(value)
    low = tf.minimum(tf.reduce_min(x), 0)
    high = tf.maximum(tf.reduce_max(x), 0)
    scale = tf.stop_gradient((high - low) / 255)  # no gradient passes the range
    safe = tf.where(scale > 0, scale, tf.ones_like(scale))
    zero = tf.stop_gradient(tf.clip_by_value(tf.round(-low / safe), 0, 255))
    codes = quantized(LayoutTensor(x, is_last), safe, zero, np.dtype(np.uint8))
    return codes, LayoutTensor(scale), LayoutTensor(tf.cast(zero, tf.uint8))
