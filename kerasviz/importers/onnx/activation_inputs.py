"""Name the tensor before every activation function of an ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kerasviz.importers.activations import Operation, activation_inputs
from kerasviz.importers.onnx.graph import Node
from kerasviz.importers.onnx.layout import Constant, OnnxValue
from kerasviz.importers.onnx.registry import MICROSOFT
from kerasviz.network.program import Value
from kerasviz.types import Array

#: Operators of onnxruntime that are one of ONNX if they have a single input.
_FUSED = {"FastGelu": "Gelu", "Gelu": "Gelu", "QuickGelu": "Swish"}


def with_activation_inputs(
    values: Mapping[str, Value], nodes: Sequence[Node], constants: Mapping[str, OnnxValue]
) -> dict[str, Value]:
    """Return the values, those of activation functions with the name of their input."""

    def constant(name: str) -> Array | None:
        value = constants.get(name)
        return value.array if isinstance(value, Constant) else None

    before = activation_inputs([_operation(node) for node in nodes if node.outputs], constant)
    return {
        name: replace(value, activation_input=before[name]) if before.get(name) in values else value
        for name, value in values.items()
    }


def _operation(node: Node) -> Operation:
    op = node.op if not node.domain else ""
    if node.domain == MICROSOFT and len([name for name in node.inputs if name]) == 1:
        op = _FUSED.get(node.op, "")
    numbers = {
        name: float(value)
        for name, value in node.attributes.items()
        if isinstance(value, int | float)
    }
    return Operation(node.outputs[0], op, node.inputs, numbers)
