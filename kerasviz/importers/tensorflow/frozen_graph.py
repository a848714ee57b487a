"""Read a frozen TensorFlow graph: which tensors are constant, live or impossible to compute."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from kerasviz.errors import ModelError
from kerasviz.importers.tensorflow.node import (
    CALLS,
    PASS_THROUGH,
    GraphNode,
    emit,
    node_of,
    why_not,
)
from kerasviz.network.program import PLAIN
from kerasviz.types import Tensor

_DEAD = "a branch that is never taken"


@dataclass(frozen=True)
class FrozenGraph:
    """Hold the nodes of a graph, inputs before users, and its constants.

    Tensors are named by keys ``node:k``. ``follow`` maps a copy to its source. ``live`` are the
    tensors that depend on an input, ``broken`` those that cannot be computed, with the reason, and
    ``handles`` the captured variables.
    """

    nodes: dict[str, GraphNode] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    follow: dict[str, str] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)
    handles: dict[str, Tensor] = field(default_factory=dict)

    def source(self, key: str) -> str:
        """Return the tensor that ``key`` is a copy of, or ``key`` itself."""
        while key in self.follow:
            key = self.follow[key]
        return key

    def needed(
        self, keys: Iterable[str], known: Container[str], refusal: Callable[[str], str]
    ) -> list[GraphNode]:
        """Return the live nodes that ``keys`` depend on, inputs first, up to ``known`` tensors.

        Raises :class:`ModelError` with the ``refusal`` for the reason of a broken tensor.
        """
        seen: set[str] = set()
        pending = list(keys)
        while pending:
            key = self.source(pending.pop())
            name = node_name(key)
            if key in self.broken:
                raise ModelError(refusal(self.broken[key]))
            if name not in seen and key in self.live:
                seen.add(name)
                pending += [] if key in known else self.nodes[name].inputs
        return [node for name, node in self.nodes.items() if name in seen]

    def constant(self, key: str) -> Tensor:
        """Compute a tensor that depends on no input, once."""
        with tf.init_scope():
            return self._constant(self.source(key))

    def _constant(self, key: str) -> Tensor:
        pending = [key]
        while pending:
            current = pending[-1]
            if current in self.constants:
                pending.pop()
                continue
            node = self.nodes[node_name(current)]
            sources = [self.source(tensor) for tensor in node.inputs]
            missing = [tensor for tensor in sources if tensor not in self.constants]
            if missing:
                pending += missing
                continue
            results = emit(node, [self.constants[tensor] for tensor in sources], PLAIN)
            for index, result in enumerate(results):
                self.constants[f"{node.name}:{index}"] = result
        return self.constants[key]


def node_name(key: str) -> str:
    """Return the node of a tensor.

    >>> node_name("a/b:1")
    'a/b'
    """
    return key.rpartition(":")[0]


def read_graph(graph: Any, inputs: Iterable[str]) -> FrozenGraph:
    """Read a ``tf.Graph``; ``inputs`` are the keys of the tensors that will be fed.

    Called functions are read in place, and captured variables with their current values. Raises
    :class:`ModelError` that names a constant with NaN or infinite numbers.
    """
    frozen = FrozenGraph(live=set(inputs))
    for outside, inside in getattr(graph, "captures", ()):
        kind = frozen.handles if inside.dtype == tf.resource else frozen.constants
        kind[inside.name] = outside
    _read(graph, "", frozen, _Library(graph))
    return frozen


class _Library:
    """Hold the functions of a graph by name, read at the first call only, since they are large."""

    def __init__(self, graph: Any):
        self._graph = graph
        self._definitions: dict[str, Any] | None = None

    def body(self, name: str, shapes: list[Any]) -> Any:
        """Return the graph of a function for inputs of the given shapes."""
        if self._definitions is None:
            functions = self._graph.as_graph_def().library.function
            self._definitions = {function.signature.name: function for function in functions}
        with self._graph.as_default():
            return function_def_to_graph(
                self._definitions[name], input_shapes=shapes, include_library_functions=True
            )


def _read(graph: Any, prefix: str, frozen: FrozenGraph, library: _Library) -> None:
    for operation in graph.get_operations():
        name = prefix + operation.name
        keys = [f"{name}:{index}" for index in range(len(operation.outputs))]
        if any(key in frozen.live or key in frozen.follow for key in keys):
            # An input, or the argument of a function.
            frozen.nodes[name] = node_of(operation, prefix)
        elif any(key in frozen.handles or key in frozen.constants for key in keys):
            continue
        elif operation.type == "Const":
            array = tf.make_ndarray(operation.get_attr("value"))
            frozen.constants[keys[0]] = _checked(array, name)
        elif operation.type in CALLS:
            _read_call(operation, prefix, frozen, library)
        else:
            _read_node(node_of(operation, prefix), keys, frozen)


def _read_node(node: GraphNode, keys: list[str], frozen: FrozenGraph) -> None:
    frozen.nodes[node.name] = node
    if node.op == "ReadVariableOp" and frozen.source(node.inputs[0]) in frozen.handles:
        handle = frozen.handles[frozen.source(node.inputs[0])]
        with tf.init_scope():
            weight = tf.raw_ops.ReadVariableOp(resource=handle, dtype=node.outputs[0][0])
        frozen.constants[keys[0]] = _checked(weight.numpy(), node.name)
        return
    reason = next((frozen.broken[key] for key in node.inputs if key in frozen.broken), None)
    if node.op in ("Switch", "Merge"):
        reason = _settle_branch(node, frozen)
    elif reason is None:
        why = "an input that is not fed" if node.op == "Placeholder" else why_not(node)
        reason = None if why is None else f"{node.name} ({node.op}): {why}"
        if node.op in PASS_THROUGH:
            frozen.follow.update(zip(keys, node.inputs, strict=False))
    if reason is not None:
        frozen.broken.update(dict.fromkeys(keys, reason))
    elif node.stateful or any(key in frozen.live for key in node.inputs):
        frozen.live.update(keys)


def _read_call(operation: Any, prefix: str, frozen: FrozenGraph, library: _Library) -> None:
    """Read the body of a called function; its arguments are copies of the call's inputs."""
    shapes = [tensor.shape.as_proto() for tensor in operation.inputs]
    body = library.body(operation.get_attr("f").name, shapes)
    name = prefix + operation.name
    for argument, given in zip(body.inputs, operation.inputs, strict=True):
        _link(f"{name}/{argument.name}", prefix + given.name, frozen)
    _read(body, f"{name}/", frozen, library)
    for index, result in enumerate(body.outputs):
        _link(f"{name}:{index}", f"{name}/{result.name}", frozen)


