"""Look up which function computes an operator, from which opset on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.graph import Graph, Node, all_nodes
from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    EmptyOptional,
    Interleaved,
    LayoutTensor,
    OnnxValue,
    SequenceValue,
    TensorValue,
    channels_last,
    model_layout,
    rank_of,
)
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.types import Tensor

#: Domain of the operators into which onnxruntime fuses standard ones.
MICROSOFT = "com.microsoft"
#: Domain of its operators on values with blocks of channels.
NCHWC = "com.microsoft.nchwc"
Result = OnnxValue | Sequence[OnnxValue | None]


class Layout(Enum):
    """Say in which layout an operator takes its inputs."""

    #: The model's layout, since it mixes the axes.
    MODEL = "model"
    #: Its first input is image-like: axis 1 of the model holds the channels.
    IMAGE = "image"
    #: Its inputs are image-like where its output is.
    FOLLOWS = "follows"


@dataclass(frozen=True)
class Call:
    """Hold a node and its inputs for a converter.

    ``image_like``: convolutions or similar nodes take the output. ``interleaves``: the output may
    be :class:`Interleaved`. ``keeps_rows``: the first length of a reshape's target is computed from
    the first length of its input. ``row_wise``: the model was exported for one image, and the first
    axis of the first input is the batch.
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

    def has(self, index: int) -> bool:
        """Return whether input ``index`` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int = 0) -> OnnxValue:
        """Return the required input ``index``: a tensor, a sequence or an optional."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise ValueError(f"input {index} is missing")
        return value

    def input(self, index: int = 0) -> TensorValue:
        """Return the required input ``index``, which must be a tensor."""
        value = self.value(index)
        if isinstance(value, SequenceValue):
            raise ValueError(f"input {index} is a sequence where a tensor is wanted")
        if isinstance(value, EmptyOptional):
            raise ValueError(f"input {index} is an optional without a value")
        return value.in_model_layout() if isinstance(value, Interleaved) else value

    def optional(self, index: int) -> TensorValue | None:
        """Return input ``index``, ``None`` if it is not given."""
        return self.input(index) if self.has(index) else None

    def stored(self, index: int = 0) -> tuple[Tensor, bool]:
        """Return the required input ``index`` as it is stored, and whether channels are last."""
        return stored(self.input(index))

    def rank(self, index: int = 0) -> int:
        """Return the number of axes of the required input ``index``."""
        return rank_of(self.input(index))

    def all_inputs(self) -> list[TensorValue]:
        """Return all inputs as tensors."""
        return [self.input(k) for k in range(len(self.inputs))]

    def tensor(self, index: int = 0) -> Tensor:
        """Return the required input ``index`` in the model's layout."""
        return model_layout(self.input(index))

    def channels_last(self, index: int = 0) -> Tensor:
        """Return the required input ``index`` with axis 1 behind all others."""
        return channels_last(self.input(index))

    def scalar(self, index: int = 0, default: Any = None) -> Tensor:
        """Return input ``index``, which has one entry, without axes, or the ``default``."""
        if default is not None and not self.has(index):
            return tf.constant(default)
        return tf.reshape(self.tensor(index), [])

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the node."""
        return self.node.attributes.get(name, default)

    def choice(self, name: str, *known: str, default: str | None = None) -> str:
        """Return attribute ``name``, one of ``known``; by default it is the first of them."""
        value = str(self.attribute(name, known[0] if default is None else default))
        if value not in known:
            *others, last = filter(None, known)
            raise self.error(f"{name} {value!r}; expected {', '.join(others)} or {last}")
        return value

    def constant(self, index: int, label: str) -> Any:
        """Return input ``index``, which must be constant, as numpy; ``None`` if not given."""
        if not self.has(index):
            return None
        value = self.inputs[index]
        if isinstance(value, Constant):
            return value.array
        known = tf.get_static_value(value.tensor) if isinstance(value, LayoutTensor) else None
        if known is not None:
            return known
        raise DataDependent(
            f"{label} depends on the data; export the model with a constant one, or run it eagerly"
        )

    def ints(self, name: str, index: int) -> tuple[int, ...] | None:
        """Return integers from attribute ``name`` (old opsets) or input ``index`` (new ones)."""
        if name in self.node.attributes:
            return tuple(int(v) for v in self.node.attributes[name])
        array = self.constant(index, name)
        return None if array is None else tuple(int(v) for v in array.reshape(-1))

    def error(self, reason: str) -> ModelError:
        """Return an error that names the node."""
        return ModelError(f"ONNX node {self.node}: {reason}")


Converter = Callable[[Call], Result]
Registered = TypeVar("Registered", bound=Converter)


def body_outputs(call: Call, name: str, *inputs: OnnxValue) -> list[OnnxValue]:
    """Run the graph in attribute ``name``, which sees the values around it, on ``inputs``."""
    graph = call.attribute(name)
    if not isinstance(graph, Graph) or call.run_body is None:
        raise call.error(f"attribute {name} is no graph")
    return call.run_body(graph, inputs)


def whole_numbers(call: Call, index: int) -> list[Any] | None:
    """Return the integers of input ``index``, as scalar tensors where only a run knows them.

    Return ``None`` if even their count depends on the data.
    """
    tensor = call.tensor(index)
    known = tf.get_static_value(tensor)
    if known is not None:
        return [int(n) for n in known.reshape(-1)]
    length = tensor.shape[0]
    return None if length is None else [tensor[k] for k in range(length)]


def stored(value: TensorValue) -> tuple[Tensor, bool]:
    """Return the tensor as it is stored, and whether its channels are last."""
    if isinstance(value, Constant):
        return value.tensor(), False
    return value.tensor, value.channels_last


@dataclass(frozen=True)
class _Registration:
    since: int
    convert: Converter
    layout: Layout
    interleaved: bool


#: (domain, operator) -> registrations, the newest first.
_TABLE: dict[tuple[str, str], list[_Registration]] = {}


def operator(
    name: str,
    since: int = 1,
    layout: Layout = Layout.MODEL,
    domain: str = "",
    *,
    interleaved: bool = False,
) -> Callable[[Registered], Registered]:
    """Register a converter of operator ``name`` from the lowest opset at which it is correct.

    ``interleaved`` says that the converter handles an :class:`Interleaved` first input.
    """

    def register(convert: Registered) -> Registered:
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
    """Return whether there is a converter for an operator at an opset."""
    return _entry(op, domain, opset) is not None


def unsupported(graph: Graph) -> list[str]:
    """Describe the nodes of a graph that have no converter, those in bodies too."""
    return [_described(n) for n in all_nodes(graph) if not supported(n.op, n.domain, n.opset)]


def reason_unsupported(node: Node) -> str | None:
    """Say which operator of a node or of its bodies has no converter; ``None`` if all have one."""
    bodies = [value for value in node.attributes.values() if isinstance(value, Graph)]
    missing = [] if supported(node.op, node.domain, node.opset) else [_described(node)]
    missing += [name for body in bodies for name in unsupported(body)]
    if not missing:
        return None
    verb = "is not a supported operator" if len(missing) == 1 else "are not supported operators"
    return f"{', '.join(missing)} {verb}"


def _described(node: Node) -> str:
    return f"{node} ({node.domain or 'ai.onnx'} opset {node.opset})"


def find(node: Node) -> Converter:
    """Return the newest converter up to the node's opset; :class:`ModelError` if none."""
    entry = _entry(node.op, node.domain, node.opset)
    if entry is None:
        raise ModelError(f"ONNX node {node}: the operator is not supported")
    return entry.convert


def layout_of(node: Node) -> Layout:
    """Return what the node's operator says about layouts."""
    entry = _entry(node.op, node.domain, node.opset)
    return Layout.MODEL if entry is None else entry.layout


def takes_interleaved(node: Node) -> bool:
    """Return whether the node's converter handles an interleaved input."""
    entry = _entry(node.op, node.domain, node.opset)
    return entry is not None and entry.interleaved


def softmax_axes(node: Node, rank: int) -> list[int]:
    """Return the model's axes over which a Softmax or LogSoftmax sums to 1.

    From opset 13 on this is one axis, by default the last. Before, it is all axes from ``axis``
    on, by default 1.
    """
    if node.opset >= 13:
        return [node.attributes.get("axis", -1) % rank]
    axis = node.attributes.get("axis", 1)
    return list(range(axis + rank if axis < 0 else axis, rank))
