"""Elementwise operations of one or several values, which are broadcast."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    LayoutTensor,
    TensorValue,
    aligned,
    model_layout,
    rank_of,
)
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def _divide(a: Tensor, b: Tensor) -> Tensor:
    # Whole numbers are divided towards zero, as in C.
    return tf.truncatediv(a, b) if a.dtype.is_integer else tf.divide(a, b)


def _power(a: Tensor, b: Tensor) -> Tensor:
    if a.dtype.is_integer and b.dtype.is_floating:  # as numpy: in floating point, then cut
        return tf.cast(tf.pow(tf.cast(a, tf.float64), tf.cast(b, tf.float64)), a.dtype)
    b = tf.cast(b, a.dtype)
    known = tf.get_static_value(b)
    if known is not None and known.size == 1:  # these have gradients that are finite at 0
        if known.item() == 2:
            return tf.square(a)
        if known.item() == 0.5:
            return tf.sqrt(a)
    if a.dtype.is_unsigned:  # TensorFlow has it of signed numbers; the bits are the same
        return tf.cast(tf.pow(tf.cast(a, tf.int64), tf.cast(b, tf.int64)), a.dtype)
    return tf.pow(a, b)


def _sign(x: Tensor) -> Tensor:
    return tf.cast(tf.not_equal(x, 0), x.dtype) if x.dtype.is_unsigned else tf.sign(x)


_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": tf.add,
    "Sub": tf.subtract,
    "Mul": tf.multiply,
    "Div": _divide,
    "Pow": _power,
    "Equal": tf.equal,
    "Greater": tf.greater,
    "GreaterOrEqual": tf.greater_equal,
    "Less": tf.less,
    "LessOrEqual": tf.less_equal,
    "And": tf.logical_and,
    "Or": tf.logical_or,
    "Xor": tf.math.logical_xor,
}

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": lambda x: x if x.dtype.is_unsigned else tf.abs(x),
    "Acos": tf.math.acos,
    "Acosh": tf.math.acosh,
    "Asin": tf.math.asin,
    "Asinh": tf.math.asinh,
    "Atan": tf.math.atan,
    "Atanh": tf.math.atanh,
    "Ceil": tf.math.ceil,
    "Cos": tf.cos,
    "Cosh": tf.math.cosh,
    "Erf": tf.math.erf,
    "Exp": tf.exp,
    "Floor": tf.floor,
    "IsNaN": tf.math.is_nan,
    "Log": tf.math.log,
    "Neg": tf.negative,
    "Not": tf.logical_not,
    "Reciprocal": tf.math.reciprocal,
    "Round": tf.round,
    "Sign": _sign,
    "Sin": tf.sin,
    "Sinh": tf.math.sinh,
    "Sqrt": tf.sqrt,
    "Tan": tf.math.tan,
}

_VARIADIC: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "Sum": lambda xs: reduce(tf.add, xs),
    "Mean": lambda xs: reduce(tf.add, xs) / len(xs),
    "Max": lambda xs: reduce(tf.maximum, xs),
    "Min": lambda xs: reduce(tf.minimum, xs),
}


def _operands(call: Call) -> list[TensorValue]:
    operands = call.operands()
    if call.node.opset < 7 and call.attribute("broadcast", 0) and len(operands) == 2:
        return [operands[0], _at_axis(call, operands[0], operands[1])]
    return operands


def _at_axis(call: Call, first: TensorValue, second: TensorValue) -> TensorValue:
    """Before opset 7 the second operand could be laid along ``axis`` of the first."""
    axis = call.attribute("axis")
    if axis is None:
        return second
    rank = rank_of(first)
    behind = rank - (axis % rank) - rank_of(second)
    if isinstance(second, Constant):
        return Constant(second.array.reshape(second.array.shape + (1,) * behind))
    tensor = model_layout(second)
    for _ in range(behind):
        tensor = tf.expand_dims(tensor, -1)
    return LayoutTensor(tensor)


def _register() -> None:
    for name, binary in _BINARY.items():

        def two(call: Call, apply: Callable[[Tensor, Tensor], Tensor] = binary) -> LayoutTensor:
            (a, b), moved = aligned(_operands(call))
            return LayoutTensor(apply(a, b), moved)

        operator(name, layout=Layout.FOLLOWS)(two)
    for name, unary in _UNARY.items():

        def one(call: Call, apply: Callable[[Tensor], Tensor] = unary) -> LayoutTensor:
            x, moved = stored(call.input())
            return LayoutTensor(apply(x), moved)

        operator(name, layout=Layout.FOLLOWS)(one)
    for name, variadic in _VARIADIC.items():

        def many(call: Call, apply: Callable[[list[Tensor]], Tensor] = variadic) -> LayoutTensor:
            xs, moved = aligned(_operands(call))
            return LayoutTensor(apply(xs), moved)

        operator(name, layout=Layout.FOLLOWS)(many)


_register()


@operator("Where", since=9, layout=Layout.FOLLOWS)
def where(call: Call) -> LayoutTensor:
    """Entries of the second value where the first is true, else of the third."""
    (condition, a, b), moved = aligned([call.input(0), call.input(1), call.input(2)])
    return LayoutTensor(tf.where(condition, a, b), moved)


@operator("IsInf", since=10, layout=Layout.FOLLOWS)
def is_inf(call: Call) -> LayoutTensor:
    """Whether a number is infinite; of which sign is up to two attributes."""
    x, moved = stored(call.input())
    signs = [
        tf.equal(x, tf.cast(sign * np.inf, x.dtype))
        for sign, name in ((1, "detect_positive"), (-1, "detect_negative"))
        if call.attribute(name, 1)
    ]
    return LayoutTensor(reduce(tf.logical_or, signs, tf.zeros_like(x, tf.bool)), moved)


def _rest(a: Tensor, b: Tensor) -> Tensor:
    """``a`` minus the whole multiples of ``b`` towards 0; TensorFlow's has no gradient."""

    def rest(a: Tensor, b: Tensor) -> Any:
        y = tf.truncatemod(a, b)
        return y, lambda upstream: (upstream, -upstream * tf.round((a - y) / b))

    if a.dtype.is_unsigned:
        return tf.math.floormod(a, b)
    if a.dtype.is_integer:
        return tf.truncatemod(a, b)
    static = tf.broadcast_static_shape(a.shape, b.shape)
    shape = tf.broadcast_dynamic_shape(tf.shape(a), tf.shape(b))
    wide = [tf.ensure_shape(tf.broadcast_to(x, shape), static) for x in (a, b)]
    return tf.custom_gradient(rest)(*wide)


@operator("Mod", since=10, layout=Layout.FOLLOWS)
def mod(call: Call) -> LayoutTensor:
    """The rest of a division: with the sign of the divisor, or of the dividend with ``fmod``."""
    (a, b), moved = aligned([call.input(0), call.input(1)])
    dtype = a.dtype
    if dtype.size < 4:  # too few kernels: the wide results are exact
        wide = tf.float32 if dtype.is_floating else tf.int32
        a, b = tf.cast(a, wide), tf.cast(b, wide)
    y = _rest(a, b) if call.attribute("fmod", 0) else tf.math.floormod(a, b)
    return LayoutTensor(tf.cast(y, dtype), moved)
