"""Running sums and products along an axis, sums of products, and triangles of matrices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor, model_layout, rank_of, stored_axis
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def _along(call: Call) -> tuple[Tensor, Any, bool]:
    """The value, the stored axis along which to go, and whether the value is moved.

    An axis that is not known before the run is a scalar tensor.
    """
    operand = call.input(0)
    known = tf.get_static_value(call.tensor(1))
    if known is None:
        x, axis = (
            model_layout(operand),
            tf.cast(call.scalar(1), tf.int32),
        )
        return x, tf.math.floormod(axis, rank_of(operand)), False
    x, moved = stored(operand)
    return x, stored_axis(int(known.item()), rank_of(operand), moved), moved


def _ways(call: Call) -> tuple[bool, bool]:
    return bool(call.attribute("exclusive", 0)), bool(call.attribute("reverse", 0))


@operator("CumSum", since=11, layout=Layout.FOLLOWS)
def cumsum(call: Call) -> LayoutTensor:
    """``y[i] = x[0] + ... + x[i]`` along an axis; exclusive: without x[i]; or from the end."""
    x, axis, moved = _along(call)
    return LayoutTensor(tf.cumsum(x, axis, *_ways(call)), moved)


@operator("CumProd", since=26, layout=Layout.FOLLOWS)
def cumprod(call: Call) -> LayoutTensor:
    """``y[i] = x[0] * ... * x[i]`` along an axis; exclusive: without x[i]; or from the end."""
    x, axis, moved = _along(call)
    exclusive, reverse = _ways(call)
    if not x.dtype.is_floating or 0 in x.shape:
        return LayoutTensor(tf.math.cumprod(x, axis, exclusive, reverse), moved)
    # The gradient of tf.math.cumprod divides by x: it is not a number where an entry is 0.
    axes = tf.range(x.shape.rank)
    order = tf.concat([[axis], tf.boolean_mask(axes, axes != axis)], 0)
    rows = tf.transpose(x, order)
    if exclusive:
        ones = tf.ones_like(rows[:1])
        rows = tf.concat([rows[1:], ones] if reverse else [ones, rows[:-1]], 0)
    running = tf.scan(tf.multiply, rows, reverse=reverse)
    running = tf.transpose(running, tf.math.invert_permutation(order))
    return LayoutTensor(tf.ensure_shape(running, x.shape), moved)


@operator("Einsum", since=12)
def einsum(call: Call) -> LayoutTensor:
    """The sum of products that the equation describes."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    operands = [model_layout(operand) for operand in call.all_inputs()]
    if equation.count(",") + 1 != len(operands):
        raise call.error(f"equation {equation!r} does not fit to {len(operands)} inputs")
    dtype = operands[0].dtype
    wide = _summed_in(dtype)
    y = tf.einsum(equation, *[tf.cast(operand, wide) for operand in operands])
    return LayoutTensor(tf.cast(y, dtype))


def _summed_in(dtype: Any) -> Any:
    """A type in which TensorFlow computes sums of products, no narrower than ``dtype``."""
    if dtype in (tf.float16, tf.bfloat16):
        return tf.float32
    return tf.int64 if dtype.is_integer else dtype


@operator("Trilu", since=14)
def trilu(call: Call) -> LayoutTensor:
    """The upper or lower triangle of matrices from diagonal ``k`` on, zeros elsewhere."""
    x = call.tensor(0)
    k = call.scalar(1) if call.has(1) else tf.constant(0, tf.int64)
    return LayoutTensor(triangle(x, k, upper=bool(call.attribute("upper", 1))))


def triangle(x: Tensor, k: Tensor, *, upper: bool) -> Tensor:
    """Entries of ``x`` [..., M, N] on one side of its diagonal ``k``, zeros elsewhere."""
    shape = tf.shape(x, tf.int64)
    offset = tf.range(shape[-1])[tf.newaxis] - tf.range(shape[-2])[:, tf.newaxis]
    return tf.where(offset >= k if upper else offset <= k, x, tf.zeros_like(x))
