"""Convert Reshape, Flatten and Transpose."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    Interleaved,
    LayoutTensor,
    OnnxValue,
    Quantized,
    model_layout,
    model_shape,
    packed,
    rank_of,
    stored_axis,
    to_first,
    to_last,
    unpacked,
)
from kerasviz.importers.onnx.registry import Call, operator, stored
from kerasviz.types import Tensor


@operator("Reshape", interleaved=True)
def reshape(call: Call) -> LayoutTensor | Interleaved:
    """Compute another shape; 0 keeps a length unless ``allowzero`` is set, and -1 takes the rest.

    A model that was exported for one image may have 1 as the first length of the target. For
    several images it stands for the batch, although it is an error by the standard.
    """
    keeps = not call.attribute("allowzero", 0)
    fixed = True
    if "shape" in call.node.attributes:
        target: Any = np.asarray(call.attribute("shape"), np.int64)
    else:
        target_input = call.input(1)
        fixed = isinstance(target_input, Constant)
        target = (
            target_input.array
            if isinstance(target_input, Constant)
            else tf.get_static_value(model_layout(target_input))
        )
        if target is None:
            return _computed(call, model_layout(target_input), keeps=keeps)
    lengths = [int(n) for n in np.reshape(target, -1)]
    source = _lengths_of(call.value())
    if fixed and _keeps_channels(call, lengths, source):
        rest = [source[k + 2] if n == 0 else n for k, n in enumerate(lengths[2:])]
        x, _ = call.stored()
        return LayoutTensor(
            tf.reshape(x, packed([source[0], *rest, source[1]])), channels_last=True
        )
    same = call.keeps_rows or (keeps and lengths[:1] == [0])
    if keeps:
        lengths = [source[k] if n == 0 else n for k, n in enumerate(lengths)]
    if call.row_wise:
        lengths = _with_batch([n if isinstance(n, int) else None for n in source], lengths)
    result = _as_stored(call, source, lengths, same=same)
    return LayoutTensor(tf.reshape(call.tensor(), packed(lengths))) if result is None else result


def _lengths_of(value: OnnxValue) -> list[Any]:
    if isinstance(value, Interleaved):
        return value.lengths()
    assert isinstance(value, LayoutTensor | Constant)
    return model_shape(value)


def _keeps_channels(call: Call, target: list[int], source: list[Any]) -> bool:
    """Return whether only axes behind the first two are reshaped, so that channels stay last.

    The answer must not depend on lengths that are free in some traces and known in others.
    """
    value = call.value()
    is_last = (
        isinstance(value, LayoutTensor)
        and value.channels_last
        and min(len(source), len(target)) > 2
    )
    if not is_last or call.attribute("allowzero", 0):
        return False
    images = target[0] == 0 or (call.row_wise and target[0] == 1)
    return images and (target[1] == 0 or (isinstance(source[1], int) and target[1] == source[1]))


def _with_batch(static: list[int | None], lengths: list[Any]) -> list[Any]:
    """Return the target [1, ...] for the actual batch; unchanged if rows would be mixed."""
    if len(lengths) < 2 or not isinstance(lengths[0], int) or lengths[0] != 1:
        return lengths
    if not static or static[0] == 1:
        return lengths
    rest = lengths[1:]
    if not all(isinstance(n, int) for n in rest):
        return lengths
    row = _number(static[1:])
    if -1 in rest:
        if row is None:
            return lengths
        known = -prod(rest)
        if known == 0 or row % known:
            return lengths
        rest = [row // known if n == -1 else n for n in rest]
    elif row is not None and row != prod(rest):
        return lengths
    return [static[0] if static[0] is not None else -1, *rest]


def _number(lengths: Sequence[Any]) -> int | None:
    """Return the number of entries if all lengths are known."""
    return prod(lengths) if all(isinstance(n, int) for n in lengths) else None


# -- without a transpose -------------------------------------------------------------------------


def _as_stored(
    call: Call, source: list[Any], lengths: list[Any], *, same: bool
) -> LayoutTensor | Interleaved | None:
    """Reshape a value without a transpose where its stored order allows it, else return ``None``.

    ``same`` says that the target keeps the first length. Layouts must not depend on lengths that
    are free in some traces and known in others: the result is channels last only where every such
    trace would agree.
    """
    x, channels = _pixels(call.value(), source)
    row = _number(source[1:])
    if not channels or row == 0 or len(lengths) < 2:
        return None
    same = same or (isinstance(source[0], int) and source[0] == lengths[0])
    inner = _filled(lengths[1:], row) if same else lengths[1:]
    exact = row is not None and _number(inner) == row and min(inner) > 0
    if len(inner) == 1 and call.interleaves and (same or exact):
        return Interleaved(tf.reshape(x, packed(lengths)), channels)
    if len(inner) > 1 and inner[0] == channels and call.image_like and (same or exact):
        return LayoutTensor(
            tf.reshape(x, packed([lengths[0], *inner[1:], channels])), channels_last=True
        )
    for parts in range(2, len(inner) + 1 if exact else 0):
        if call.interleaves and prod(inner[:parts]) == channels:
            shape = packed([lengths[0], *inner[parts:], *inner[:parts]])
            return Interleaved(tf.reshape(x, shape), channels, parts)
    return None


def _pixels(value: OnnxValue, source: list[Any]) -> tuple[Tensor, int]:
    """Return the stored tensor of a value with the channels of a pixel together, and their number.

    The number is 0 for a value whose entries are in the order of the model.
    """
    if isinstance(value, Interleaved):
        return value.tensor, value.channels
    if not isinstance(value, LayoutTensor) or isinstance(value, Quantized):
        return None, 0
    is_last = value.channels_last and len(source) > 2 and _number(source[2:]) not in (0, 1)
    return value.tensor, source[1] if is_last and isinstance(source[1], int) else 0


def _filled(inner: list[Any], row: int | None) -> list[Any]:
    """Return the lengths of a row with -1 replaced by the rest."""
    if row is None or _number(inner) is None or inner.count(-1) != 1:
        return inner
    others = -prod(inner)
    return [row // others if n == -1 else n for n in inner] if others else inner


@operator("Flatten", since=1)
def flatten(call: Call) -> LayoutTensor | Interleaved:
    """Compute a matrix of the axes before ``axis`` and of those from it on."""
    value = call.input()
    lengths = model_shape(value)
    axis = int(call.attribute("axis", 1))
    axis = axis + len(lengths) if axis < 0 else axis
    head, tail = lengths[:axis], lengths[axis:]
    shape: list[Any] = [prod(head), prod(tail)]
    if all(isinstance(n, int) for n in tail) and 0 not in tail:
        shape[0] = -1
    x, channels = _pixels(value, lengths)
    if axis == 1 and channels and call.interleaves:
        return Interleaved(tf.reshape(x, packed(shape)), channels)
    return LayoutTensor(tf.reshape(model_layout(value), packed(shape)))


@operator("Transpose", interleaved=True)
def transpose(call: Call) -> LayoutTensor | Interleaved:
    """Compute another order of the axes; a change between the layouts only changes the tag."""
    interleaved = call.value()
    if isinstance(interleaved, Interleaved) and interleaved.parts:
        return _turned(call, interleaved)
    value = call.input()
    rank = rank_of(value)
    order = [int(a) for a in call.attribute("perm", range(rank - 1, -1, -1))]
    x, is_last = stored(value)
    if rank > 2 and is_last and order == to_last(rank):
        return LayoutTensor(tf.identity(x))
    if call.image_like and rank > 2 and not is_last and order == to_first(rank):
        return LayoutTensor(tf.identity(x), channels_last=True)
    source = [stored_axis(axis, rank, is_last) for axis in order]
    return LayoutTensor(tf.transpose(x, source))


def _turned(call: Call, interleaved: Interleaved) -> LayoutTensor | Interleaved:
    """Transpose a value whose channels are cut into parts; a shuffle keeps it interleaved."""
    rank, parts = interleaved.tensor.shape.rank, interleaved.parts
    order = [int(a) for a in call.attribute("perm", range(rank - 1, -1, -1))]
    if sorted(order) != list(range(rank)):
        raise ValueError(f"perm {order} is no order of {rank} axes")
    behind = [*range(parts + 1, rank)]
    if call.interleaves and order[0] == 0 and order[parts + 1 :] == behind:
        shuffled = [interleaved.stored_axis(axis) for axis in (0, *behind, *order[1 : parts + 1])]
        return Interleaved(tf.transpose(interleaved.tensor, shuffled), interleaved.channels, parts)
    source = [interleaved.stored_axis(axis) for axis in order]
    if call.image_like:
        return LayoutTensor(
            tf.transpose(interleaved.tensor, [source[a] for a in to_last(rank)]), channels_last=True
        )
    return LayoutTensor(tf.transpose(interleaved.tensor, source))


# -- a shape that depends on the data ------------------------------------------------------------


def _computed(call: Call, target: Tensor, *, keeps: bool) -> LayoutTensor | Interleaved:
    """Reshape to a target that depends on the data; with ``keeps`` a 0 keeps a length."""
    if target.shape.rank != 1 or target.shape[0] is None:
        raise DataDependent("the number of axes depends on the data")
    source = _lengths_of(call.value())
    x, channels = _pixels(call.value(), source)
    if call.interleaves and call.keeps_rows and channels and target.shape[0] == 2:
        return Interleaved(_to_computed(x, source, target, keeps=keeps), channels)
    if call.keeps_rows and channels and target.shape[0] > 2:
        known = _with_rest(_known_lengths(x, target), source)
        if keeps and known[1] == 0:
            known[1] = channels
        if call.image_like and known[1] == channels:
            shape = _behind(source, target, known, 1, keeps=keeps)
            return LayoutTensor(_shaped(x, *shape), channels_last=True)
        for parts in range(2, len(known)):
            if call.interleaves and _number(known[1 : parts + 1]) == channels:
                shape = _behind(source, target, known, parts, keeps=keeps)
                return Interleaved(_shaped(x, *shape), channels, parts)
    y = _to_computed(call.tensor(), source, target, keeps=keeps)
    if call.keeps_rows:
        y.set_shape(_with_rest(y.shape.as_list(), source))
    return LayoutTensor(y)


def _with_rest(static: list[int | None], source: list[Any]) -> list[int | None]:
    """Fill the only free length of a row of ``source`` in another shape."""
    inner = _filled([-1 if n is None else n for n in static[1:]], _number(source[1:]))
    return [static[0], *(None if n == -1 else n for n in inner)]


def _to_computed(x: Tensor, lengths: list[Any], target: Tensor, *, keeps: bool) -> Tensor:
    """Reshape ``x``, which has ``lengths`` in the model, to ``target``."""
    if not keeps:
        return tf.reshape(x, target)
    wide, rank = target.shape[0], x.shape.rank
    kept = [*(n if isinstance(n, int) else None for n in lengths), *[None] * wide]
    known = [k if n == 0 else n for n, k in zip(_lengths_in(target), kept, strict=False)]
    if known.count(None) == 1 and 0 not in known:  # the only free length is the rest
        return tf.reshape(x, [-1 if n is None else n for n in known])
    target = tf.cast(target, tf.int64)
    source = tf.convert_to_tensor(packed(lengths), tf.int64)
    source = source[:wide] if rank >= wide else tf.pad(source, [[0, wide - rank]])
    y = tf.reshape(x, tf.where(target == 0, source, target))
    # Only a run knows which entries are 0, but known lengths of `target` are kept.
    known = _known_lengths(x, target)
    y.set_shape([n if n != 0 else k for n, k in zip(known, kept, strict=False)])
    return y


def _lengths_in(target: Tensor) -> list[int | None]:
    """Return the known entries of a vector of lengths, ``None`` for -1 and the others."""
    numbers = unpacked(target)
    if numbers is None:
        numbers = tf.fill(target, False).shape.as_list()
    return [n if isinstance(n, int) and n >= 0 else None for n in numbers]


def _known_lengths(x: Tensor, target: Tensor) -> list[int | None]:
    """Return the known lengths of a computed target, 0 where one of ``x`` is kept."""
    known = _lengths_in(target)
    return known if 0 in known else tf.reshape(x, target).shape.as_list()


def _behind(
    source: list[Any], target: Tensor, known: list[int | None], parts: int, *, keeps: bool
) -> tuple[Tensor, list[int | None]]:
    """Return a target with its ``parts`` axes of channels behind all others, and what is known."""
    target = tf.cast(target, tf.int64)
    if keeps:
        lengths = packed([*source, *[1] * len(known)][: len(known)])
        target = tf.where(target == 0, tf.convert_to_tensor(lengths, tf.int64), target)
    channels = known[1 : parts + 1]
    static = [known[0], *known[parts + 1 :]]
    shape = tf.concat([target[:1], target[parts + 1 :], tf.constant(channels, tf.int64)], 0)
    return shape, [*(n or None for n in static), *channels]


def _shaped(x: Tensor, shape: Tensor, static: list[int | None]) -> Tensor:
    y = tf.reshape(x, shape)
    y.set_shape(static)
    return y
