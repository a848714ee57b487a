"""Find the tensor before every activation function of a TensorFlow graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from kerasviz.importers.activations import Operation, activation_inputs
from kerasviz.types import Array

if TYPE_CHECKING:
    from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
    from kerasviz.importers.tensorflow.node import GraphNode

#: ONNX's names of operations where TensorFlow has others.
_NAMES = {
    "AddN": "Sum",
    "AddV2": "Add",
    "ClipByValue": "Clip",
    "GreaterEqual": "GreaterOrEqual",
    "LessEqual": "LessOrEqual",
    "LogicalAnd": "And",
    "LogicalNot": "Not",
    "LogicalOr": "Or",
    "Maximum": "Max",
    "Minimum": "Min",
    "RealDiv": "Div",
    "Relu6": "Clip",
    "Select": "Where",
    "SelectV2": "Where",
}


def activation_keys(graph: FrozenGraph) -> dict[str, str]:
    """Map the key of every activation function's output to the key of its input."""
    names = {name for node in graph.nodes.values() for name in map(graph.source, node.inputs)}
    arrays: dict[str, Array] = {}

    def constant(key: str) -> Array | None:
        if key in graph.live or key in graph.broken or key not in names:
            return None
        if key not in arrays:
            tensor = graph.constant(key)
            if tensor.dtype in (tf.resource, tf.variant):  # a table or a list has no array
                return None
            arrays[key] = tensor.numpy()
        return arrays[key]

    operations = [
        _operation(graph, node)
        for node in graph.nodes.values()
        if node.outputs and f"{node.name}:0" in graph.live
    ]
    return activation_inputs(operations, constant)


def _operation(graph: FrozenGraph, node: GraphNode) -> Operation:
    numbers = {name: value for name, value in node.attributes.items() if isinstance(value, float)}
    if node.op == "Relu6":
        numbers = {"min": 0.0, "max": 6.0}
    inputs = tuple(graph.source(key) for key in node.inputs)
    return Operation(f"{node.name}:0", _NAMES.get(node.op, node.op), inputs, numbers)
