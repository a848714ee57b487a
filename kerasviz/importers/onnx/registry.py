"""The table of converters: which function computes an operator from which opset on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.graph import Graph, Node
from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    EmptyOptional,
    Interleaved,
    LayoutTensor,
    OnnxValue,
    SequenceValue,
    TensorValue,
)
from kerasviz.network.program import PLAIN, Kernels

__all__ = [
    "Call",
    "Converter",
    "Layout",
    "Result",
    "find",
    "layout_of",
    "operator",
    "softmax_axes",
    "supported",
    "takes_interleaved",
]

Result = OnnxValue | Sequence[OnnxValue | None]


class Layout(Enum):
    """What an operator says about the layout of its inputs."""

    OWN = "own"  # nothing: it mixes the axes
    IMAGE = "image"  # its first input is image-like: axis 1 holds the channels
    FOLLOWS = "follows"  # its inputs are image-like where its output is


@dataclass(frozen=True)
class Call:
    """One node with its inputs at hand; what a converter gets.

    ``image_like`` says that its output is taken by convolutions and their like; ``interleaves``
    that its output may be :class:`Interleaved`; ``keeps_rows`` that the first length of its target
    is computed as that of its first input; ``row_wise`` that the model was exported for one image
    and the first axis of its first input is the batch.
    """

    node: Node
    inputs: tuple[OnnxValue | None, ...]
    kernels: Kernels = PLAIN
    image_like: bool = False
    interleaves: bool = False
    keeps_rows: bool = False
    row_wise: bool = False
    run_body: Callable[[Graph, Sequence[OnnxValue]], list[OnnxValue]] | None = None
    run_again: Callable[[dict[str, OnnxValue], Sequence[str]], list[OnnxValue]] | None = None

    def body(self, name: str, *operands: OnnxValue) -> list[OnnxValue]:
        """The outputs of the graph in attribute ``name``, run with ``operands`` as its inputs.

        The nodes of the graph see the values around it.
        """
        graph = self.attribute(name)
        if not isinstance(graph, Graph) or self.run_body is None:
            raise self.error(f"attribute {name} is no graph")
        return self.run_body(graph, operands)

    def has(self, index: int) -> bool:
        """Whether input ``index`` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def datum(self, index: int = 0) -> OnnxValue:
        """Input ``index``, which the operator requires: a tensor, a sequence or an optional."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise ValueError(f"input {index} is missing")
        return found

    def input(self, index: int = 0) -> TensorValue:
        """Input ``index``, which the operator requires, as a tensor."""
        found = self.datum(index)
        if isinstance(found, SequenceValue):
            raise ValueError(f"input {index} is a sequence where a tensor is wanted")
        if isinstance(found, EmptyOptional):
            raise ValueError(f"input {index} is an optional without a value")
        return found.planar() if isinstance(found, Interleaved) else found

    def operands(self) -> list[TensorValue]:
        """All inputs as tensors."""
        return [self.input(k) for k in range(len(self.inputs))]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the node."""
        return self.node.attributes.get(name, default)

    def constant(self, index: int, what: str) -> Any:
        """Input ``index`` as a numpy array, ``None`` if it is not given; it must be constant."""
        if not self.has(index):
            return None
        operand = self.inputs[index]
        if isinstance(operand, Constant):
            return operand.array
        known = tf.get_static_value(operand.tensor) if isinstance(operand, LayoutTensor) else None
        if known is not None:
            return known
        raise DataDependent(
            f"{what} depends on the data; export the model with a constant one, or run it eagerly"
        )

    def ints(self, name: str, index: int) -> tuple[int, ...] | None:
        """Whole numbers: attribute ``name`` in old opsets, input ``index`` in new ones."""
        if name in self.node.attributes:
            return tuple(int(v) for v in self.node.attributes[name])
        array = self.constant(index, name)
        return None if array is None else tuple(int(v) for v in array.reshape(-1))

    def error(self, reason: str) -> ModelError:
        """An error that names the node."""
        return ModelError(f"ONNX node {self.node}: {reason}")


Converter = Callable[[Call], Result]


@dataclass(frozen=True)
class _Registration:
    since: int
    convert: Converter
    layout: Layout
    interleaved: bool


_TABLE: dict[
    tuple[str, str], list[_Registration]
] = {}  # (domain, operator) -> entries, newest first


def operator(
    name: str,
    since: int = 1,
    layout: Layout = Layout.OWN,
    domain: str = "",
    *,
    interleaved: bool = False,
) -> Callable[[Converter], Converter]:
    """Register a converter of operator ``name`` from the lowest opset at which it is right.

    ``interleaved`` says that it knows what to do with a first input that is :class:`Interleaved`.
    """

    def register(convert: Converter) -> Converter:
        entries = _TABLE.setdefault((domain, name), [])
        if any(entry.since == since for entry in entries):
            raise ValueError(f"operator {name} is registered twice since opset {since}")
        entries.append(_Registration(since, convert, layout, interleaved))
        entries.sort(key=lambda entry: -entry.since)
        return convert

    return register


def _entry(op: str, domain: str, opset: int) -> _Registration | None:
    return next((e for e in _TABLE.get((domain, op), ()) if e.since <= opset), None)


def supported(op: str, domain: str, opset: int) -> bool:
    """Whether there is a converter for an operator at an opset."""
    return _entry(op, domain, opset) is not None


def find(node: Node) -> Converter:
    """The newest converter that is not above the node's opset; :class:`ModelError` if none."""
    entry = _entry(node.op, node.domain, node.opset)
    if entry is None:
        raise ModelError(f"ONNX node {node}: the operator is not supported")
    return entry.convert


def layout_of(node: Node) -> Layout:
    """What the node's operator says about layouts."""
    entry = _entry(node.op, node.domain, node.opset)
    return Layout.OWN if entry is None else entry.layout


def takes_interleaved(node: Node) -> bool:
    """Whether the node's converter knows what to do with an interleaved input."""
    entry = _entry(node.op, node.domain, node.opset)
    return entry is not None and entry.interleaved


def softmax_axes(node: Node, rank: int) -> list[int]:
    """The model's axes over which a Softmax or LogSoftmax sums to 1.

    From opset 13 on it is one axis, the last by default. Before, the value was seen as a matrix
    cut at ``axis``, 1 by default, so it is all axes from there on.
    """
    if node.opset >= 13:
        return [node.attributes.get("axis", -1) % rank]
    axis = node.attributes.get("axis", 1)
    return list(range(axis + rank if axis < 0 else axis, rank))
