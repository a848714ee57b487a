"""Convert sequences and optionals; the length of a sequence is known in a trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    EmptyOptional,
    LayoutTensor,
    OnnxValue,
    SequenceValue,
    TensorValue,
    model_layout,
    model_shape,
    one_layout,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, Layout, body_outputs, operator, stored
from kerasviz.types import Tensor


def items_of(call: Call, index: int = 0) -> tuple[OnnxValue, ...]:
    """Return input ``index`` as the values of a sequence."""
    value = call.value(index)
    if not isinstance(value, SequenceValue):
        raise ValueError(f"input {index} is no sequence")
    return value.items


def _tensors_of(call: Call, index: int = 0) -> list[TensorValue]:
    items = items_of(call, index)
    tensors = [item for item in items if isinstance(item, LayoutTensor | Constant)]
    if len(tensors) != len(items):
        raise ValueError(f"input {index} holds values that are no tensors")
    return tensors


@operator("SequenceEmpty", since=11)
def sequence_empty(call: Call) -> SequenceValue:
    """Return a sequence without values."""
    return SequenceValue(())


@operator("SequenceConstruct", since=11)
def sequence_construct(call: Call) -> SequenceValue:
    """Return the sequence of all inputs."""
    return SequenceValue(tuple(call.all_inputs()))


@operator("SequenceLength", since=11)
def sequence_length(call: Call) -> Constant:
    """Return the number of values."""
    return Constant(np.asarray(len(items_of(call)), np.int64))


def _place(call: Call, index: int, length: int, end: int) -> int:
    """Return the position in input ``index`` among ``length`` values; negative ones count back."""
    given = int(np.reshape(call.constant(index, "the position in a sequence"), ()))
    place = given + length if given < 0 else given
    if not 0 <= place < end:
        raise call.error(f"position {given} is outside of a sequence of {length} values")
    return place


@operator("SequenceInsert", since=11)
def sequence_insert(call: Call) -> SequenceValue:
    """Return the sequence with one more value before ``position``, by default at the end."""
    items = items_of(call)
    place = _place(call, 2, len(items), len(items) + 1) if call.has(2) else len(items)
    return SequenceValue((*items[:place], call.value(1), *items[place:]))


@operator("SequenceErase", since=11)
def sequence_erase(call: Call) -> SequenceValue:
    """Return the sequence without the value at ``position``, by default the last."""
    items = items_of(call)
    place = _place(call, 1, len(items), len(items)) if call.has(1) else len(items) - 1
    return SequenceValue((*items[:place], *items[place + 1 :]))


@operator("SequenceAt", since=11)
def sequence_at(call: Call) -> OnnxValue:
    """Return the value at ``position``."""
    items = items_of(call)
    try:
        return items[_place(call, 1, len(items), len(items))]
    except DataDependent:
        return _picked(_tensors_of(call), call.tensor(1))


def _picked(items: Sequence[TensorValue], place: Tensor) -> LayoutTensor:
    """Return one of several tensors of one shape, which only a run selects."""
    tensors = [model_layout(item) for item in items]
    shapes = {tuple(t.shape) if t.shape.rank is not None else None for t in tensors}
    if len(shapes) != 1 or None in shapes:
        raise DataDependent("which value of a sequence is taken depends on the data")
    place = tf.reshape(tf.cast(place, tf.int32), ())
    return LayoutTensor(tf.stack(tensors)[tf.where(place < 0, place + len(tensors), place)])


@operator("SplitToSequence", since=11)
def split_to_sequence(call: Call) -> SequenceValue:
    """Compute pieces of a tensor along ``axis``: of given lengths, one length, or one entry."""
    value = call.input()
    rank = rank_of(value)
    axis = int(call.attribute("axis", 0))
    keep = bool(call.attribute("keepdims", 1)) or call.has(1)
    x, is_last = stored(value) if keep else (model_layout(value), False)
    place = stored_axis(axis, rank, is_last)
    pieces = tf.split(x, _piece_lengths(call, value, axis % rank), place)
    if not keep:
        pieces = [tf.squeeze(piece, place) for piece in pieces]
    return SequenceValue(tuple(LayoutTensor(piece, is_last) for piece in pieces))


def _piece_lengths(call: Call, value: TensorValue, axis: int) -> list[int]:
    split = call.constant(1, "the lengths of the pieces")
    if split is not None and np.ndim(split):
        return [int(n) for n in split]
    length = model_shape(value)[axis]
    if not isinstance(length, int):
        length = tf.get_static_value(length)
        if length is None:
            raise DataDependent("the length of the axis to split depends on the data")
    step = 1 if split is None else int(split)
    return [min(step, int(length) - k) for k in range(0, int(length), step)]


@operator("ConcatFromSequence", since=11)
def concat_from_sequence(call: Call) -> LayoutTensor:
    """Compute the values joined along ``axis``, or stacked along a new one with ``new_axis``."""
    items = _tensors_of(call)
    if not items:
        raise call.error("the sequence is empty")
    axis = int(call.attribute("axis", 0))
    if call.attribute("new_axis", 0):
        return LayoutTensor(tf.stack([model_layout(item) for item in items], axis))
    tensors, is_last = one_layout(items)
    return LayoutTensor(tf.concat(tensors, stored_axis(axis, rank_of(items[0]), is_last)), is_last)


@operator("SequenceMap", since=17)
def sequence_map(call: Call) -> list[OnnxValue | None]:
    """Compute the body for each value of the first sequence and the values beside it."""
    count = len(items_of(call))
    rows: list[list[OnnxValue]] = []
    for k in range(count):
        inputs = [call.value(j) for j in range(len(call.inputs))]
        entries = (g.items[k] if isinstance(g, SequenceValue) else g for g in inputs)
        rows.append(body_outputs(call, "body", *entries))
    outputs = len(call.attribute("body").outputs)
    return [SequenceValue(tuple(row[j] for row in rows)) for j in range(outputs)]


@operator("Optional", since=15)
def optional(call: Call) -> OnnxValue:
    """Return an optional that holds the input, or nothing."""
    return call.value() if call.has(0) else EmptyOptional()


@operator("OptionalHasElement", since=15)
def optional_has_element(call: Call) -> Constant:
    """Return whether there is a value."""
    return Constant(np.asarray(call.has(0) and not isinstance(call.value(), EmptyOptional)))


@operator("OptionalGetElement", since=15)
def optional_get_element(call: Call) -> OnnxValue:
    """Return the value of an optional."""
    value = call.value()
    if isinstance(value, EmptyOptional):
        raise call.error("the optional has no value")
    return value


@operator("Identity", layout=Layout.FOLLOWS)
def identity(call: Call) -> OnnxValue:
    """Return any value unchanged."""
    value = call.value()
    return (
        LayoutTensor(tf.identity(value.tensor), value.channels_last)
        if isinstance(value, LayoutTensor)
        else value
    )
