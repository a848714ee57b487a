"""Convert operators on shapes and axes: lengths, new and removed axes, pieces, repetition."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    model_layout,
    model_shape,
    one_layout,
    packed,
    rank_of,
    stored_axis,
    to_last,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator, stored
from kerasviz.types import Tensor


@operator("Shape")
def shape(call: Call) -> LayoutTensor:
    """Compute the shape in the model's layout, from axis ``start`` to ``end``."""
    lengths = model_shape(call.input())[call.attribute("start", 0) : call.attribute("end")]
    return LayoutTensor(tf.convert_to_tensor(packed(lengths), tf.int64))


@operator("Size")
def size(call: Call) -> LayoutTensor:
    """Compute the number of entries."""
    return LayoutTensor(tf.convert_to_tensor(prod(model_shape(call.input())), tf.int64))


@operator("Squeeze", layout=Layout.FOLLOWS)
def squeeze(call: Call) -> LayoutTensor:
    """Compute the value without some axes of length 1, by default without all."""
    rank = call.rank()
    if call.has(1) and not isinstance(call.input(1), Constant):
        return LayoutTensor(_without(call.tensor(), call.tensor(1)))
    x, is_last = call.stored()
    given = call.ints("axes", 1)
    if given is None:
        lengths = model_shape(call.input())
        given = tuple(axis for axis, n in enumerate(lengths) if isinstance(n, int) and n == 1)
    axes = sorted({_positive(axis, rank) for axis in given})
    if not axes:
        return LayoutTensor(tf.identity(x), is_last)
    if is_last and not {0, 1}.intersection(axes):
        gone = [stored_axis(axis, rank, is_last) for axis in axes]
        return LayoutTensor(tf.squeeze(x, gone), channels_last=rank - len(axes) > 2)
    return LayoutTensor(tf.squeeze(call.tensor(), axes))


