"""Compute with the lengths of shapes before a run, as far as they are known.

TensorFlow folds only a few operations while it traces. Half the number of channels, as a channel
shuffle computes it, would be a free length of all that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    LayoutTensor,
    OnnxValue,
    model_layout,
    packed,
    unpacked,
)
from kerasviz.importers.onnx.registry import Call, Result

#: Entries of the largest value that is computed.
_LARGEST = 64
_OPERATORS = frozenset(
    (
        *("Abs", "Add", "And", "Cast", "Ceil", "Concat", "Div", "Equal", "Floor", "Gather"),
        *("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg"),
        *("Not", "Or", "ReduceProd", "ReduceSum", "Reshape", "Slice", "Split", "Sqrt", "Squeeze"),
        *("Sub", "Unsqueeze", "Where"),
    )
)

#: Those that choose entries of a vector, of which not all have to be known.
_PICKING = ("Gather", "Slice")
#: Those whose outputs may have entries that only a run knows.
_MOVING = ("Concat", "Gather", "Unsqueeze")


def known_numbers(convert: Callable[[Call], Result], call: Call) -> list[OnnxValue | None] | None:
    """Return the outputs of a node as known tensors; ``None`` unless it computes with lengths."""
    if call.node.op not in _OPERATORS or call.node.domain or tf.executing_eagerly():
        return None
    if call.node.op in _MOVING and (moved := _moved(call)) is not None:
        return [moved]
    constants = [None if value is None else _known(value) for value in call.inputs]
    lengths = None
    if call.node.op in _PICKING and constants[0] is None:
        lengths = _partly_known(call.inputs[0])
        constants[0] = None if lengths is None else Constant(np.arange(len(lengths)))
    if any(c is None and v is not None for c, v in zip(constants, call.inputs, strict=True)):
        return None
    with tf.init_scope():
        if not tf.executing_eagerly():  # in a graph of TensorFlow 1
            return None
        result = convert(replace(call, inputs=tuple(constants)))
        results = result if isinstance(result, Sequence) else [result]
        if not all(isinstance(value, LayoutTensor | Constant) for value in results):
            return None
        arrays = [model_layout(value).numpy() for value in results]  # type: ignore[arg-type]
    if lengths is not None:  # the positions of the chosen ones were computed
        chosen = [[lengths[k] for k in array.reshape(-1)] for array in arrays]
        if any(None in numbers for numbers in chosen):
            return None
        arrays = [
            np.asarray(numbers, np.int64).reshape(array.shape)
            for numbers, array in zip(chosen, arrays, strict=True)
        ]
    return [LayoutTensor(tf.constant(array)) for array in arrays]


def _moved(call: Call) -> LayoutTensor | None:
    """Return the output of a node that moves lengths of which only a run knows some.

    It consists of the same scalar tensors: no operation of TensorFlow hides the known ones.
    """
    if call.node.op == "Concat":
        parts = [_numbers(value) for value in call.inputs]
        numbers = [n for part in parts for n in part or ()]
        unknown = None not in parts and any(tf.is_tensor(n) for n in numbers)
        return LayoutTensor(packed(numbers)) if unknown else None
    which = call.inputs[1] if len(call.inputs) > 1 else None
    if call.node.op == "Unsqueeze":
        value = call.inputs[0]
        axes = which.array if isinstance(which, Constant) else call.attribute("axes", ())
        if type(value) is not LayoutTensor or value.tensor.shape.rank != 0 or np.size(axes) != 1:
            return None
        unknown = value.tensor.dtype == tf.int64 and tf.get_static_value(value.tensor) is None
        return LayoutTensor(packed([value.tensor])) if unknown else None
    vector = _numbers(call.inputs[0])
    if vector is None or not isinstance(which, Constant) or which.array.ndim:
        return None
    number = vector[int(which.array)]
    return LayoutTensor(number if tf.is_tensor(number) else tf.constant(number, tf.int64))


def _numbers(value: OnnxValue | None) -> list[Any] | None:
    """Return the entries of a vector of int64, as scalar tensors where only a run knows them."""
    if isinstance(value, Constant):
        whole = value.array.dtype == np.int64 and value.array.ndim == 1
        return value.array.tolist() if whole and value.array.size <= _LARGEST else None
    if type(value) is not LayoutTensor or value.tensor.dtype != tf.int64:
        return None
    numbers = unpacked(value.tensor)
    if numbers is None and value.tensor.shape.rank == 1:
        static = _known(value)
        return None if static is None else static.array.tolist()
    return numbers


def _known(value: OnnxValue) -> Constant | None:
    if isinstance(value, Constant):
        return value if value.array.size <= _LARGEST else None
    if type(value) is not LayoutTensor or value.tensor.dtype == tf.string:
        return None
    count = value.tensor.shape.num_elements()
    if count is None or count > _LARGEST or value.tensor.shape.rank > 1:
        return None
    static = tf.get_static_value(value.tensor)
    return None if static is None else Constant(static)


def _partly_known(value: OnnxValue | None) -> list[int | None] | None:
    """Return the entries of a vector of lengths, ``None`` for the free ones."""
    if type(value) is not LayoutTensor or value.tensor.dtype != tf.int64:
        return None
    count = value.tensor.shape.num_elements()
    if value.tensor.shape.rank != 1 or count is None or count > _LARGEST:
        return None
    static = tf.get_static_value(value.tensor, partial=True)
    return None if static is None else [None if n is None else int(n) for n in static]
