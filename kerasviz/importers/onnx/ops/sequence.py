"""Sequences and optionals: lists of values whose number is known when a function is traced."""

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
    channels_last,
    model_layout,
    model_shape,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def items_of(call: Call, index: int = 0) -> tuple[OnnxValue, ...]:
    """Input ``index`` as the values of a sequence."""
    found = call.value(index)
    if not isinstance(found, SequenceValue):
        raise ValueError(f"input {index} is no sequence")
    return found.items


def _tensors_of(call: Call, index: int = 0) -> list[TensorValue]:
    items = items_of(call, index)
    tensors = [item for item in items if isinstance(item, LayoutTensor | Constant)]
    if len(tensors) != len(items):
        raise ValueError(f"input {index} holds values that are no tensors")
    return tensors


@operator("SequenceEmpty", since=11)
def sequence_empty(call: Call) -> SequenceValue:
    """A sequence without values."""
    return SequenceValue(())


@operator("SequenceConstruct", since=11)
def sequence_construct(call: Call) -> SequenceValue:
    """The sequence of all inputs."""
    return SequenceValue(tuple(call.all_inputs()))


@operator("SequenceLength", since=11)
def sequence_length(call: Call) -> Constant:
    """The number of values."""
    return Constant(np.asarray(len(items_of(call)), np.int64))


def _place(call: Call, index: int, length: int, end: int) -> int:
    """A position among ``length`` values, from input ``index``; negative ones count from behind."""
    given = int(np.reshape(call.constant(index, "the position in a sequence"), ()))
    place = given + length if given < 0 else given
    if not 0 <= place < end:
        raise call.error(f"position {given} is outside of a sequence of {length} values")
    return place


@operator("SequenceInsert", since=11)
def sequence_insert(call: Call) -> SequenceValue:
    """The sequence with one more value before ``position``, by default at the end."""
    items = items_of(call)
    place = _place(call, 2, len(items), len(items) + 1) if call.has(2) else len(items)
    return SequenceValue((*items[:place], call.value(1), *items[place:]))


@operator("SequenceErase", since=11)
def sequence_erase(call: Call) -> SequenceValue:
    """The sequence without the value at ``position``, by default the last."""
    items = items_of(call)
    place = _place(call, 1, len(items), len(items)) if call.has(1) else len(items) - 1
    return SequenceValue((*items[:place], *items[place + 1 :]))


@operator("SequenceAt", since=11)
def sequence_at(call: Call) -> OnnxValue:
    """The value at ``position``."""
    items = items_of(call)
    try:
        return items[_place(call, 1, len(items), len(items))]
    except DataDependent:
        return _picked(_tensors_of(call), call.tensor(1))


def _picked(items: Sequence[TensorValue], place: Tensor) -> LayoutTensor:
    """One of several tensors of one shape; which one is known only in the run."""
    tensors = [model_layout(item) for item in items]
    shapes = {tuple(t.shape) if t.shape.rank is not None else None for t in tensors}
    if len(shapes) != 1 or None in shapes:
        raise DataDependent("which value of a sequence is taken depends on the data")
    place = tf.reshape(tf.cast(place, tf.int32), ())
    return LayoutTensor(tf.stack(tensors)[tf.where(place < 0, place + len(tensors), place)])


@operator("SplitToSequence", since=11)
def split_to_sequence(call: Call) -> SequenceValue:
    """The pieces of a tensor along ``axis``: of given lengths, of one length, or single entries."""
    operand = call.input()
    rank = rank_of(operand)
    axis = int(call.attribute("axis", 0))
    keep = bool(call.attribute("keepdims", 1)) or call.has(1)
    x, moved = stored(operand) if keep else (model_layout(operand), False)
    place = stored_axis(axis, rank, moved)
    pieces = tf.split(x, _piece_lengths(call, operand, axis % rank), place)
    if not keep:
        pieces = [tf.squeeze(piece, place) for piece in pieces]
    return SequenceValue(tuple(LayoutTensor(piece, moved) for piece in pieces))


def _piece_lengths(call: Call, operand: TensorValue, axis: int) -> list[int]:
    split = call.constant(1, "the lengths of the pieces")
    if split is not None and np.ndim(split):
        return [int(n) for n in split]
    length = model_shape(operand)[axis]
    if not isinstance(length, int):
        length = tf.get_static_value(length)
        if length is None:
            raise DataDependent("the length of the axis to split depends on the data")
    step = 1 if split is None else int(split)
    return [min(step, int(length) - k) for k in range(0, int(length), step)]


@operator("ConcatFromSequence", since=11)
def concat_from_sequence(call: Call) -> LayoutTensor:
    """All values behind each other along ``axis``; ``new_axis`` stacks them along a new one."""
    items = _tensors_of(call)
    if not items:
        raise call.error("the sequence is empty")
    axis = int(call.attribute("axis", 0))
    if call.attribute("new_axis", 0):
        return LayoutTensor(tf.stack([model_layout(item) for item in items], axis))
    moved = any(isinstance(item, LayoutTensor) and item.channels_last for item in items)
    tensors = [channels_last(item) if moved else model_layout(item) for item in items]
    return LayoutTensor(tf.concat(tensors, stored_axis(axis, rank_of(items[0]), moved)), moved)


@operator("SequenceMap", since=17)
def sequence_map(call: Call) -> list[OnnxValue | None]:
    """The body for each value of the first sequence, with those of others beside it."""
    count = len(items_of(call))
    rows: list[list[OnnxValue]] = []
    for k in range(count):
        given = [call.value(j) for j in range(len(call.inputs))]
        rows.append(
            call.body("body", *(g.items[k] if isinstance(g, SequenceValue) else g for g in given))
        )
    outputs = len(call.attribute("body").outputs)
    return [SequenceValue(tuple(row[j] for row in rows)) for j in range(outputs)]


@operator("Optional", since=15)
def optional(call: Call) -> OnnxValue:
    """An optional with the input inside, or with nothing."""
    return call.value() if call.has(0) else EmptyOptional()


@operator("OptionalHasElement", since=15)
def optional_has_element(call: Call) -> Constant:
    """Whether there is a value."""
    return Constant(np.asarray(call.has(0) and not isinstance(call.value(), EmptyOptional)))


@operator("OptionalGetElement", since=15)
def optional_get_element(call: Call) -> OnnxValue:
    """The value of an optional."""
    found = call.value()
    if isinstance(found, EmptyOptional):
        raise call.error("the optional has no value")
    return found


@operator("Identity", layout=Layout.FOLLOWS)
def identity(call: Call) -> OnnxValue:
    """The value itself, of whatever kind."""
    found = call.value()
    return (
        LayoutTensor(tf.identity(found.tensor), found.channels_last)
        if isinstance(found, LayoutTensor)
        else found
    )
