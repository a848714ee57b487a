"""Convert elementwise operations of one or several values, which are broadcast."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
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
from kerasviz.importers.onnx.ops.activation import elementwise
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def _divide(a: Tensor, b: Tensor) -> Tensor:
    # Integers are divided towards zero, as in C.
    return tf.truncatediv(a, b) if a.dtype.is_integer else tf.divide(a, b)


def _power(a: Tensor, b: Tensor) -> Tensor:
    if a.dtype.is_integer and b.dtype.is_floating:  # like numpy: in floating point, then truncated
        return tf.cast(tf.pow(tf.cast(a, tf.float64), tf.cast(b, tf.float64)), a.dtype)
    b = tf.cast(b, a.dtype)
    known = tf.get_static_value(b)
    if known is not None and known.size == 1:  # these gradients are finite at 0
        if known.item() == 2:
            return tf.square(a)
        if known.item() == 0.5:
            return tf.sqrt(a)
    if a.dtype.is_unsigned:  # TensorFlow has signed kernels only; the bits are the same
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

_VARIADIC: dict[str, Callable[..., Tensor]] = {
    "Sum": lambda *xs: reduce(tf.add, xs),
    "Mean": lambda *xs: reduce(tf.add, xs) / len(xs),
    "Max": lambda *xs: reduce(tf.maximum, xs),
    "Min": lambda *xs: reduce(tf.minimum, xs),
}


def broadcasting(name: str, apply: Callable[..., Tensor], since: int = 1) -> None:
    """Register a function of the entries of all inputs, which are broadcast."""

    def convert(call: Call) -> LayoutTensor:
        values = call.all_inputs()
        if call.node.opset < 7 and call.attribute("broadcast", 0) and len(values) == 2:
            values[1] = _at_axis(call, *values)
        xs, is_last = aligned(values)
        return LayoutTensor(apply(*xs), is_last)

    operator(name, since, Layout.FOLLOWS)(convert)


def _at_axis(call: Call, first: TensorValue, second: TensorValue) -> TensorValue:
    """Add axes behind ``second``: before opset 7 ``axis`` said where it begins in ``first``."""
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


for _name, _apply in {**_BINARY, **_VARIADIC}.items():
    broadcasting(_name, _apply)
for _name, _unary in _UNARY.items():
    elementwise(_name, partial(lambda apply, _, x: apply(x), _unary))
broadcasting("Where", tf.where, since=9)


@operator("IsInf", since=10, layout=Layout.FOLLOWS)
def is_inf(call: Call) -> LayoutTensor:
    """Compute whether a number is infinite; two attributes select the signs."""
    x, is_last = call.stored()
    signs = [
        tf.equal(x, tf.cast(sign * np.inf, x.dtype))
        for sign, name in ((1, "detect_positive"), (-1, "detect_negative"))
        if call.attribute(name, 1)
    ]
    return LayoutTensor(reduce(tf.logical_or, signs, tf.zeros_like(x, tf.bool)), is_last)


def _rest(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a`` minus the multiple of ``b`` towards 0, with the gradient TensorFlow lacks."""

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
    """Compute the remainder with the sign of the divisor, or with ``fmod`` of the dividend."""
    (a, b), is_last = aligned([call.input(0), call.input(1)])
    dtype = a.dtype
    if dtype.size < 4:  # TensorFlow lacks kernels; wide results are exact
        wide = tf.float32 if dtype.is_floating else tf.int32
        a, b = tf.cast(a, wide), tf.cast(b, wide)
    y = _rest(a, b) if call.attribute("fmod", 0) else tf.math.floormod(a, b)
    return LayoutTensor(tf.cast(y, dtype), is_last)
