"""Convert slices, gathers and reversed sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    TensorValue,
    model_layout,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator, whole_numbers
from kerasviz.types import Tensor

#: The farthest bound: TensorFlow takes bounds as int32.
_FAR = 2**31 - 1


@operator("Slice", since=1, layout=Layout.FOLLOWS)
def slice_1(call: Call) -> LayoutTensor:
    """Compute the entries from ``starts`` to ``ends`` of some axes, given as attributes."""
    starts, ends = call.attribute("starts"), call.attribute("ends")
    axes = call.attribute("axes", tuple(range(len(starts))))
    return _sliced(call, starts, ends, axes, (1,) * len(starts))


@operator("Slice", since=10, layout=Layout.FOLLOWS)
def slice_10(call: Call) -> LayoutTensor:
    """Compute the entries from ``starts`` to ``ends`` of axes in ``steps``, given as inputs."""
    starts, ends = whole_numbers(call, 1), whole_numbers(call, 2)
    steps = whole_numbers(call, 4) if call.has(4) else None
    try:
        axes = call.ints("axes", 3)
    except DataDependent:
        return _sliced_anywhere(call)
    if starts is None or ends is None:
        return _sliced_anywhere(call)
    axes = tuple(range(len(starts))) if axes is None else axes
    return _sliced(call, starts, ends, axes, steps or (1,) * len(starts))


def _sliced(call: Call, starts: Any, ends: Any, axes: Any, steps: Any) -> LayoutTensor:
    x, is_last = call.stored()
    rank = call.rank()
    cut = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = stored_axis(int(axis), rank, is_last)
        cut[place] = slice(_bound(start), _bound(end), _bound(step))
    return LayoutTensor(x[tuple(cut)], is_last)


def _bound(number: Any) -> Any:
    """Return a bound within TensorFlow's range; one beyond the value means its first or last entry.

    TensorFlow reads all bounds as ONNX does, even those of negative steps.
    """
    if isinstance(number, int):
        return max(min(number, _FAR), -_FAR)
    return tf.cast(tf.clip_by_value(number, -_FAR, _FAR), tf.int32)


def _sliced_anywhere(call: Call) -> LayoutTensor:
    """Slice along axes that depend on the data."""
    x, is_last = call.stored()
    rank = call.rank()
    starts, ends = (_bound(call.tensor(k)) for k in (1, 2))
    steps = _bound(call.tensor(4)) if call.has(4) else tf.ones_like(starts)
    axes = call.tensor(3) if call.has(3) else tf.range(tf.size(starts))
    places = stored_axes(axes, rank, is_last)[:, None]

    def of_all_axes(default: int, given: Tensor) -> Tensor:
        return tf.tensor_scatter_nd_update(tf.fill([rank], default), places, given)

    begin, end, step = of_all_axes(0, starts), of_all_axes(_FAR, ends), of_all_axes(1, steps)
    y = tf.strided_slice(x, begin, end, step)
    y.set_shape([None] * rank)
    return LayoutTensor(y, is_last)


def stored_axes(axes: Tensor, rank: int, is_last: bool) -> Tensor:
    """Return where axes are stored that only a run knows."""
    order = [stored_axis(axis, rank, is_last) for axis in range(rank)]
    return tf.gather(order, tf.where(axes < 0, axes + rank, axes))


@operator("Gather", since=1, layout=Layout.FOLLOWS)
def gather(call: Call) -> LayoutTensor:
    """Compute the entries of ``axis`` at the given indices; negative ones count from the end."""
    rank, width = call.rank(), call.rank(1)
    axis = int(call.attribute("axis", 0))
    axis = axis + rank if axis < 0 else axis
    x, is_last = call.stored()
    if is_last and (width > 1 or (width == 0 and axis == 0)):
        x, is_last = call.tensor(), False
    place = stored_axis(axis, rank, is_last)
    if width == 0 and rank == 1:
        return LayoutTensor(_entry(x, tf.cast(call.tensor(1), tf.int32)))
    places = _places(call.input(1), x, place)
    # Without axis 1, or with two axes left, the result is in the model's layout.
    still = is_last and (width == 1 or (axis != 1 and rank > 3))
    return LayoutTensor(tf.gather(x, places, axis=place), still)


def _entry(x: Tensor, index: Tensor) -> Tensor:
    """Return an entry of a vector, constant if it is a known length of a partly known shape."""
    place = tf.get_static_value(index)
    lengths = None if place is None else tf.get_static_value(x, partial=True)
    known = None if lengths is None else lengths[int(place)]
    if known is not None:
        return tf.constant(known, x.dtype)
    return x[index if place is None else int(place)]


def _places(value: TensorValue, x: Tensor, axis: int) -> Tensor:
    """Return indices along ``axis`` of ``x`` that count from the start."""
    length = x.shape[axis]
    if isinstance(value, Constant) and (length is not None or (value.array >= 0).all()):
        return value.tensor(("from start", length), lambda a: np.where(a < 0, a + (length or 0), a))
    places = model_layout(value)
    return tf.where(places < 0, places + tf.cast(tf.shape(x)[axis], places.dtype), places)


@operator("ReverseSequence", since=10, layout=Layout.FOLLOWS)
def reverse_sequence(call: Call) -> LayoutTensor:
    """Compute sequences whose first ``sequence_lens[b]`` steps are reversed."""
    x, is_last = call.stored()
    rank = call.rank()
    batch = stored_axis(int(call.attribute("batch_axis", 1)), rank, is_last)
    time = stored_axis(int(call.attribute("time_axis", 0)), rank, is_last)
    lengths = call.tensor(1)
    return LayoutTensor(tf.reverse_sequence(x, lengths, seq_axis=time, batch_axis=batch), is_last)
