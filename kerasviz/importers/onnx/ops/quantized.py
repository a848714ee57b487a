"""Operators on quantized values: convolutions, matrix products and elementwise functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, Laid, Operand, aligned, own, rank_of
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.ops.conv import conv
from kerasviz.importers.onnx.ops.linear import matmul
from kerasviz.importers.onnx.ops.quantization import (
    codes_of,
    dequantized,
    dynamic_codes,
    quantized,
    spread_numbers,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator

Tensor = Any
MICROSOFT = "com.microsoft"


def _less(operand: Operand, zero: Operand | None, axis: int = 0) -> Operand:
    """Codes less their zero point, in float32; still constant where both are."""
    if isinstance(operand, Constant):
        array = operand.array.astype(np.float32)
        if isinstance(zero, Constant):
            point = zero.array.astype(np.float32)
            shape = [-1 if k == axis % array.ndim else 1 for k in range(array.ndim)]
            return Constant(array - point.reshape(shape if point.size > 1 else ()))
        if zero is None:
            return Constant(array)
    codes = codes_of(operand)
    if zero is None:
        return codes
    return Laid(codes.tensor - spread_numbers(zero, operand, axis), codes.moved)


def _given(call: Call, index: int) -> Operand | None:
    return call.input(index) if call.has(index) else None


def _type_of(operand: Operand) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.dtype(stored(operand)[0].dtype.as_numpy_dtype)
    return kind


def _along(operand: Operand, rank: int, axis: int, moved: bool) -> Tensor:
    """One number, or one for each entry of ``axis`` of a value of ``rank`` axes, in float32."""
    value = tf.cast(own(operand), tf.float32)
    if value.shape.rank != 1 or value.shape[0] == 1:
        return tf.reshape(value, []) if value.shape.num_elements() == 1 else value
    shape = [1] * rank
    shape[rank - 1 if moved and axis == 1 else axis] = -1
    return tf.reshape(value, shape)


@operator("ConvInteger", since=10, layout=Layout.IMAGE)
def conv_integer(call: Call) -> Laid:
    """Convolution of codes less their zero points: whole numbers, int32."""
    kernel = _wide(_less(call.input(1), _given(call, 3)))
    x = _wide(_less(call.input(0), _given(call, 2)))
    made = _sound(conv(replace(call, inputs=(x, kernel))))
    return Laid(tf.cast(tf.round(made.tensor), tf.int32), made.moved)


def _sound(made: Any) -> Laid:
    if not isinstance(made, Laid):
        raise TypeError("expected one value")
    return made


@operator("MatMulInteger", since=10)
def matmul_integer(call: Call) -> Laid:
    """The product of matrices of codes less their zero points: whole numbers, int32."""
    product = _product(call, 0, 1, _given(call, 2), _given(call, 3))
    return Laid(tf.cast(tf.round(product), tf.int32))


def _product(call: Call, a: int, b: int, a_zero: Operand | None, b_zero: Operand | None) -> Tensor:
    """The product of two inputs of codes less their zero points; sums are exact in float64."""
    left, right = call.input(a), call.input(b)
    rows = _wide(_less(left, a_zero, max(rank_of(left) - 2, 0)))
    columns = _wide(_less(right, b_zero, rank_of(right) - 1))
    return own(_sound(matmul(replace(call, inputs=(rows, columns)))))


def _wide(operand: Operand) -> Operand:
    """In float64, still constant where it is."""
    if isinstance(operand, Constant):
        return Constant(operand.array.astype(np.float64))
    return Laid(tf.cast(operand.tensor, tf.float64), operand.moved)


@operator("QLinearMatMul", since=10)
def qlinear_matmul(call: Call) -> Laid:
    """The product of two quantized matrices, quantized."""
    zero = call.input(7)
    product = tf.cast(_product(call, 0, 3, call.input(2), call.input(5)), tf.float32)
    rank = product.shape.rank
    rows = _along(call.input(1), rank, max(rank - 2, 0), False)
    columns = _along(call.input(4), rank, rank - 1, False)
    scale = _along(call.input(6), rank, max(rank - 2, 0), False)
    point = _along(zero, rank, max(rank - 2, 0), False)
    return quantized(Laid(product * rows * columns), scale, point, _type_of(zero))


@operator("QLinearConv", since=10, layout=Layout.IMAGE)
def qlinear_conv(call: Call) -> Laid:
    """Convolution of a quantized value with a quantized kernel, quantized."""
    zero = call.input(7)
    kernel = _less(call.input(3), call.input(5))
    inputs: tuple[Operand, ...] = (_less(call.input(0), call.input(2)), kernel)
    if call.has(8):
        inputs += (Laid(tf.cast(own(call.input(8)), tf.float32)),)
    made = _sound(conv(replace(call, inputs=inputs)))
    rank = made.tensor.shape.rank
    factors = [_along(call.input(k), rank, 1, made.moved) for k in (1, 4)]
    real = Laid(made.tensor * factors[0] * factors[1], made.moved)
    scale = _along(call.input(6), rank, 1, made.moved)
    return quantized(real, scale, _number(zero), _type_of(zero))


def _number(operand: Operand) -> Tensor:
    value = tf.cast(own(operand), tf.float32)
    return tf.reshape(value, []) if value.shape.num_elements() == 1 else value


def _real(call: Call, first: int) -> Laid:
    """Inputs ``first``, its scale and its zero point, as real numbers."""
    return dequantized(call.input(first), call.input(first + 1), _given(call, first + 2))


def _requantized(call: Call, real: Laid, first: int) -> Laid:
    """Quantized with the scale and zero point at inputs ``first`` and the next."""
    zero = _given(call, first + 1)
    kind = _type_of(zero) if zero is not None else _type_of(call.input(0))
    point = None if zero is None else _number(zero)
    return quantized(real, _number(call.input(first)), point, kind)


_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "QLinearAdd": tf.add,
    "QLinearMul": tf.multiply,
}
_UNARY: dict[str, Callable[[Call, Tensor], Tensor]] = {
    "QLinearSigmoid": lambda _, x: tf.sigmoid(x),
    "QLinearLeakyRelu": lambda call, x: tf.where(
        x >= 0, x, x * tf.cast(call.attribute("alpha", 0.01), x.dtype)
    ),
}


def _register() -> None:
    for name, binary in _BINARY.items():

        def two(call: Call, apply: Callable[[Tensor, Tensor], Tensor] = binary) -> Laid:
            (a, b), moved = aligned([_real(call, 0), _real(call, 3)])
            return _requantized(call, Laid(apply(a, b), moved), 6)

        operator(name, layout=Layout.FOLLOWS, domain=MICROSOFT)(two)
    for name, unary in _UNARY.items():

        def one(call: Call, apply: Callable[[Call, Tensor], Tensor] = unary) -> Laid:
            real = _real(call, 0)
            return _requantized(call, Laid(apply(call, real.tensor), real.moved), 3)

        operator(name, layout=Layout.FOLLOWS, domain=MICROSOFT)(one)


_register()


@operator("QLinearGlobalAveragePool", layout=Layout.IMAGE, domain=MICROSOFT)
def qlinear_global_average_pool(call: Call) -> Laid:
    """The mean over positions of a quantized value, quantized."""
    if call.attribute("channels_last", 0):
        raise call.error("channels_last 1 is not supported; export with channels first")
    real = _real(call, 0)
    rank = real.tensor.shape.rank
    axes = list(range(1, rank - 1)) if real.moved else list(range(2, rank))
    mean = tf.reduce_mean(real.tensor, axes, keepdims=True)
    return _requantized(call, Laid(mean, real.moved), 3)


@operator("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(call: Call) -> Laid:
    """The product of two quantized matrices as real numbers, with an optional bias."""
    product = tf.cast(_product(call, 0, 1, _given(call, 4), _given(call, 5)), tf.float32)
    rank = product.shape.rank
    rows = _along(call.input(2), rank, max(rank - 2, 0), False)
    y = product * rows * _along(call.input(3), rank, rank - 1, False)
    return Laid(y + own(call.input(6)) if call.has(6) else y)


@operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(call: Call) -> Laid:
    """A matrix that is quantized by its range, times a quantized matrix, as real numbers."""
    codes, scale, zero = dynamic_codes(call.input(0))
    inputs = (codes, call.inputs[1], scale, call.inputs[2], zero)
    rest = tuple(call.inputs[k] if k < len(call.inputs) else None for k in (3, 4))
    return _sound(matmul_integer_to_float(replace(call, inputs=(*inputs, *rest))))
