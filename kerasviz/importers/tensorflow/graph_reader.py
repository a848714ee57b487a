"""Read a TensorFlow graph with the functions that it calls."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from kerasviz.errors import ModelError
from kerasviz.importers.tensorflow.channels_last import as_in_file, with_channels_last
from kerasviz.importers.tensorflow.control_flow import (
    BRANCHES,
    LOOPS,
    Branch,
    Condition,
    LoopBody,
    WhileLoop,
    choice_of,
)
from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.node import (
    CALLS,
    PASS_THROUGH,
    GraphNode,
    node_of,
    why_not,
)
from kerasviz.importers.tensorflow.states import (
    GATHERS,
    LOOKUPS,
    READS,
    as_gather,
    contents,
    lookup,
    read_now,
    reading,
)
from kerasviz.types import Tensor

_DEAD = "a branch that is never taken"


def read_graph(
    graph: Any,
    inputs: Iterable[str],
    states: Mapping[str, Tensor] | None = None,
    follows: bool = False,
) -> FrozenGraph:
    """Read a ``tf.Graph``; ``inputs`` are the keys of the tensors that will be fed.

    Called functions are read in place, captured variables and tables with their current contents.
    ``states`` are those that are nodes of the graph itself, as in TensorFlow 1. A graph that
    ``follows`` has the contents of variables at the time of each run. Raises
    :class:`ModelError` that names a constant with NaN or infinite numbers.
    """
    frozen = FrozenGraph(live=set(inputs), follows=follows)
    captures = ((outside, inside.name) for outside, inside in getattr(graph, "captures", ()))
    for tensor, key in (*captures, *((tensor, key) for key, tensor in (states or {}).items())):
        kind = frozen.handles if tensor.dtype == tf.resource else frozen.constants
        kind[key] = tensor
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
        definition = self._definitions[name]
        # The shape of a handle is not that of its variable, which it would be taken for.
        handles = [given.type == types_pb2.DT_RESOURCE for given in definition.signature.input_arg]
        known = [None if handle else s for handle, s in zip(handles, shapes, strict=True)]
        with self._graph.as_default():
            return function_def_to_graph(
                definition, input_shapes=known, include_library_functions=True
            )


def _read(graph: Any, prefix: str, frozen: FrozenGraph, library: _Library) -> None:
    settled = (frozen.live, frozen.follow, frozen.broken)
    for operation in graph.get_operations():
        name = prefix + operation.name
        keys = [f"{name}:{index}" for index in range(len(operation.outputs))]
        if any(key in known for known in settled for key in keys):
            # An input, or the argument of a function.
            frozen.nodes[name] = node_of(operation, prefix)
        elif any(key in frozen.handles or key in frozen.constants for key in keys):
            continue
        elif operation.type == "Const":
            array = tf.make_ndarray(operation.get_attr("value"))
            frozen.constants[keys[0]] = _checked(array, name)
        elif operation.type in CALLS:
            _read_call(operation, operation.get_attr("f").name, prefix, frozen, library)
        elif operation.type in BRANCHES:
            _read_branch(operation, prefix, frozen, library)
        elif operation.type in LOOPS:
            _read_loop(operation, prefix, frozen, library)
        elif (handle := _handle(operation, prefix, frozen)) is not None:
            _read_state(operation, prefix, handle, frozen)
        else:
            _read_node(node_of(operation, prefix), keys, frozen)


def _read_node(node: GraphNode, keys: list[str], frozen: FrozenGraph) -> None:
    frozen.nodes[node.name] = node
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
    elif _is_live(node, frozen):
        frozen.live.update(keys)


def _is_live(node: GraphNode, frozen: FrozenGraph) -> bool:
    """Return whether a node is computed in every run; a list cannot be stored as a constant."""
    lists = any(dtype == tf.variant for dtype, _ in node.outputs)
    return lists or node.stateful or any(key in frozen.live for key in node.inputs)


def _handle(operation: Any, prefix: str, frozen: FrozenGraph) -> Tensor | None:
    """Return the variable or table that an operation takes, if any."""
    keys = (frozen.source(prefix + tensor.name) for tensor in operation.inputs)
    return next((frozen.handles[key] for key in keys if key in frozen.handles), None)


def _is_assignment(operation: Any) -> bool:
    return bool(operation.type.startswith("Assign") and operation.type.endswith("VariableOp"))


def _read_state(operation: Any, prefix: str, handle: Tensor, frozen: FrozenGraph) -> None:
    """Read an operation on a variable or table as one on its current contents."""
    node = node_of(operation, prefix)
    keys = [f"{node.name}:{index}" for index in range(len(node.outputs))]
    if operation.type in PASS_THROUGH:
        frozen.follow.update(zip(keys, node.inputs, strict=True))
    elif operation.type in LOOKUPS:
        node = replace(node, inputs=node.inputs[1:], groups=(), stateful=False)
        _read_node(replace(node, run=lookup(operation, handle)), keys, frozen)
    elif operation.type in GATHERS:
        weight = f"{node.name}/resource:0"
        if frozen.follows:
            _read_always(node, weight, handle, frozen)
        else:
            frozen.constants[weight] = _checked(contents(handle, node.outputs[0][0]), node.name)
        node, axis = as_gather(node, weight)
        frozen.constants.update(axis)
        _read_node(node, keys, frozen)
    elif operation.type == "ReadVariableOp" and frozen.follows:
        _read_always(node, keys[0], handle, frozen)
    elif operation.type in READS and not any(map(_is_assignment, operation.control_inputs)):
        frozen.nodes[node.name] = node
        frozen.constants[keys[0]] = _checked(read_now(node, handle), node.name)
    else:
        frozen.nodes[node.name] = node
        reason = f"{node.name} ({node.op}): a state that changes in a run"
        frozen.broken.update(dict.fromkeys(keys, reason))


def _read_always(node: GraphNode, key: str, handle: Tensor, frozen: FrozenGraph) -> None:
    """Add a node with the tensor ``key`` that reads a variable in every run."""
    added = reading(node, key, handle)
    frozen.nodes[added.name] = added
    frozen.live.add(key)


def _read_call(
    operation: Any, function: str, prefix: str, frozen: FrozenGraph, library: _Library
) -> None:
    """Read the body of a called function; its arguments are copies of the call's inputs."""
    given = operation.inputs[1:] if operation.type in BRANCHES else operation.inputs
    body = library.body(function, _shapes(given))
    name = prefix + operation.name
    for argument, tensor in zip(body.inputs, given, strict=True):
        _link(f"{name}/{argument.name}", prefix + tensor.name, frozen)
    _read(body, f"{name}/", frozen, library)
    for index, result in enumerate(body.outputs):
        _link(f"{name}:{index}", f"{name}/{result.name}", frozen)


