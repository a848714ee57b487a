"""Convert running sums and products, sums of products, and triangles of matrices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor, model_layout, stored_axis
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def _along(call: Call) -> tuple[Tensor, Any, bool]:
    """Return the tensor, its stored axis to run along, and whether its channels are last.

    An axis that only a run knows is a scalar tensor.
    """
    known = tf.get_static_value(call.tensor(1))
    if known is None:
        x, axis = (call.tensor(), tf.cast(call.scalar(1), tf.int32))
        return x, tf.math.floormod(axis, call.rank()), False
    x, is_last = call.stored()
    return x, stored_axis(int(known.item()), call.rank(), is_last), is_last


def _ways(call: Call) -> tuple[bool, bool]:
    return bool(call.attribute("exclusive", 0)), bool(call.attribute("reverse", 0))


@operator("CumSum", since=11, layout=Layout.FOLLOWS)
def cumsum(call: Call) -> LayoutTensor:
    """Compute ``y[i] = x[0] + ... + x[i]``; exclusive without ``x[i]``, reverse from the end."""
    x, axis, is_last = _along(call)
    short = x.dtype.is_floating and x.dtype.size < 4  # TensorFlow would round every sum
    y = tf.cumsum(tf.cast(x, tf.float32) if short else x, axis, *_ways(call))
    return LayoutTensor(tf.cast(y, x.dtype), is_last)


@operator("CumProd", since=26, layout=Layout.FOLLOWS)
def cumprod(call: Call) -> LayoutTensor:
    """Compute ``y[i] = x[0] * ... * x[i]``; exclusive without ``x[i]``, reverse from the end."""
    x, axis, is_last = _along(call)
    exclusive, reverse = _ways(call)
    if not x.dtype.is_floating or 0 in x.shape:
        return LayoutTensor(tf.math.cumprod(x, axis, exclusive, reverse), is_last)
    # The gradient of tf.math.cumprod divides by x, so it is NaN where an entry is 0.
    axes = tf.range(x.shape.rank)
    order = tf.concat([[axis], tf.boolean_mask(axes, axes != axis)], 0)
    rows = tf.transpose(x, order)
    if exclusive:
        ones = tf.ones_like(rows[:1])
        rows = tf.concat([rows[1:], ones] if reverse else [ones, rows[:-1]], 0)
    running = tf.scan(tf.multiply, rows, reverse=reverse)
    running = tf.transpose(running, tf.math.invert_permutation(order))
    return LayoutTensor(tf.ensure_shape(running, x.shape), is_last)


@operator("Einsum", since=12)
def einsum(call: Call) -> LayoutTensor:
    """Compute the sum of products that the equation describes."""
    equation = str(call.attribute("equation", "")).replace(" ", "")
    values = [model_layout(value) for value in call.all_inputs()]
    if equation.count(",") + 1 != len(values):
        raise call.error(f"equation {equation!r} does not fit to {len(values)} inputs")
    dtype = values[0].dtype
    wide = _summed_in(dtype)
    y = tf.einsum(equation, *[tf.cast(value, wide) for value in values])
    return LayoutTensor(tf.cast(y, dtype))


def _summed_in(dtype: Any) -> Any:
    """Return a type, no narrower than ``dtype``, in which TensorFlow sums products."""
    if dtype in (tf.float16, tf.bfloat16):
        return tf.float32
    return tf.int64 if dtype.is_integer else dtype


@operator("Trilu", since=14)
def trilu(call: Call) -> LayoutTensor:
    """Compute the upper or lower triangle of matrices from diagonal ``k`` on, zeros elsewhere."""
    x = call.tensor(0)
    k = call.scalar(1) if call.has(1) else tf.constant(0, tf.int64)
    return LayoutTensor(triangle(x, k, upper=bool(call.attribute("upper", 1))))


def triangle(x: Tensor, k: Tensor, *, upper: bool) -> Tensor:
    """Keep the entries of ``x`` [..., M, N] on one side of its diagonal ``k``; others become 0."""
    shape = tf.shape(x, tf.int64)
    offset = tf.range(shape[-1])[tf.newaxis] - tf.range(shape[-2])[:, tf.newaxis]
    return tf.where(offset >= k if upper else offset <= k, x, tf.zeros_like(x))
