"""Represent an ONNX graph as plain data, without protobuf."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.onnx.element_types import tensor_type
from kerasviz.importers.onnx.layout import Constant


@dataclass(frozen=True)
class Node:
    """Hold one operation; an empty name in ``inputs`` or ``outputs`` stands for an omitted one.

    ``captured`` are values from around the node that its bodies (:class:`Graph` attributes) use.
    """

    name: str
    op: str
    domain: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    captured: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the names of the inputs and of the captured values."""
        return self.inputs + self.captured

    def __str__(self) -> str:
        label = self.name or next((o for o in self.outputs if o), "")
        return f"{self.op} {label!r}"


@dataclass(frozen=True)
class Input:
    """Describe an input in the model's layout, ``None`` where a length is free.

    ``shape`` is ``None`` where even the number of axes is free. ``dtype`` is ``None`` too for
    sequences, optionals and inputs of bodies without a type.
    """

    name: str
    dtype: Any
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Graph:
    """Hold a model or a body: the nodes that its outputs need, in the order of execution."""

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    metadata: Mapping[str, str]


def all_nodes(graph: Graph) -> Iterator[Node]:
    """Yield the nodes of a graph and of the bodies inside it."""
    for node in graph.nodes:
        yield node
        for value in node.attributes.values():
            if isinstance(value, Graph):
                yield from all_nodes(value)


def read_graph(model: Any, path: Path) -> Graph:
    """Turn a loaded ``ModelProto`` into a :class:`Graph`.

    Initializers that are also listed as inputs (IR 3) become constants. Raises :class:`ModelError`
    for weights that are not numbers, unordered nodes and inputs without a type.
    """
    opsets = {_domain(entry.domain): int(entry.version) for entry in model.opset_import}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    for info in model.graph.input:
        if info.type.WhichOneof("value") is None:
            raise ModelError(f"{path}: input {info.name!r} has no known type")
    return _Reader(path, opsets).graph(model.graph, frozenset(), metadata)


@dataclass(frozen=True)
class _Reader:
    path: Path
    opsets: Mapping[str, int]

    def graph(
        self, proto: Any, outer: frozenset[str], metadata: Mapping[str, str] | None = None
    ) -> Graph:
        """Read a ``GraphProto`` whose nodes see the values of the ``outer`` graph."""
        outputs = tuple(o.name for o in proto.output)
        protos = needed_nodes(proto.node, outputs)
        used = {name for node in protos for name in _uses(node)} | set(outputs)
        weights = {n for node in protos if node.op_type in _WEIGHTED for n in node.input}
        constants = {
            tensor.name: Constant(_array(tensor, self.path, tensor.name in weights))
            for tensor in proto.initializer
            if tensor.name in used
        }
        for sparse in proto.sparse_initializer:
            if sparse.values.name in used:
                constants[sparse.values.name] = Constant(_dense(sparse, self.path))
        initialized = {tensor.name for tensor in _initializers(proto)}
        inputs = tuple(_input(info) for info in proto.input if info.name not in initialized)
        known = outer | initialized | {entry.name for entry in inputs}
        visible = known | {o for node in protos for o in node.output}
        nodes: list[Node] = []
        for node in protos:
            if node.op_type == "Constant" and not _domain(node.domain):
                constants[node.output[0]] = Constant(_constant(node, self.path))
            else:
                nodes.extend(with_embedding(self._node(node, visible)))
        _check_order(nodes, set(known | set(constants)), outputs, self.path)
        return Graph(inputs, outputs, tuple(nodes), constants, metadata or {})

    def _node(self, proto: Any, outer: frozenset[str]) -> Node:
        domain = _domain(proto.domain)
        inputs = tuple(proto.input)
        return Node(
            name=proto.name,
            op=proto.op_type,
            domain=domain,
            opset=self.opsets.get(domain, 1),
            inputs=inputs,
            outputs=tuple(proto.output),
            attributes={a.name: self._attribute(a, outer) for a in proto.attribute},
            captured=tuple(n for n in dict.fromkeys(_uses(proto)) if n and n not in inputs),
            metadata={entry.key: entry.value for entry in proto.metadata_props},
        )

    def _attribute(self, proto: Any, outer: frozenset[str]) -> Any:
        value = onnx.helper.get_attribute_value(proto)
        if proto.type == onnx.AttributeProto.STRING:
            return value.decode("utf-8", "replace")
        if proto.type == onnx.AttributeProto.STRINGS:
            return tuple(v.decode("utf-8", "replace") for v in value)
        if proto.type == onnx.AttributeProto.TENSOR:
            return numpy_helper.to_array(value)
        if proto.type == onnx.AttributeProto.GRAPH:
            return self.graph(value, outer)
        if proto.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
            return tuple(value)
        return value


def with_embedding(node: Node) -> tuple[Node, ...]:
    """Split the layer normalization off an EmbedLayerNormalization; other nodes stay as they are.

    The sum of the embeddings becomes a value, and what is normalized is computed from it.
    """
    if node.op != "EmbedLayerNormalization":
        return (node,)
    normal, counts, total = (*node.outputs, "", "")[:3]
    total = total or f"{normal}_embedding_sum"
    (scale, bias), epsilon = node.inputs[5:7], node.attributes.get("epsilon", 1e-12)
    return (
        replace(node, outputs=("", counts, total)),
        replace(
            node,
            name=f"{node.name}_normalized" if node.name else "",
            op="LayerNormalization",
            domain="",
            opset=17,
            inputs=(total, scale, bias),
            outputs=(normal,),
            attributes={"axis": -1, "epsilon": epsilon},
        ),
    )


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _uses(proto: Any) -> list[str]:
    """Return the names of a node's inputs, and of the outer values that its bodies use."""
    names = list(proto.input)
    for attribute in proto.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            names.extend(_free(attribute.g))
        elif proto.op_type == "Gradient" and attribute.name == "y":
            names.append(attribute.s.decode("utf-8", "replace"))
    return names


