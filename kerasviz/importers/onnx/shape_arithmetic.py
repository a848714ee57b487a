"""Compute with the lengths of shapes before a run, as far as they are known.

TensorFlow folds only a few operations while it traces. Half the number of channels, as a channel
shuffle computes it, would be a free length of all that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, LayoutTensor, OnnxValue, model_layout
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


def known_numbers(convert: Callable[[Call], Result], call: Call) -> list[OnnxValue | None] | None:
    """Return the outputs of a node as known tensors; ``None`` unless it computes with lengths."""
    if call.node.op not in _OPERATORS or call.node.domain or tf.executing_eagerly():
        return None
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
