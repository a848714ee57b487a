"""Shapes and axes: reshape, transpose, concatenation and their like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    Laid,
    Operand,
    channels_last,
    own,
    own_shape,
    rank_of,
    stored_axis,
    to_first,
    to_last,
)
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator

Tensor = Any


def packed(lengths: Sequence[Any]) -> Tensor:
    """A shape of ints and scalar tensors as one thing that TensorFlow takes as a shape."""
    if all(isinstance(n, int) for n in lengths):
        return np.asarray(lengths, np.int64)
    return tf.stack([tf.cast(n, tf.int64) for n in lengths])


def _product(lengths: Sequence[Any]) -> Any:
    result: Any = 1
    for length in lengths:
        result = result * length
    return result


@operator("Shape")
def shape(call: Call) -> Laid:
    """The shape in the model's own layout, from axis ``start`` to ``end``."""
    lengths = own_shape(call.input())[call.attribute("start", 0) : call.attribute("end")]
    return Laid(tf.convert_to_tensor(packed(lengths), tf.int64))


@operator("Size")
def size(call: Call) -> Laid:
    """The number of entries."""
    return Laid(tf.convert_to_tensor(_product(own_shape(call.input())), tf.int64))


@operator("Reshape")
def reshape(call: Call) -> Laid:
    """Another shape; 0 keeps a length, unless ``allowzero`` is set, and -1 takes what is left.

    A model that was exported for one image may have 1 as the first length of the target. With
    several images that is the batch; strictly it would be an error.
    """
    operand = call.input()
    x = own(operand)
    if "shape" in call.node.attributes:
        target: Any = np.asarray(call.attribute("shape"), np.int64)
    else:
        given = call.input(1)
        target = given.array if isinstance(given, Constant) else tf.get_static_value(own(given))
        if target is None:
            return Laid(_to_computed_shape(call, x, own(given)))
    lengths = [int(n) for n in np.reshape(target, -1)]
    if not call.attribute("allowzero", 0):
        source = own_shape(Laid(x))
        lengths = [source[k] if n == 0 else n for k, n in enumerate(lengths)]
    return Laid(tf.reshape(x, packed(_with_batch(x, lengths) if call.row_wise else lengths)))


