"""Shapes and axes: lengths, new and dropped axes, pieces, concatenation and repetition."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    channels_last,
    model_layout,
    model_shape,
    packed,
    rank_of,
    stored_axis,
    to_last,
)
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


@operator("Shape")
def shape(call: Call) -> LayoutTensor:
    """The shape in the model's own layout, from axis ``start`` to ``end``."""
    lengths = model_shape(call.input())[call.attribute("start", 0) : call.attribute("end")]
    return LayoutTensor(tf.convert_to_tensor(packed(lengths), tf.int64))


@operator("Size")
def size(call: Call) -> LayoutTensor:
    """The number of entries."""
    return LayoutTensor(tf.convert_to_tensor(prod(model_shape(call.input())), tf.int64))


@operator("Squeeze", layout=Layout.FOLLOWS)
def squeeze(call: Call) -> LayoutTensor:
    """The same without some axes of length 1, or without all of them."""
    operand = call.input()
    rank = rank_of(operand)
    if call.has(1) and not isinstance(call.input(1), Constant):
        return LayoutTensor(_without(model_layout(operand), call.tensor(1)))
    x, moved = stored(operand)
    given = call.ints("axes", 1)
    if given is None:
        lengths = model_shape(operand)
        given = tuple(axis for axis, n in enumerate(lengths) if isinstance(n, int) and n == 1)
    axes = sorted({_positive(axis, rank) for axis in given})
    if not axes:
        return LayoutTensor(tf.identity(x), moved)
    if moved and not {0, 1}.intersection(axes):
        gone = [stored_axis(axis, rank, moved) for axis in axes]
        return LayoutTensor(tf.squeeze(x, gone), channels_last=rank - len(axes) > 2)
    return LayoutTensor(tf.squeeze(model_layout(operand), axes))


