"""Convert products and convolutions of quantized values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import type_of
from kerasviz.importers.onnx.layout import (
    Constant,
    LayoutTensor,
    TensorValue,
    model_layout,
    rank_of,
)
from kerasviz.importers.onnx.ops.conv import conv
from kerasviz.importers.onnx.ops.linear import matmul
from kerasviz.importers.onnx.ops.quantization import quantized, rounded, spread_numbers
from kerasviz.importers.onnx.quantized_values import codes_of, from_codes
from kerasviz.importers.onnx.registry import MICROSOFT, Call, Layout, operator, stored
from kerasviz.types import Tensor

_INT32 = np.dtype(np.int32)


def kind_of(value: TensorValue) -> np.dtype[Any]:
    """Return the element type of a value."""
    return type_of(stored(value)[0])


def number(operand: TensorValue) -> Tensor:
    """Return a scale or zero point in float32, without axes if it is a single number."""
    value = model_layout(codes_of(operand))
    return tf.reshape(value, []) if value.shape.num_elements() == 1 else value


def along(operand: TensorValue, rank: int, axis: int, is_last: bool = False) -> Tensor:
    """Return a number, or one for each entry of ``axis`` of ``rank`` axes, in float32."""
    value = number(operand)
    if value.shape.rank != 1:
        return value
    shape = [1] * rank
    shape[rank - 1 if is_last and axis == 1 else axis] = -1
    return tf.reshape(value, shape)


def less(value: TensorValue, zero: TensorValue | None, axis: int = 0) -> TensorValue:
    """Subtract the zero point from codes, in float32; constants stay constant."""
    if isinstance(value, Constant):
        array = value.array.astype(np.float32)
        if isinstance(zero, Constant):
            point = zero.array.astype(np.float32)
            shape = [-1 if k == axis % array.ndim else 1 for k in range(array.ndim)]
            return Constant(array - point.reshape(shape if point.size > 1 else ()))
        if zero is None:
            return Constant(array)
    codes = codes_of(value)
    if zero is None:
        return codes
    return LayoutTensor(codes.tensor - spread_numbers(zero, value, axis), codes.channels_last)


def with_images(call: Call) -> tuple[Call, bool]:
    """Return the call with its first input marked channels last if the model says so."""
    if not call.attribute("channels_last", 0):
        return call, False
    x = codes_of(call.input(0))
    inner = from_codes(LayoutTensor(model_layout(x), channels_last=True), kind_of(call.input(0)))
    return replace(call, inputs=(inner, *call.inputs[1:])), True


@operator("ConvInteger", since=10, layout=Layout.IMAGE)
def conv_integer(call: Call) -> LayoutTensor:
    """Compute the convolution of codes minus their zero points, in int32."""
    kernel = _wide(less(call.input(1), call.optional(3)))
    x = _wide(less(call.input(0), call.optional(2)))
    sums = conv(replace(call, inputs=(x, kernel)))
    return from_codes(LayoutTensor(rounded(sums.tensor), sums.channels_last), _INT32)


@operator("MatMulInteger", since=10)
def matmul_integer(call: Call) -> LayoutTensor:
    """Compute the matrix product of codes minus their zero points, in int32."""
    sums = product(call.input(0), call.input(1), (call.optional(2), call.optional(3)), call)
    return from_codes(LayoutTensor(rounded(sums)), _INT32)


def product(
    left: TensorValue,
    right: TensorValue,
    zeros: tuple[TensorValue | None, TensorValue | None],
    call: Call,
) -> Tensor:
    """Multiply matrices of codes minus their zero points; sums are exact in float64."""
    rows = _wide(less(left, zeros[0], max(rank_of(left) - 2, 0)))
    columns = _wide(less(right, zeros[1], rank_of(right) - 1))
    return model_layout(matmul(replace(call, inputs=(rows, columns))))


def _wide(value: TensorValue) -> TensorValue:
    """Convert to float64; constants stay constant."""
    if isinstance(value, Constant):
        return Constant(value.array.astype(np.float64))
    return LayoutTensor(tf.cast(value.tensor, tf.float64), value.channels_last)


@operator("QLinearMatMul", since=10)
def qlinear_matmul(call: Call) -> LayoutTensor:
    """Compute the quantized product of two quantized matrices."""
    zero = call.input(7)
    sums = product(call.input(0), call.input(3), (call.input(2), call.input(5)), call)
    rank = sums.shape.rank
    place = max(rank - 2, 0)
    factor = along(call.input(1), rank, place) * along(call.input(4), rank, rank - 1)
    scale, point = along(call.input(6), rank, place), along(zero, rank, place)
    return quantized(LayoutTensor(tf.cast(sums, tf.float32) * factor), scale, point, kind_of(zero))


@operator("QLinearConv", layout=Layout.IMAGE, domain=MICROSOFT)
@operator("QLinearConv", since=10, layout=Layout.IMAGE)
def qlinear_conv(call: Call) -> LayoutTensor:
    """Compute the quantized convolution of a quantized value by a quantized kernel."""
    call, behind = with_images(call)
    zero = call.input(7)
    kernel = less(call.input(3), call.input(5))
    inputs: tuple[TensorValue, ...] = (less(call.input(0), call.input(2)), kernel)
    if call.has(8):
        inputs += (codes_of(call.input(8)),)
    sums = conv(replace(call, inputs=inputs))
    rank = sums.tensor.shape.rank
    factors = [along(call.input(k), rank, 1, sums.channels_last) for k in (1, 4)]
    real = LayoutTensor(sums.tensor * factors[0] * factors[1], sums.channels_last)
    scale = along(call.input(6), rank, 1, sums.channels_last)
    y = quantized(real, scale, number(zero), kind_of(zero))
    return replace(y, channels_last=False) if behind else y
