"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    DataDependent,
    LayoutTensor,
    model_layout,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.ops.indexing import stored_axes
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor

Reduction = Callable[..., Tensor]


def _absolute(x: Tensor) -> Tensor:
    return x if x.dtype.is_unsigned else tf.abs(x)


def _root(x: Tensor) -> Tensor:
    """The square root; its slope at 0 is taken as 0, where it is infinite."""
    positive = x > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, x, tf.ones_like(x))), x)


def _real(apply: Reduction) -> Reduction:
    """A reduction that is computed in real numbers, whatever the type of the value."""

    def reduced(x: Tensor, *axes: Any, **options: Any) -> Tensor:
        if x.dtype.is_floating:
            return apply(x, *axes, **options)
        return tf.cast(apply(tf.cast(x, tf.float64), *axes, **options), x.dtype)

    return reduced


def _or_bool(apply: Reduction, logical: Reduction) -> Reduction:
    """``apply``, which has no meaning for truth values, or ``logical`` for these."""

    def reduced(x: Tensor, *axes: Any, **options: Any) -> Tensor:
        return (logical if x.dtype == tf.bool else apply)(x, *axes, **options)

    return reduced


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceMean": tf.reduce_mean,
    "ReduceSum": tf.reduce_sum,
    "ReduceMax": _or_bool(tf.reduce_max, tf.reduce_any),
    "ReduceMin": _or_bool(tf.reduce_min, tf.reduce_all),
    "ReduceProd": tf.reduce_prod,
    "ReduceL1": lambda x, *a, **k: tf.reduce_sum(_absolute(x), *a, **k),
    "ReduceL2": _real(lambda x, *a, **k: _root(tf.reduce_sum(tf.square(x), *a, **k))),
    "ReduceSumSquare": lambda x, *a, **k: tf.reduce_sum(tf.square(x), *a, **k),
    "ReduceLogSum": _real(lambda x, *a, **k: tf.math.log(tf.reduce_sum(x, *a, **k))),
    "ReduceLogSumExp": _real(tf.reduce_logsumexp),
}


def _reduced(call: Call, apply: Reduction) -> LayoutTensor:
    operand = call.input()
    rank = rank_of(operand)
    x, moved = stored(operand)
    keep = bool(call.attribute("keepdims", 1))
    try:
        given = call.ints("axes", 1)
    except DataDependent:
        return _over_computed_axes(call, apply)
    if not given:
        if call.attribute("noop_with_empty_axes", 0):
            # Reduced over no axis: only what is done to every entry is left.
            return LayoutTensor(apply(x[..., None], [rank]), moved)
        given = tuple(range(rank))
    axes = sorted({axis + rank if axis < 0 else axis for axis in given})
    if moved and not keep and 0 in axes and 1 not in axes:
        return LayoutTensor(
            apply(model_layout(operand), axes)
        )  # the channels are first in what is left
    y = apply(x, [stored_axis(axis, rank, moved) for axis in axes], keepdims=keep)
    still = moved and (keep or (1 not in axes and rank - len(axes) > 2))
    return LayoutTensor(y, still)


def _over_computed_axes(call: Call, apply: Reduction) -> LayoutTensor:
    """Over axes that are known in a run only: how many are left must not depend on them."""
    operand = call.input()
    x, moved = stored(operand)
    rank = rank_of(operand)
    axes = stored_axes(call.tensor(1), rank, moved)
    if axes.shape.num_elements() is None and not call.attribute("noop_with_empty_axes", 0):
        axes = tf.cond(tf.size(axes) > 0, lambda: axes, lambda: tf.range(rank))
    if not call.attribute("keepdims", 1):
        raise DataDependent("which axes are reduced depends on the data, and they are not kept")
    return LayoutTensor(apply(x, axes, keepdims=True), moved)


def _register() -> None:
    for name, reduction in _REDUCTIONS.items():

        def convert(call: Call, apply: Reduction = reduction) -> LayoutTensor:
            return _reduced(call, apply)

        operator(name, layout=Layout.FOLLOWS)(convert)


_register()


def _arg(call: Call, apply: Reduction) -> LayoutTensor:
    operand = call.input()
    rank = rank_of(operand)
    x, moved = stored(operand)
    axis = int(call.attribute("axis", 0))
    axis = axis + rank if axis < 0 else axis
    keep = bool(call.attribute("keepdims", 1))
    if moved and not keep and axis == 0:
        x, moved = model_layout(operand), False  # the channels are first in what is left
    place = stored_axis(axis, rank, moved)
    if call.attribute("select_last_index", 0):
        last = tf.shape(x, out_type=tf.int64)[place] - 1
        y = last - apply(tf.reverse(x, [place]), place, output_type=tf.int64)
    else:
        y = apply(x, place, output_type=tf.int64)
    if keep:
        return LayoutTensor(tf.expand_dims(y, place), moved)
    return LayoutTensor(y, moved and axis != 1 and rank > 3)


@operator("ArgMax", layout=Layout.FOLLOWS)
def arg_max(call: Call) -> LayoutTensor:
    """Where the largest entry along an axis is, the first or the last one of equals."""
    return _arg(call, tf.argmax)


@operator("ArgMin", layout=Layout.FOLLOWS)
def arg_min(call: Call) -> LayoutTensor:
    """Where the smallest entry along an axis is, the first or the last one of equals."""
    return _arg(call, tf.argmin)
