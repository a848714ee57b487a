"""Convert reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.element_types import finite_root
from kerasviz.importers.onnx.layout import DataDependent, LayoutTensor, stored_axis
from kerasviz.importers.onnx.ops.indexing import stored_axes
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor

Reduction = Callable[..., Tensor]


def _absolute(x: Tensor) -> Tensor:
    return x if x.dtype.is_unsigned else tf.abs(x)


def _real(apply: Reduction) -> Reduction:
    """Return a reduction that computes integers in float64."""

    def reduced(x: Tensor, *axes: Any, **options: Any) -> Tensor:
        if x.dtype.is_floating:
            return apply(x, *axes, **options)
        return tf.cast(apply(tf.cast(x, tf.float64), *axes, **options), x.dtype)

    return reduced


def _in_single(apply: Reduction) -> Reduction:
    """Return a reduction that adds up 16-bit numbers in float32; TensorFlow rounds every sum."""

    def reduced(x: Tensor, *axes: Any, **options: Any) -> Tensor:
        if not x.dtype.is_floating or x.dtype.size >= 4:
            return apply(x, *axes, **options)
        return tf.cast(apply(tf.cast(x, tf.float32), *axes, **options), x.dtype)

    return reduced


def _or_bool(apply: Reduction, logical: Reduction) -> Reduction:
    """Return a reduction that uses ``logical`` for truth values, else ``apply``."""

    def reduced(x: Tensor, *axes: Any, **options: Any) -> Tensor:
        return (logical if x.dtype == tf.bool else apply)(x, *axes, **options)

    return reduced


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceMean": _in_single(tf.reduce_mean),
    "ReduceSum": _in_single(tf.reduce_sum),
    "ReduceMax": _or_bool(tf.reduce_max, tf.reduce_any),
    "ReduceMin": _or_bool(tf.reduce_min, tf.reduce_all),
    "ReduceProd": _in_single(tf.reduce_prod),
    "ReduceL1": _in_single(lambda x, *a, **k: tf.reduce_sum(_absolute(x), *a, **k)),
    "ReduceL2": _real(
        _in_single(lambda x, *a, **k: finite_root(tf.reduce_sum(tf.square(x), *a, **k)))
    ),
    "ReduceSumSquare": _in_single(lambda x, *a, **k: tf.reduce_sum(tf.square(x), *a, **k)),
    "ReduceLogSum": _real(_in_single(lambda x, *a, **k: tf.math.log(tf.reduce_sum(x, *a, **k)))),
    "ReduceLogSumExp": _real(_in_single(tf.reduce_logsumexp)),
}


def _reduced(call: Call, apply: Reduction) -> LayoutTensor:
    rank = call.rank()
    x, is_last = call.stored()
    keep = bool(call.attribute("keepdims", 1))
    try:
        given = call.ints("axes", 1)
    except DataDependent:
        return _over_computed_axes(call, apply)
    if not given:
        if call.attribute("noop_with_empty_axes", 0):
            # Reduced over no axis, only the elementwise part of the reduction is left.
            return LayoutTensor(apply(x[..., None], [rank]), is_last)
        given = tuple(range(rank))
    axes = sorted({axis + rank if axis < 0 else axis for axis in given})
    if is_last and not keep and 0 in axes and 1 not in axes:
        # Channels are first among the other axes.
        return LayoutTensor(apply(call.tensor(), axes))
    y = apply(x, [stored_axis(axis, rank, is_last) for axis in axes], keepdims=keep)
    still = is_last and (keep or (1 not in axes and rank - len(axes) > 2))
    return LayoutTensor(y, still)


def _over_computed_axes(call: Call, apply: Reduction) -> LayoutTensor:
    """Reduce over axes that only a run knows; their number may not decide the rank."""
    x, is_last = call.stored()
    rank = call.rank()
    axes = stored_axes(call.tensor(1), rank, is_last)
    if axes.shape.num_elements() is None and not call.attribute("noop_with_empty_axes", 0):
        axes = tf.cond(tf.size(axes) > 0, lambda: axes, lambda: tf.range(rank))
    if not call.attribute("keepdims", 1):
        raise DataDependent("which axes are reduced depends on the data, and they are not kept")
    return LayoutTensor(apply(x, axes, keepdims=True), is_last)


for _name, _reduction in _REDUCTIONS.items():
    operator(_name, layout=Layout.FOLLOWS)(partial(_reduced, apply=_reduction))


def _arg(call: Call, apply: Reduction) -> LayoutTensor:
    """Compute the index of an extreme entry along an axis, the first or last of equals."""
    rank = call.rank()
    x, is_last = call.stored()
    axis = int(call.attribute("axis", 0))
    axis = axis + rank if axis < 0 else axis
    keep = bool(call.attribute("keepdims", 1))
    if is_last and not keep and axis == 0:
        x, is_last = call.tensor(), False  # channels are first among the other axes
    place = stored_axis(axis, rank, is_last)
    if call.attribute("select_last_index", 0):
        last = tf.shape(x, out_type=tf.int64)[place] - 1
        y = last - apply(tf.reverse(x, [place]), place, output_type=tf.int64)
    else:
        y = apply(x, place, output_type=tf.int64)
    if keep:
        return LayoutTensor(tf.expand_dims(y, place), is_last)
    return LayoutTensor(y, is_last and axis != 1 and rank > 3)


for _name, _reduction in (("ArgMax", tf.argmax), ("ArgMin", tf.argmin)):
    operator(_name, layout=Layout.FOLLOWS)(partial(_arg, apply=_reduction))
