"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import Laid, own, rank_of, stored_axis
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator

Tensor = Any

_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": tf.reduce_mean,
    "ReduceSum": tf.reduce_sum,
    "ReduceMax": tf.reduce_max,
    "ReduceMin": tf.reduce_min,
    "ReduceProd": tf.reduce_prod,
    "ReduceL1": lambda x, *a, **k: tf.reduce_sum(tf.abs(x), *a, **k),
    "ReduceL2": lambda x, *a, **k: tf.sqrt(tf.reduce_sum(tf.square(x), *a, **k)),
    "ReduceSumSquare": lambda x, *a, **k: tf.reduce_sum(tf.square(x), *a, **k),
    "ReduceLogSumExp": tf.reduce_logsumexp,
}


def _reduced(call: Call, apply: Callable[..., Tensor]) -> Laid:
    operand = call.input()
    rank = rank_of(operand)
    x, moved = stored(operand)
    given = call.ints("axes", 1)
    if not given:
        if given is not None and call.attribute("noop_with_empty_axes", 0):
            return Laid(tf.identity(x), moved)
        if call.attribute("noop_with_empty_axes", 0):
            return Laid(tf.identity(x), moved)
        given = tuple(range(rank))
    axes = sorted(axis % rank for axis in given)
    keep = bool(call.attribute("keepdims", 1))
    if moved and not keep and 0 in axes and 1 not in axes:
        return Laid(apply(own(operand), axes))  # the channels are first in what is left
    y = apply(x, [stored_axis(axis, rank, moved) for axis in axes], keepdims=keep)
    still = moved and (keep or (1 not in axes and rank - len(axes) > 2))
    return Laid(y, still)


def _register() -> None:
    for name, reduction in _REDUCTIONS.items():

        def convert(call: Call, apply: Callable[..., Tensor] = reduction) -> Laid:
            return _reduced(call, apply)

        operator(name, layout=Layout.FOLLOWS)(convert)


_register()


def _arg(call: Call, apply: Callable[..., Tensor]) -> Laid:
    x = own(call.input())
    axis = int(call.attribute("axis", 0))
    if call.attribute("select_last_index", 0):
        raise call.error("select_last_index is not supported")
    y = apply(x, axis, output_type=tf.int64)
    return Laid(tf.expand_dims(y, axis % x.shape.rank) if call.attribute("keepdims", 1) else y)


@operator("ArgMax")
def arg_max(call: Call) -> Laid:
    """Where the largest entry along an axis is."""
    return _arg(call, tf.argmax)


@operator("ArgMin")
def arg_min(call: Call) -> Laid:
    """Where the smallest entry along an axis is."""
    return _arg(call, tf.argmin)
