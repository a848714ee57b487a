"""Name the values of a TensorFlow graph, and find the inputs of ReLUs and softmaxes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from kerasviz.importers.activation_functions import ATOMIC
from kerasviz.importers.mixed_precision import COMPUTED
from kerasviz.importers.tensorflow.activation_inputs import activation_keys
from kerasviz.network.program import Value

if TYPE_CHECKING:
    from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
    from kerasviz.importers.tensorflow.node import GraphNode


@dataclass(frozen=True)
class Naming:
    """List names of tensors in order.

    ``names`` maps a tensor's key (``node:0``, no copy) to its names, the main one first; tensors
    without an entry are found by their nodes' names only. ``ops`` has the kinds shown in listings
    that differ from the op of the node.
    """

    names: Mapping[str, tuple[str, ...]]
    ops: Mapping[str, str] = field(default_factory=dict)


def by_nodes(graph: FrozenGraph) -> Naming:
    """Name every floating-point tensor that depends on an input after its node.

    A node that only passes its input on is another name of that input. A name scope that a single
    tensor leaves (``Mixed_3b`` of ``Mixed_3b/concat``) is another name of that tensor.
    """
    names: dict[str, list[str]] = {}
    taken: set[str] = set()
    for node in graph.nodes.values():
        # The other outputs of a batch normalization are statistics.
        count = 1 if node.op.startswith("FusedBatchNorm") else len(node.outputs)
        for index in range(count):
            key = f"{node.name}:{index}"
            source = graph.source(key)
            if source in graph.live and source not in graph.broken:
                shown = _shown(node.name)
                shown = node.name if shown in graph.nodes else shown
                spellings = [shown, node.name, key] if index == 0 else [key]
                activated = _activated(graph, node)
                if activated is not None and activated not in graph.nodes.keys() | taken:
                    taken.add(activated)
                    spellings.insert(0, activated)
                names.setdefault(source, []).extend(dict.fromkeys(spellings))
    for scope, key in _scopes(graph, names).items():
        if scope not in graph.nodes:
            names[key].extend(dict.fromkeys((_shown(scope), scope)))
    return Naming({k: tuple(v) for k, v in names.items() if _is_float(graph, k)})


def _shown(name: str) -> str:
    """Return a node's name without the call that wraps a whole SavedModel."""
    return name.removeprefix("StatefulPartitionedCall/").removeprefix("PartitionedCall/")


def _activated(graph: FrozenGraph, node: GraphNode) -> str | None:
    """Return ``conv.relu`` for the nameless activation of a node that was named ``conv``.

    TensorFlow calls operations without a name ``Relu``, ``Relu_1`` ...; they tell nothing.
    """
    if node.op not in ATOMIC or not _is_nameless(node) or not node.inputs:
        return None
    before = _producer(graph, node.inputs[0])
    while before is not None and before.op in _BETWEEN and _is_nameless(before):
        before = _producer(graph, before.inputs[0])
    if before is None or before.op not in COMPUTED or _is_nameless(before):
        return None
    return f"{_shown(before.name)}.{node.op.lower()}"


def _producer(graph: FrozenGraph, key: str) -> GraphNode | None:
    return graph.nodes.get(graph.source(key).rpartition(":")[0])


def _is_nameless(node: GraphNode) -> bool:
    """Return whether the name of a node at the top is that of its op, perhaps with a number."""
    return re.fullmatch(rf"{node.op}(_\d+)?", _shown(node.name)) is not None


#: Operations between a convolution and its activation.
_BETWEEN = frozenset({"Add", "AddV2", "BiasAdd", "FusedBatchNormV3"})


def _scopes(graph: FrozenGraph, names: Mapping[str, object]) -> dict[str, str]:
    """Return the name scopes that exactly one tensor leaves, with that tensor."""
    leaving: dict[str, set[str]] = {}

    def leave(key: str, user: str) -> None:
        scope = key.rpartition(":")[0].rpartition("/")[0]
        while scope and not user.startswith(scope + "/"):
            leaving.setdefault(scope, set()).add(key)
            scope = scope.rpartition("/")[0]

    used = set()
    for node in graph.nodes.values():
        for key in map(graph.source, node.inputs):
            used.add(key)
            if key in names and f"{node.name}:0" in names:
                leave(key, node.name)
    for key in names:
        if key not in used:
            leave(key, "")
    return {scope: next(iter(keys)) for scope, keys in leaving.items() if len(keys) == 1}


def _node(graph: FrozenGraph, key: str) -> tuple[GraphNode, int]:
    name, _, index = key.rpartition(":")
    return graph.nodes[name], int(index)


def _is_float(graph: FrozenGraph, key: str) -> bool:
    node, index = _node(graph, key)
    return node.op == "Placeholder" or bool(node.outputs[index][0].is_floating)


