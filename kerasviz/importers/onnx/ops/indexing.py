"""Picking entries: slices and gathers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, Laid, own, rank_of, stored_axis
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator

Tensor = Any


@operator("Slice", since=1, layout=Layout.FOLLOWS)
def slice_1(call: Call) -> Laid:
    """Entries from ``starts`` to ``ends`` of some axes, given as attributes."""
    starts, ends = call.attribute("starts"), call.attribute("ends")
    axes = call.attribute("axes", tuple(range(len(starts))))
    return _sliced(call, starts, ends, axes, (1,) * len(starts))


@operator("Slice", since=10, layout=Layout.FOLLOWS)
def slice_10(call: Call) -> Laid:
    """Entries from ``starts`` to ``ends`` of some axes, in ``steps``, given as inputs."""
    starts, ends = _list(call, 1), _list(call, 2)
    axes = call.ints("axes", 3) or tuple(range(len(starts)))
    return _sliced(call, starts, ends, axes, call.ints("steps", 4) or (1,) * len(starts))


def _list(call: Call, index: int) -> list[Any]:
    """A list of numbers; a scalar tensor each where they depend on the data."""
    operand = call.input(index)
    if isinstance(operand, Constant):
        return [int(n) for n in operand.array.reshape(-1)]
    length = operand.tensor.shape[0]
    if length is None:
        raise call.error("the number of axes to slice depends on the data")
    return [operand.tensor[k] for k in range(length)]


def _sliced(call: Call, starts: Any, ends: Any, axes: Any, steps: Any) -> Laid:
    operand = call.input()
    x, moved = stored(operand)
    rank = rank_of(operand)
    cut = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = stored_axis(int(axis), rank, moved)
        cut[place] = slice(_bound(start), _end(end, step), step)
    return Laid(x[tuple(cut)], moved)


_FAR = 2**31 - 1  # TensorFlow takes the bounds as int32


def _bound(number: Any) -> Any:
    if isinstance(number, int):
        return max(min(number, _FAR), -_FAR)
    return tf.cast(tf.clip_by_value(number, -_FAR, _FAR), tf.int32)


def _end(number: Any, step: int) -> Any:
    """The end of a slice; going backwards, one far below 0 means that entry 0 is included."""
    if isinstance(number, int) and step < 0 and number < -_FAR // 2:
        return None
    return _bound(number)


@operator("Gather", since=1, layout=Layout.FOLLOWS)
def gather(call: Call) -> Laid:
    """Entries of ``axis`` at the given places; negative ones count from the end."""
    operand = call.input(0)
    places = own(call.input(1))
    rank = rank_of(operand)
    axis = int(call.attribute("axis", 0))
    x, moved = stored(operand)
    if moved and places.shape.rank != 1:
        x, moved = own(operand), False
    place = stored_axis(axis, rank, moved)
    if places.shape.rank == 0 and rank == 1:
        return Laid(x[tf.cast(places, tf.int32)])  # keeps what is static in a shape
    length = tf.cast(tf.shape(x)[place], places.dtype)
    return Laid(tf.gather(x, tf.where(places < 0, places + length, places), axis=place), moved)
