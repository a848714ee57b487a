"""An ONNX graph as plain data: nodes, constants, inputs and outputs, and nothing of protobuf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.layout import Constant

__all__ = ["Graph", "Input", "Node", "read_graph"]


@dataclass(frozen=True)
class Node:
    """One operation. An empty name among ``inputs`` or ``outputs`` is one left out."""

    name: str
    op: str
    domain: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        shown = self.name or next((o for o in self.outputs if o), "")
        return f"{self.op} {shown!r}"


@dataclass(frozen=True)
class Input:
    """An input of the graph in the model's own layout, ``None`` where a length is free."""

    name: str
    dtype: Any
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Graph:
    """A whole model: only nodes that an output needs, each after those that feed it."""

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    metadata: Mapping[str, str]


def read_graph(model: Any, path: Path) -> Graph:
    """Turn a loaded ``ModelProto`` into a :class:`Graph`.

    Initializers that are listed as inputs too (IR 3) are constants. Raises :class:`ModelError` for
    weights that are not finite, unordered nodes and inputs without a shape.
    """
    opsets = {_domain(entry.domain): int(entry.version) for entry in model.opset_import}
    outputs = tuple(o.name for o in model.graph.output)
    protos = _needed(model.graph.node, outputs)
    used = {name for proto in protos for name in proto.input} | set(outputs)
    constants = {
        tensor.name: Constant(_array(tensor, path, model))
        for tensor in model.graph.initializer
        if tensor.name in used
    }
    if any(t.values.name in used for t in model.graph.sparse_initializer):
        raise ModelError(f"{path}: sparse initializers are not supported; store them dense")
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_input(info, path) for info in model.graph.input if info.name not in initialized)
    nodes = []
    for proto in protos:
        if proto.op_type == "Constant" and not _domain(proto.domain):
            constants[proto.output[0]] = Constant(_constant(proto, path))
        else:
            nodes.append(_node(proto, opsets))
    _check_order(nodes, {i.name for i in inputs} | set(constants), outputs, path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Graph(inputs, outputs, tuple(nodes), constants, metadata)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _node(proto: Any, opsets: Mapping[str, int]) -> Node:
    domain = _domain(proto.domain)
    attributes = {a.name: _attribute(a) for a in proto.attribute}
    return Node(
        name=proto.name,
        op=proto.op_type,
        domain=domain,
        opset=opsets.get(domain, 1),
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes=attributes,
    )


def _attribute(proto: Any) -> Any:
    value = onnx.helper.get_attribute_value(proto)
    if proto.type == onnx.AttributeProto.STRING:
        return value.decode("utf-8", "replace")
    if proto.type == onnx.AttributeProto.STRINGS:
        return tuple(v.decode("utf-8", "replace") for v in value)
    if proto.type == onnx.AttributeProto.TENSOR:
        return numpy_helper.to_array(value)
    if proto.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        return tuple(value)
    return value


def _needed(protos: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    wanted, kept = set(outputs), []
    for proto in reversed(list(protos)):
        if wanted.intersection(filter(None, proto.output)):
            wanted.update(proto.input)
            kept.append(proto)
    return kept[::-1]


def _array(tensor: Any, path: Path, model: Any = None) -> np.ndarray[Any, Any]:
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: initializer {tensor.name!r} is damaged ({reason})") from error
    _check_finite(array, f"initializer {tensor.name!r}", path)
    return array


def _check_finite(array: np.ndarray[Any, Any], what: str, path: Path) -> None:
    floating = array.dtype != object and tf.as_dtype(array.dtype).is_floating
    if floating and array.size > 1 and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise ModelError(
            f"{path}: {what} has {bad} of {array.size} entries that are NaN or infinite; "
            "the network cannot be used, export it again from sound weights"
        )


def _constant(proto: Any, path: Path) -> np.ndarray[Any, Any]:
    attribute = proto.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        array = _array(value, path)
        _check_finite(array, f"constant {proto.output[0]!r}", path)
        return array
    if attribute.name in ("value_float", "value_floats"):
        return np.asarray(value, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.asarray(value, np.int64)
    raise ModelError(
        f"{path}: constant {proto.output[0]!r} is given by {attribute.name}, which is not supported"
    )


def _input(info: Any, path: Path) -> Input:
    kind = info.type.tensor_type
    typed = info.type.WhichOneof("value") == "tensor_type" and kind.elem_type
    if not typed or not kind.HasField("shape"):
        raise ModelError(
            f"{path}: input {info.name!r} is no tensor with a known type and number of axes"
        )
    shape = tuple(
        int(d.dim_value) if d.WhichOneof("value") == "dim_value" and d.dim_value > 0 else None
        for d in kind.shape.dim
    )
    dtype = tf.as_dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return Input(info.name, dtype, shape)


def _check_order(
    nodes: Iterable[Node], known: set[str], outputs: Iterable[str], path: Path
) -> None:
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                raise ModelError(f"{path}: {node} uses {name!r}, which nothing before it computes")
        known.update(node.outputs)
    for name in outputs:
        if name not in known:
            raise ModelError(f"{path}: nothing computes the output {name!r}")