def _positive(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


def _marked(axes: Tensor, rank: int) -> Tensor:
    """Which of ``rank`` axes are among ``axes``, of which negative ones count from the end."""
    axes = tf.cast(tf.reshape(axes, [-1]), tf.int32)
    return tf.reduce_any(tf.range(rank) == tf.where(axes < 0, axes + rank, axes)[:, None], 0)


def _counted(axes: Tensor) -> int:
    count = axes.shape.num_elements()
    if count is None:
        raise DataDependent("the number of axes depends on the data")
    return int(count)


def _without(x: Tensor, axes: Tensor) -> Tensor:
    """``x`` without axes that are known in a run only."""
    rank = x.shape.rank
    count = _counted(axes)
    y = tf.reshape(x, tf.boolean_mask(tf.shape(x), ~_marked(axes, rank)))
    y.set_shape([None] * (rank - count))
    return y


@operator("Unsqueeze")
def unsqueeze(call: Call) -> LayoutTensor:
    """The same with new axes of length 1."""
    operand = call.input()
    if call.has(1) and not isinstance(call.input(1), Constant):
        return LayoutTensor(_with_ones(model_layout(operand), call.tensor(1)))
    axes = call.ints("axes", 1) or ()
    rank = rank_of(operand) + len(axes)
    axes = tuple(sorted(_positive(axis, rank) for axis in axes))
    x, moved = stored(operand)
    if moved and any(axis < 2 for axis in axes):
        x, moved = model_layout(operand), False
    for axis in axes:
        x = tf.expand_dims(x, axis - 1 if moved else axis)
    return LayoutTensor(x, moved)


def _with_ones(x: Tensor, axes: Tensor) -> Tensor:
    """``x`` with new axes that are known in a run only."""
    rank = x.shape.rank + _counted(axes)
    places = tf.cast(tf.where(~_marked(axes, rank)), tf.int32)
    shape = tf.tensor_scatter_nd_update(tf.ones([rank], tf.int32), places, tf.shape(x))
    return tf.ensure_shape(tf.reshape(x, shape), [None] * rank)


@operator("Concat", since=1, layout=Layout.FOLLOWS)
def concat(call: Call) -> LayoutTensor:
    """Values one after another along ``axis`` (1 by default before opset 4)."""
    operands = call.all_inputs()
    axis = int(call.attribute("axis", 1))
    rank = rank_of(operands[0])
    moved = rank > 2 and any(isinstance(o, LayoutTensor) and o.channels_last for o in operands)
    parts = [channels_last(o) if moved else model_layout(o) for o in operands]
    if len(parts) == 1:
        return LayoutTensor(tf.identity(parts[0]), moved)
    return LayoutTensor(tf.concat(parts, stored_axis(axis, rank, moved)), moved)


@operator("Split", since=1, layout=Layout.FOLLOWS)
def split(call: Call) -> list[LayoutTensor | None]:
    """Pieces along ``axis``, of given lengths or as equal as can be."""
    operand = call.input()
    x, moved = stored(operand)
    axis = stored_axis(int(call.attribute("axis", 0)), rank_of(operand), moved)
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
    return [LayoutTensor(part, moved) for part in tf.split(x, lengths, axis, num=count)]


@operator("Expand", since=8, layout=Layout.FOLLOWS)
def expand(call: Call) -> LayoutTensor:
    """Broadcast to a shape, which is itself broadcast with that of the value."""
    operand, target = call.input(0), call.tensor(1)
    wide, rank = target.shape[0], rank_of(operand)
    if wide is None:
        raise DataDependent("the number of axes depends on the data")
    known = tf.get_static_value(target)
    filled = [[max(rank - wide, 0), 0]]
    if known is None:
        target = tf.pad(tf.cast(target, tf.int64), filled, constant_values=1)
    else:
        target = np.pad(known, filled, constant_values=1)
    x, moved = stored(operand)
    if moved and wide > rank:
        x, moved = model_layout(operand), False
    target = _stored_order(target, rank, moved)
    if known is not None:
        source = [1] * max(wide - rank, 0) + model_shape(LayoutTensor(x))
        whole = [n if t == 1 else int(t) for n, t in zip(source, target, strict=True)]
        return LayoutTensor(tf.broadcast_to(x, packed(whole)), moved)
    y = tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x, out_type=tf.int64), target))
    y.set_shape(tf.broadcast_static_shape(x.shape, tf.fill(target, 0).shape))  # what is known
    return LayoutTensor(y, moved)


def _stored_order(numbers: Tensor, rank: int, moved: bool) -> Tensor:
    """One number per axis of the model, in the order in which the axes are stored."""
    if not moved or rank < 3:
        return numbers
    known = tf.get_static_value(numbers)  # a gather would hide it
    return tf.gather(numbers, to_last(rank)) if known is None else known[to_last(rank)]


@operator("Tile", since=1, layout=Layout.FOLLOWS)
def tile_1(call: Call) -> LayoutTensor:
    """The value repeated ``tiles`` times along one axis."""
    rank = rank_of(call.input(0))
    times, axis = (tf.reshape(tf.cast(call.tensor(k), tf.int64), []) for k in (1, 2))
    axis = tf.where(axis < 0, axis + rank, axis)
    return _tiled(call, tf.where(tf.range(rank, dtype=tf.int64) == axis, times, 1))


@operator("Tile", since=6, layout=Layout.FOLLOWS)
def tile_6(call: Call) -> LayoutTensor:
    """The value repeated along its axes."""
    return _tiled(call, call.tensor(1))


def _tiled(call: Call, repeats: Tensor) -> LayoutTensor:
    operand = call.input(0)
    x, moved = stored(operand)
    repeats = _stored_order(repeats, rank_of(operand), moved)
    if x.dtype == tf.uint16:  # TensorFlow tiles all but these
        return LayoutTensor(tf.cast(tf.tile(tf.cast(x, tf.int32), repeats), x.dtype), moved)
    return LayoutTensor(tf.tile(x, repeats), moved)