def _free(graph: Any) -> list[str]:
    """Return the values that a ``GraphProto`` uses and does not define."""
    defined = {i.name for i in [*graph.input, *_initializers(graph)]}
    defined.update(o for node in graph.node for o in node.output)
    names = [name for node in graph.node for name in _uses(node)]
    return [n for n in [*names, *(o.name for o in graph.output)] if n and n not in defined]


def _initializers(graph: Any) -> list[Any]:
    """Return the named tensors of a ``GraphProto``, sparse ones included."""
    return [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]


def _in_order(protos: Iterable[Any]) -> list[Any]:
    """Return nodes behind those that they need, which some writers append at the end.

    Nodes of a circle come last, as they are.
    """
    nodes = list(protos)
    makers = {name: k for k, node in enumerate(nodes) for name in node.output if name}
    needs = [{makers[name] for name in _uses(node) if name in makers} for node in nodes]
    if all(max(before, default=-1) < k for k, before in enumerate(needs)):
        return nodes
    users: dict[int, list[int]] = {}
    for k, before in enumerate(needs):
        for maker in before:
            users.setdefault(maker, []).append(k)
    ready = [k for k, before in enumerate(needs) if not before]
    heapq.heapify(ready)  # of several, the first in the file
    order = []
    while ready:
        k = heapq.heappop(ready)
        order.append(k)
        for user in users.get(k, ()):
            needs[user].discard(k)
            if not needs[user]:
                heapq.heappush(ready, user)
    placed = set(order)
    return [nodes[k] for k in (*order, *(k for k in range(len(nodes)) if k not in placed))]


def needed_nodes(protos: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    """Return the ``NodeProto`` that values need, each behind those that it needs."""
    wanted, kept = set(outputs), []
    for proto in reversed(_in_order(protos)):
        if wanted.intersection(filter(None, proto.output)):
            wanted.update(_uses(proto))
            kept.append(proto)
    return kept[::-1]


#: Operators whose parameters are learned, so that infinite ones are damage. Other constants, such
#: as the masks of transformers, may be infinite.
_WEIGHTED = (
    *("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "GRU", "InstanceNormalization"),
    *("LayerNormalization", "LSTM", "MatMul", "PRelu", "RNN"),
)


def _array(tensor: Any, path: Path, weight: bool = False) -> np.ndarray[Any, Any]:
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"{path}: initializer {tensor.name!r} is damaged ({first_line(error)})"
        ) from error
    _check_numbers(array, f"initializer {tensor.name!r}", path, weight)
    return array


def _dense(sparse: Any, path: Path) -> np.ndarray[Any, Any]:
    """Return a sparse tensor as an array; its indices are flat, or one number per axis."""
    values, places = _array(sparse.values, path), _array(sparse.indices, path)
    dense = np.zeros(tuple(sparse.dims), values.dtype)
    try:
        where = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), dense.shape)
        np.put(dense, where, values, mode="raise")
    except (ValueError, IndexError) as error:
        raise ModelError(
            f"{path}: sparse tensor {sparse.values.name!r} is damaged ({error})"
        ) from error
    return dense


def _check_numbers(
    array: np.ndarray[Any, Any], label: str, path: Path, weight: bool = False
) -> None:
    if array.dtype == object or not tf.as_dtype(array.dtype).is_floating or array.size < 2:
        return
    bad = int((~np.isfinite(array) if weight else np.isnan(array)).sum())
    if bad:
        kinds = "NaN or infinite" if weight else "NaN"
        raise ModelError(
            f"{path}: {label} has {bad} of {array.size} entries that are {kinds}; "
            "the network cannot be used, export it again from sound weights"
        )


def _constant(proto: Any, path: Path) -> np.ndarray[Any, Any]:
    attribute = proto.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        array = _array(value, path)
        _check_numbers(array, f"constant {proto.output[0]!r}", path)
        return array
    if attribute.name == "sparse_value":
        return _dense(value, path)
    if attribute.name in ("value_string", "value_strings"):
        return np.asarray(value, object)
    if attribute.name in ("value_float", "value_floats"):
        return np.asarray(value, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.asarray(value, np.int64)
    raise ModelError(
        f"{path}: constant {proto.output[0]!r} is given by {attribute.name}, which is not supported"
    )


def _input(info: Any) -> Input:
    kind = info.type.tensor_type
    if info.type.WhichOneof("value") != "tensor_type" or not kind.elem_type:
        return Input(info.name, None, None)
    dtype = tensor_type(kind.elem_type)
    if not kind.HasField("shape"):
        return Input(info.name, dtype, None)
    shape = tuple(
        int(d.dim_value) if d.WhichOneof("value") == "dim_value" and d.dim_value > 0 else None
        for d in kind.shape.dim
    )
    return Input(info.name, dtype, shape)


def _check_order(
    nodes: Iterable[Node], known: set[str], outputs: Iterable[str], path: Path
) -> None:
    for node in nodes:
        for name in node.needs:
            if name and name not in known:
                raise ModelError(f"{path}: {node} uses {name!r}, which nothing before it computes")
        known.update(node.outputs)
    for name in outputs:
        if name not in known:
            raise ModelError(f"{path}: nothing computes the output {name!r}")