# -- control flow --------------------------------------------------------------------------------


def _read_branch(operation: Any, prefix: str, frozen: FrozenGraph, library: _Library) -> None:
    """Read all branches, or in place the only one that is ever taken."""
    if operation.type in ("Case", "StatelessCase"):
        kind, names = Branch, [f.name for f in operation.get_attr("branches")]
    else:
        kind, names = Condition, [operation.get_attr(f"{b}_branch").name for b in ("then", "else")]
    chosen = prefix + operation.inputs[0].name
    if frozen.is_constant(chosen):
        index = choice_of(operation.type, frozen.constant(chosen), len(names))
        _read_call(operation, names[index], prefix, frozen, library)
        return
    given = [prefix + tensor.name for tensor in operation.inputs[1:]]
    shapes = _shapes(operation.inputs[1:])
    unbound = [k for k, key in enumerate(given) if not _is_bound(key, frozen)]
    graphs = [library.body(name, shapes) for name in names]
    bodies = [_body(graph, prefix + operation.name, given, frozen, library) for graph in graphs]
    reasons: dict[int, str] = {}
    for body in bodies:
        reasons = {**body.broken, **reasons}
    count = len(operation.outputs)
    usable = [index for index in range(count) if index not in reasons]
    run = kind(tuple(b.restricted(unbound, usable) for b in bodies), tuple(usable), count)
    node = _control(operation, prefix, [chosen, *(given[k] for k in unbound)], run)
    _settle(node, frozen, reasons)