def _with_batch(x: Tensor, lengths: list[Any]) -> list[Any]:
    """The target [1, ...] for as many images as ``x`` has; unchanged if rows would be mixed."""
    static = x.shape.as_list()
    if len(lengths) < 2 or not isinstance(lengths[0], int) or lengths[0] != 1:
        return lengths
    if not static or static[0] == 1:
        return lengths
    rest = lengths[1:]
    if not all(isinstance(n, int) for n in rest):
        return lengths
    row = None if None in static[1:] else _product(static[1:])
    if -1 in rest:
        if row is None:
            return lengths
        known = -_product(rest)
        if known == 0 or row % known:
            return lengths
        rest = [row // known if n == -1 else n for n in rest]
    elif row is not None and row != _product(rest):
        return lengths
    return [static[0] if static[0] is not None else -1, *rest]


def _to_computed_shape(call: Call, x: Tensor, target: Tensor) -> Tensor:
    if target.shape.rank != 1 or target.shape[0] is None:
        raise call.error("the number of axes depends on the data")
    if call.attribute("allowzero", 0):
        return tf.reshape(x, target)
    source = tf.shape(x, out_type=tf.int64)
    wide, rank = target.shape[0], x.shape.rank
    source = source[:wide] if rank >= wide else tf.pad(source, [[0, wide - rank]])
    y = tf.reshape(x, tf.where(target == 0, source, target))
    # Which entries were 0 is known only in the run, but what is static in `target` is not lost.
    known = tf.reshape(x, target).shape.as_list() if rank >= wide else [None] * wide
    y.set_shape([n if n != 0 else None for n in known])
    return y


@operator("Flatten", since=1)
def flatten(call: Call) -> Laid:
    """A matrix: the axes before ``axis`` are one, those from it on are the other."""
    x = own(call.input())
    axis = int(call.attribute("axis", 1))
    lengths = own_shape(Laid(x))
    axis = axis + len(lengths) if axis < 0 else axis
    head, tail = lengths[:axis], lengths[axis:]
    if all(isinstance(n, int) for n in tail):
        return Laid(tf.reshape(x, [-1, _product(tail)] if 0 not in tail else packed([0, 0])))
    return Laid(tf.reshape(x, packed([_product(head), -1])))


@operator("Transpose")
def transpose(call: Call) -> Laid:
    """Another order of the axes; between the two layouts it is but another tag."""
    operand = call.input()
    rank = rank_of(operand)
    order = [int(a) for a in call.attribute("perm", range(rank - 1, -1, -1))]
    x, moved = stored(operand)
    if rank > 2 and moved and order == to_last(rank):
        return Laid(tf.identity(x))
    if call.image_like and rank > 2 and not moved and order == to_first(rank):
        return Laid(tf.identity(x), moved=True)
    source = [stored_axis(axis, rank, moved) for axis in order]
    return Laid(tf.transpose(x, source))


@operator("Squeeze", layout=Layout.FOLLOWS)
def squeeze(call: Call) -> Laid:
    """The same without some axes of length 1, or without all of them."""
    operand = call.input()
    rank = rank_of(operand)
    x, moved = stored(operand)
    given = call.ints("axes", 1)
    if given is None:
        lengths = own_shape(operand)
        given = tuple(axis for axis, n in enumerate(lengths) if isinstance(n, int) and n == 1)
    axes = sorted({axis % rank for axis in given})
    if not axes:
        return Laid(tf.identity(x), moved)
    if moved and not {0, 1}.intersection(axes):
        gone = [stored_axis(axis, rank, moved) for axis in axes]
        return Laid(tf.squeeze(x, gone), moved=rank - len(axes) > 2)
    return Laid(tf.squeeze(own(operand), axes))


@operator("Unsqueeze")
def unsqueeze(call: Call) -> Laid:
    """The same with new axes of length 1."""
    x = own(call.input())
    axes = call.ints("axes", 1) or ()
    rank = x.shape.rank + len(axes)
    for axis in sorted(a % rank for a in axes):
        x = tf.expand_dims(x, axis)
    return Laid(x)


@operator("Concat", since=1, layout=Layout.FOLLOWS)
def concat(call: Call) -> Laid:
    """Values one after another along ``axis`` (1 by default before opset 4)."""
    operands = call.operands()
    axis = int(call.attribute("axis", 1))
    rank = rank_of(operands[0])
    moved = rank > 2 and any(isinstance(o, Laid) and o.moved for o in operands)
    parts = [channels_last(o) if moved else own(o) for o in operands]
    if len(parts) == 1:
        return Laid(tf.identity(parts[0]), moved)
    return Laid(tf.concat(parts, stored_axis(axis, rank, moved)), moved)


@operator("Split", since=1, layout=Layout.FOLLOWS)
def split(call: Call) -> list[Laid | None]:
    """Pieces along ``axis``, of given lengths or as equal as can be."""
    operand = call.input()
    x, moved = stored(operand)
    axis = stored_axis(int(call.attribute("axis", 0)), rank_of(operand), moved)
    lengths = call.ints("split", 1)
    if lengths is None:
        whole, count = x.shape[axis], len(call.node.outputs)
        if whole is None:
            return [Laid(part, moved) for part in tf.split(x, count, axis)]
        piece = -(-whole // count)
        lengths = (*([piece] * (count - 1)), whole - piece * (count - 1))
    return [Laid(part, moved) for part in tf.split(x, list(lengths), axis)]


@operator("Expand", since=8)
def expand(call: Call) -> Laid:
    """Broadcast to a shape, which is itself broadcast with that of the value."""
    x = own(call.input(0))
    target = own(call.input(1))
    whole = tf.broadcast_dynamic_shape(tf.shape(x, out_type=tf.int64), tf.cast(target, tf.int64))
    return Laid(tf.broadcast_to(x, whole))


@operator("Tile", since=6)
def tile(call: Call) -> Laid:
    """The value repeated along its axes."""
    return Laid(tf.tile(own(call.input(0)), own(call.input(1))))


@operator("ConstantOfShape", since=9)
def constant_of_shape(call: Call) -> Laid:
    """A value of one number, 0 by default."""
    value = call.attribute("value", np.zeros(1, np.float32))
    return Laid(tf.fill(own(call.input()), tf.constant(np.reshape(value, -1)[0])))


@operator("Range", since=11)
def sequence(call: Call) -> Laid:
    """Numbers from ``start`` to ``limit``, ``delta`` apart."""
    return Laid(tf.range(*(own(call.input(k)) for k in range(3))))


@operator("Pad", since=1, layout=Layout.FOLLOWS)
def pad(call: Call) -> Laid:
    """Entries added at (or, with negative numbers, taken from) both ends of the axes."""
    operand = call.input()
    x, moved = stored(operand)
    rank = rank_of(operand)
    flat = call.ints("paddings", 1) if "paddings" in call.node.attributes else call.ints("pads", 1)
    if flat is None:
        raise call.error("pads are missing")
    axes = call.ints("axes", 3) or tuple(range(rank))
    pairs = [(0, 0)] * rank
    for axis, pair in zip(
        axes, zip(flat[: len(axes)], flat[len(axes) :], strict=True), strict=True
    ):
        pairs[stored_axis(axis, rank, moved)] = pair
    cut = tuple(slice(max(-a, 0), -max(-b, 0) or None) for a, b in pairs)
    x = x[cut] if any(n < 0 for pair in pairs for n in pair) else x
    pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    mode = call.attribute("mode", "constant")
    if mode == "constant":
        value = call.constant(2, "constant_value")
        number = call.attribute("value", 0.0) if value is None else value.reshape(-1)[0]
        return Laid(tf.pad(x, pairs, constant_values=tf.cast(number, x.dtype)), moved)
    if mode == "reflect":
        return Laid(tf.pad(x, pairs, "REFLECT"), moved)
    if mode not in ("edge", "wrap"):
        raise call.error(f"mode {mode!r}; expected constant, reflect, edge or wrap")
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            length = tf.shape(x)[axis]
            places = tf.range(-before, length + after)
            inside = places % length if mode == "wrap" else tf.clip_by_value(places, 0, length - 1)
            x = tf.gather(x, inside, axis=axis)
    return Laid(x, moved)
