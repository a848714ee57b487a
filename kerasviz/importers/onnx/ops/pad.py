"""Convert Pad, which adds or removes entries at both ends of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import DataDependent, LayoutTensor, stored_axis
from kerasviz.importers.onnx.registry import Call, Layout, operator, whole_numbers
from kerasviz.types import Tensor

#: An int, or a scalar int32 tensor where only a run knows it.
Number = Any


@operator("Pad", since=1, layout=Layout.FOLLOWS)
def pad(call: Call) -> LayoutTensor:
    """Compute the value with entries added at both ends of axes; negative pads remove some."""
    x, is_last = call.stored()
    rank = call.rank()
    axes = call.ints("axes", 3) or tuple(range(rank))
    flat = _pads(call)
    if len(flat) != 2 * len(axes):
        raise call.error(f"{len(flat)} pads for {len(axes)} axes; expected {2 * len(axes)}")
    pairs: list[tuple[Number, Number]] = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        pairs[stored_axis(axis, rank, is_last)] = (flat[k], flat[k + len(axes)])
    x = _cut(x, pairs)
    pairs = [(_positive(a), _positive(b)) for a, b in pairs]
    mode = call.choice("mode", "constant", "reflect", "edge", "wrap")
    if mode == "constant":
        return LayoutTensor(_filled(x, pairs, _value(call, x)), is_last)
    if mode == "reflect" and all(_fits(x, k, pair) for k, pair in enumerate(pairs)):
        return LayoutTensor(tf.pad(x, pairs, "REFLECT"), is_last)
    for axis, pair in enumerate(pairs):
        if not _is_none(pair):
            x = _continued(x, axis, pair, mode)
    return LayoutTensor(x, is_last)


def _pads(call: Call) -> list[Number]:
    for name in ("paddings", "pads"):  # attributes before opsets 2 and 11
        if name in call.node.attributes:
            return [int(n) for n in call.attribute(name)]
    if not call.has(1):
        raise call.error("pads are missing")
    pads = whole_numbers(call, 1)
    if pads is None:
        raise DataDependent("the number of pads depends on the data")
    return [n if isinstance(n, int) else tf.cast(n, tf.int32) for n in pads]


def _value(call: Call, x: Tensor) -> Tensor:
    if not call.has(2):
        return tf.cast(call.attribute("value", 0.0), x.dtype)
    value = tf.cast(tf.reshape(call.tensor(2), [-1]), x.dtype)
    return value[0] if value.shape[0] != 0 else tf.zeros([], x.dtype)


def _is_none(pair: tuple[Number, Number]) -> bool:
    return all(isinstance(n, int) and n == 0 for n in pair)


def _positive(number: Number) -> Number:
    return max(number, 0) if isinstance(number, int) else tf.maximum(number, 0)


def _cut(x: Tensor, pairs: Sequence[tuple[Number, Number]]) -> Tensor:
    """Remove the entries that negative pads remove."""
    if all(isinstance(n, int) and n >= 0 for pair in pairs for n in pair):
        return x
    cut = []
    for axis, (before, after) in enumerate(pairs):
        start, gone = _positive(-before), _positive(-after)
        if isinstance(gone, int):
            cut.append(slice(start, -gone or None))
        else:
            cut.append(slice(start, tf.shape(x)[axis] - gone))
    return x[tuple(cut)]


def _filled(x: Tensor, pairs: Sequence[tuple[Number, Number]], value: Tensor) -> Tensor:
    if all(_is_none(pair) for pair in pairs):
        return tf.identity(x)
    return tf.pad(x, pairs, constant_values=value)


def _fits(x: Tensor, axis: int, pair: tuple[Number, Number]) -> bool:
    """Return whether one reflection is enough; TensorFlow checks free lengths itself."""
    if _is_none(pair):
        return True
    if x.shape.rank > 5 or not all(isinstance(n, int) for n in pair):
        return False
    length = x.shape[axis]
    return length is None or max(pair) < length


def _continued(x: Tensor, axis: int, pair: tuple[Number, Number], mode: str) -> Tensor:
    """Continue ``x`` along an axis by its last entry, from its start, or mirrored."""
    before, after = pair
    length, head = x.shape[axis], [slice(None)] * axis
    small = isinstance(before, int) and isinstance(after, int)
    if mode == "edge" and small and length != 0:
        first, last = x[(*head, slice(0, 1))], x[(*head, slice(-1, None))]
        parts = [tf.repeat(first, before, axis)] if before else []
        parts += [x] + ([tf.repeat(last, after, axis)] if after else [])
        return tf.concat(parts, axis)
    if mode == "wrap" and small and length is not None and max(pair) <= length:
        parts = [x[(*head, slice(length - before, None))], x, x[(*head, slice(0, after))]]
        return tf.concat(parts, axis)
    count = tf.shape(x)[axis]
    places = tf.range(-before, count + after)
    if mode == "edge":
        inside = tf.clip_by_value(places, 0, count - 1)
    elif mode == "wrap":
        inside = places % count
    else:
        period = tf.maximum(2 * (count - 1), 1)
        turn = places % period
        inside = tf.minimum(turn, period - turn) if length != 1 else tf.zeros_like(places)
        inside = tf.minimum(inside, count - 1)
    y = tf.gather(x, inside, axis=axis)
    known = x.shape.as_list()
    known[axis] = length + before + after if small and length is not None else None
    return tf.ensure_shape(y, known)