def _read_loop(operation: Any, prefix: str, frozen: FrozenGraph, library: _Library) -> None:
    """Read a loop; what its body only hands on is a copy of its input."""
    given = [prefix + tensor.name for tensor in operation.inputs]
    shapes = operation.get_attr("output_shapes") or _unknown_shapes(len(given))
    graphs = [library.body(operation.get_attr(f).name, shapes) for f in ("cond", "body")]
    kept = _handed_on(graphs[1])
    condition, body = (
        _body(graph, prefix + operation.name, given, frozen, library, kept) for graph in graphs
    )
    unbound = [k for k, key in enumerate(given) if k not in kept or not _is_bound(key, frozen)]
    varying = [k for k in range(len(given)) if k not in kept]
    run = WhileLoop(
        condition.restricted(unbound, [0]),
        body.restricted(unbound, varying),
        tuple(unbound.index(k) for k in varying),
        tuple(tf.TensorShape(shapes[k]) for k in varying),
        tuple(varying),
        len(given),
        operation.get_attr("parallel_iterations"),
    )
    node = _control(operation, prefix, [given[k] for k in unbound], run)
    reason = next(iter({**condition.broken, **run.body.broken}.values()), None)
    _settle(node, frozen, {} if reason is None else dict.fromkeys(range(len(given)), reason))
    for k in kept:
        _link(f"{node.name}:{k}", given[k], frozen)


def _body(
    graph: Any,
    name: str,
    given: Sequence[str],
    frozen: FrozenGraph,
    library: _Library,
    bound: Container[int] | None = None,
) -> LoopBody:
    """Read a function's graph, in which the arguments at ``bound`` may be constants of the caller.

    By default all arguments may be.
    """
    inner = FrozenGraph(follows=frozen.follows)
    keys = [f"{name}/{argument.name}" for argument in graph.inputs]
    for index, (key, source) in enumerate(zip(keys, map(frozen.source, given), strict=True)):
        if source in frozen.broken:
            inner.broken[key] = frozen.broken[source]
        elif (bound is None or index in bound) and source in frozen.handles:
            inner.handles[key] = frozen.handles[source]
        elif (bound is None or index in bound) and source in frozen.constants:
            inner.constants[key] = frozen.constants[source]
        else:
            inner.live.add(key)
    _read(graph, f"{name}/", inner, library)
    first = with_channels_last(inner)
    results = (as_in_file(inner, first, f"{name}/{result.name}") for result in graph.outputs)
    return LoopBody(inner, tuple(keys), tuple(results))


def _is_bound(key: str, frozen: FrozenGraph) -> bool:
    """Return whether a tensor is known at import, or never, so that no body needs it as input."""
    source = frozen.source(key)
    return source in frozen.handles or source in frozen.constants or source in frozen.broken


def _handed_on(graph: Any) -> set[int]:
    """Return which outputs of a loop's body are the inputs at the same places."""
    kept = set()
    for index, (argument, result) in enumerate(zip(graph.inputs, graph.outputs, strict=True)):
        while result is not argument and result.op.type in PASS_THROUGH:
            result = result.op.inputs[result.value_index]
        if result is argument:
            kept.add(index)
    return kept


def _shapes(tensors: Iterable[Any]) -> list[Any]:
    return [tensor.shape.as_proto() for tensor in tensors]


def _unknown_shapes(count: int) -> list[Any]:
    return [tf.TensorShape(None).as_proto()] * count


def _control(operation: Any, prefix: str, inputs: Sequence[str], run: Any) -> GraphNode:
    node = node_of(operation, prefix)
    return replace(node, inputs=tuple(inputs), groups=(), attributes={}, run=run)


def _settle(node: GraphNode, frozen: FrozenGraph, reasons: Mapping[int, str]) -> None:
    """Add a node to the graph, of which the outputs with ``reasons`` cannot be computed."""
    keys = [f"{node.name}:{index}" for index in range(len(node.outputs))]
    frozen.nodes[node.name] = node
    before = next((frozen.broken[key] for key in node.inputs if key in frozen.broken), None)
    if any(frozen.source(key) in frozen.handles for key in node.inputs):
        before = f"{node.name} ({node.op}): a loop over variables"
    if before is not None:
        reasons = dict.fromkeys(range(len(keys)), before)
    frozen.broken.update({keys[index]: reason for index, reason in reasons.items()})
    if _is_live(node, frozen):
        frozen.live.update(key for key in keys if key not in frozen.broken)


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
            raise ModelError(
                f"weight {weight} holds NaN or infinite numbers: the file is damaged, or the "
                "training has diverged"
            )
    with tf.init_scope():
        return tf.constant(array)