def _link(copy: str, source: str, frozen: FrozenGraph) -> None:
    frozen.follow[copy] = source
    if source in frozen.live:
        frozen.live.add(copy)
    if source in frozen.broken:
        frozen.broken[copy] = frozen.broken[source]


def _settle_branch(node: GraphNode, frozen: FrozenGraph) -> str | None:
    """Take a TF1 branch whose predicate is constant (``is_training``); else return the reason."""
    control_flow = f"{node.name} ({node.op}): control flow"
    if node.op == "Switch":
        data, predicate = node.inputs
        if data in frozen.broken:
            return frozen.broken[data]
        if predicate in frozen.live or predicate in frozen.broken:
            return control_flow
        taken = int(bool(frozen.constant(predicate)))
        frozen.broken[f"{node.name}:{1 - taken}"] = _DEAD
        _link(f"{node.name}:{taken}", data, frozen)
    else:
        alive = [key for key in node.inputs if frozen.broken.get(key) != _DEAD]
        if len(alive) != 1:
            return next((frozen.broken[key] for key in alive if key in frozen.broken), control_flow)
        _link(f"{node.name}:0", alive[0], frozen)
    return None


def _checked(array: Any, name: str) -> Tensor:
    """Return a constant as an eager tensor; :class:`ModelError` if it has NaN or infinities."""
    dtype = tf.as_dtype(array.dtype)
    if dtype.is_floating:
        numbers = array.astype(np.float32)
        # A scalar infinity is a bound (of a mask, of padding), not a weight.
        if np.isnan(numbers).any() or (array.size > 1 and np.isinf(numbers).any()):
            weight = name.removesuffix("/resource").removesuffix("/ReadVariableOp")
            raise ModelError(f"weight {weight} holds NaN or infinite numbers; the file is damaged")
    with tf.init_scope():
        return tf.constant(array)