def _positive(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


def _marked(axes: Tensor, rank: int) -> Tensor:
    """Return which of ``rank`` axes are in ``axes``; negative ones count from the end."""
    axes = tf.cast(tf.reshape(axes, [-1]), tf.int32)
    return tf.reduce_any(tf.range(rank) == tf.where(axes < 0, axes + rank, axes)[:, None], 0)


def _counted(axes: Tensor) -> int:
    count = axes.shape.num_elements()
    if count is None:
        raise DataDependent("the number of axes depends on the data")
    return int(count)


def _without(x: Tensor, axes: Tensor) -> Tensor:
    """Remove axes that only a run knows from ``x``."""
    rank = x.shape.rank
    count = _counted(axes)
    y = tf.reshape(x, tf.boolean_mask(tf.shape(x), ~_marked(axes, rank)))
    y.set_shape([None] * (rank - count))
    return y


@operator("Unsqueeze")
def unsqueeze(call: Call) -> LayoutTensor:
    """Compute the value with new axes of length 1."""
    if call.has(1) and not isinstance(call.input(1), Constant):
        return LayoutTensor(_with_ones(call.tensor(), call.tensor(1)))
    axes = call.ints("axes", 1) or ()
    rank = call.rank() + len(axes)
    axes = tuple(sorted(_positive(axis, rank) for axis in axes))
    x, is_last = call.stored()
    if is_last and any(axis < 2 for axis in axes):
        x, is_last = call.tensor(), False
    for axis in axes:
        x = tf.expand_dims(x, axis - 1 if is_last else axis)
    return LayoutTensor(x, is_last)


def _with_ones(x: Tensor, axes: Tensor) -> Tensor:
    """Add axes that only a run knows to ``x``."""
    rank = x.shape.rank + _counted(axes)
    places = tf.cast(tf.where(~_marked(axes, rank)), tf.int32)
    shape = tf.tensor_scatter_nd_update(tf.ones([rank], tf.int32), places, tf.shape(x))
    return tf.ensure_shape(tf.reshape(x, shape), [None] * rank)


@operator("Concat", since=1, layout=Layout.FOLLOWS)
def concat(call: Call) -> LayoutTensor:
    """Compute values joined along ``axis`` (1 by default before opset 4)."""
    values = call.all_inputs()
    axis = int(call.attribute("axis", 1))
    rank = rank_of(values[0])
    parts, is_last = one_layout(values)
    if len(parts) == 1:
        return LayoutTensor(tf.identity(parts[0]), is_last)
    return LayoutTensor(tf.concat(parts, stored_axis(axis, rank, is_last)), is_last)


@operator("Split", since=1, layout=Layout.FOLLOWS)
def split(call: Call) -> list[LayoutTensor | None]:
    """Compute pieces along ``axis``, of given or nearly equal lengths."""
    x, is_last = call.stored()
    axis = stored_axis(int(call.attribute("axis", 0)), call.rank(), is_last)
    count = len(call.node.outputs)
    try:
        lengths: Any = call.ints("split", 1)
    except DataDependent:
        lengths = call.tensor(1)
    if lengths is None:
        whole = x.shape[axis]
        if whole is None:
            whole = tf.shape(x)[axis]
        parts = int(call.attribute("num_outputs", count))
        piece = -(-whole // parts)
        lengths = [
            tf.clip_by_value(whole - piece * k, 0, piece)
            if tf.is_tensor(whole)
            else min(max(whole - piece * k, 0), piece)
            for k in range(parts)
        ]
        lengths = tf.stack(lengths) if tf.is_tensor(whole) else lengths
        count = parts
    return [LayoutTensor(part, is_last) for part in tf.split(x, lengths, axis, num=count)]


@operator("Expand", since=8, layout=Layout.FOLLOWS)
def expand(call: Call) -> LayoutTensor:
    """Compute the value broadcast to a shape, which is itself broadcast with the value's."""
    value, target = call.input(0), call.tensor(1)
    wide, rank = target.shape[0], rank_of(value)
    if wide is None:
        raise DataDependent("the number of axes depends on the data")
    known = tf.get_static_value(target)
    filled = [[max(rank - wide, 0), 0]]
    if known is None:
        target = tf.pad(tf.cast(target, tf.int64), filled, constant_values=1)
    else:
        target = np.pad(known, filled, constant_values=1)
    x, is_last = stored(value)
    if is_last and wide > rank:
        x, is_last = model_layout(value), False
    target = _stored_order(target, rank, is_last)
    if known is not None:
        source = [1] * max(wide - rank, 0) + model_shape(LayoutTensor(x))
        whole = [n if t == 1 else int(t) for n, t in zip(source, target, strict=True)]
        return LayoutTensor(tf.broadcast_to(x, packed(whole)), is_last)
    y = tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x, out_type=tf.int64), target))
    y.set_shape(tf.broadcast_static_shape(x.shape, tf.fill(target, 0).shape))
    return LayoutTensor(y, is_last)


def _stored_order(numbers: Tensor, rank: int, is_last: bool) -> Tensor:
    """Return one number per axis of the model, in the stored order of the axes."""
    if not is_last or rank < 3:
        return numbers
    known = tf.get_static_value(numbers)  # a gather would hide a known value
    return tf.gather(numbers, to_last(rank)) if known is None else known[to_last(rank)]


@operator("Tile", since=1, layout=Layout.FOLLOWS)
def tile_1(call: Call) -> LayoutTensor:
    """Compute the value repeated ``tiles`` times along one axis."""
    rank = call.rank()
    times, axis = (tf.reshape(tf.cast(call.tensor(k), tf.int64), []) for k in (1, 2))
    axis = tf.where(axis < 0, axis + rank, axis)
    return _tiled(call, tf.where(tf.range(rank, dtype=tf.int64) == axis, times, 1))


@operator("Tile", since=6, layout=Layout.FOLLOWS)
def tile_6(call: Call) -> LayoutTensor:
    """Compute the value repeated along its axes."""
    return _tiled(call, call.tensor(1))


def _tiled(call: Call, repeats: Tensor) -> LayoutTensor:
    x, is_last = call.stored()
    repeats = _stored_order(repeats, call.rank(), is_last)
    if x.dtype == tf.uint16:  # TensorFlow cannot tile this type
        return LayoutTensor(tf.cast(tf.tile(tf.cast(x, tf.int32), repeats), x.dtype), is_last)
    return LayoutTensor(tf.tile(x, repeats), is_last)