def values_of(
    graph: FrozenGraph,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    naming: Callable[[FrozenGraph], Naming] | None = None,
) -> tuple[dict[str, Value], dict[str, str]]:
    """Return the values by name, and the key of every name, even of unlisted tensors.

    The names of inputs and outputs become aliases of their values.
    """
    nodes = by_nodes(graph)
    listed = naming(graph) if naming else nodes
    main = {key: names[0] for key, names in nodes.names.items()}
    main.update({key: names[0] for key, names in listed.names.items()})
    extra: dict[str, list[str]] = {}
    for name, key in (*inputs.items(), *outputs.items()):
        extra.setdefault(graph.source(key), []).append(name)
    before = activation_keys(graph)
    taken = {names[0] for names in listed.names.values()}
    values: dict[str, Value] = {}
    keys: dict[str, str] = {}
    computed_from = _sources(
        graph, {**dict.fromkeys(listed.names), **dict.fromkeys(inputs.values())}
    )
    input_names = {key: name for name, key in inputs.items()}
    for key, names in listed.names.items():
        node, index = _node(graph, key)
        if key in inputs.values():
            continue
        spellings = (*names[1:], *extra.get(key, ()))
        aliases = [a for a in dict.fromkeys(spellings) if a != names[0] and a not in taken]
        values[names[0]] = Value(
            names[0],
            listed.ops.get(key, node.op),
            node.outputs[index][1],
            aliases=tuple(aliases),
            relu_input=_before(graph, node, main, "Relu", "Relu6"),
            softmax_input=_before(graph, node, main, "Softmax"),
            parts=_parts(graph, node, main),
            inputs=tuple(input_names.get(k) or main[k] for k in computed_from[key]),
            modules=tuple(accumulate(names[0].split("/")[:-1], "{}/{}".format)),
            auxiliary=len(node.outputs[index][1] or (0, 0)) < 2,
            activation_input=main.get(before.get(key, "")),
            table=_table_rows(graph, node),
        )
        keys[names[0]] = key
    aliased = [(alias, keys[value.name]) for value in values.values() for alias in value.aliases]
    for name, key in [*aliased, *((n, key) for key, names in nodes.names.items() for n in names)]:
        keys.setdefault(name, key)
    return values, keys


def _sources(graph: FrozenGraph, named: Collection[str]) -> dict[str, list[str]]:
    """Return the nearest named tensors that each tensor is computed from."""
    nearest: dict[str, dict[str, None]] = {}
    for node in graph.nodes.values():  # inputs come before their users
        reached: dict[str, None] = {}
        for source in map(graph.source, node.inputs):
            reached |= {source: None} if source in named else nearest.get(source, {})
        nearest.update({f"{node.name}:{k}": reached for k in range(len(node.outputs))})
    return {key: list(nearest.get(key, ())) for key in named}


def _before(graph: FrozenGraph, node: GraphNode, main: Mapping[str, str], *ops: str) -> str | None:
    return main.get(graph.source(node.inputs[0])) if node.op in ops else None


def _parts(graph: FrozenGraph, node: GraphNode, main: Mapping[str, str]) -> tuple[str, ...]:
    """Return the inputs of a concatenation along the channels, if all of them are values."""
    if node.op == "ConcatV2":
        *tensors, axis = node.inputs
    elif node.op == "Concat":
        axis, *tensors = node.inputs
    else:
        return ()
    rank = len(node.outputs[0][1] or ())
    if graph.source(axis) in graph.live or rank == 0:
        return ()
    if int(graph.constant(axis)) not in (-1, rank - 1):
        return ()
    sources = [graph.source(tensor) for tensor in tensors]
    return tuple(main[s] for s in sources) if all(s in main for s in sources) else ()


def _table_rows(graph: FrozenGraph, node: GraphNode) -> int | None:
    """Return the number of rows of the constant table that a node selects from, if it does."""
    if node.op == "OneHot" and node.attributes.get("axis", -1) == -1:
        depth = graph.source(node.inputs[1])
        return int(graph.constant(depth)) if graph.is_constant(depth) else None
    if node.op not in ("Gather", "GatherV2", "ResourceGather") or node.attributes.get("batch_dims"):
        return None
    table = graph.source(node.inputs[0])
    if node.op == "ResourceGather":
        shape = _variable_shape(graph.handles.get(table))
    else:
        name, _, index = table.rpartition(":")
        maker = graph.nodes.get(name) if graph.is_constant(table) else None  # else a state
        shape = None if maker is None else maker.outputs[int(index)][1]
    if shape is None or len(shape) != 2:
        return None
    if len(node.inputs) > 2 and int(graph.constant(node.inputs[2])) != 0:
        return None
    return shape[0]


def _variable_shape(handle: Any) -> tuple[int | None, ...] | None:
    """Return the shape of the variable of a handle, as TensorFlow knows it."""
    data = getattr(handle, "_handle_data", None)
    if data is None or not data.is_set:
        return None
    return tuple(int(axis.size) for axis in data.shape_and_type[0].shape.dim)
