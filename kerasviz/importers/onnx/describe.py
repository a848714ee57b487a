"""Describe the values of an ONNX graph before a run: names, roles, the axis of the channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerasviz.importers.onnx.aliases import (
    first_names,
    modules_around,
    shape_arithmetic,
    short_names,
)
from kerasviz.importers.onnx.graph import Graph, Node
from kerasviz.importers.onnx.layout import Constant
from kerasviz.importers.onnx.registry import Layout, layout_of, softmax_axes
from kerasviz.network.program import Value
from kerasviz.types import Array

Shape = tuple[int | None, ...]


def takes_channels_first(
    name: str, shape: Shape | None, nodes: Sequence[Node], image_like: Collection[str]
) -> bool:
    """Return whether an input of rank 3 or more has its channels on axis 1.

    It has if it feeds convolutions or similar nodes. Otherwise an input of rank 4 is assumed to,
    unless it is transposed first, or only its last axis has a length of 1 to 4.
    """
    if shape is None or len(shape) < 3:
        return False
    if name in image_like:
        return True
    if len(shape) != 4:
        return False
    few = [n is not None and n <= 4 for n in (shape[1], shape[3])]
    if few[0] != few[1]:
        return few[0]
    return not any(node.op == "Transpose" for node in _first_takers(name, nodes))


def shape_by_use(
    name: str, nodes: Sequence[Node], kernels: Mapping[str, Shape]
) -> tuple[int | None, ...] | None:
    """Return the shape of an input whose number of axes is free, if a convolution takes it.

    ``kernels`` are the shapes of constants.
    """
    for node in _first_takers(name, nodes):
        kernel = kernels.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if node.op == "Conv" and kernel is not None and len(kernel) > 2:
            channels = (kernel[1] or 0) * int(node.attributes.get("group", 1))
            return (None, channels, *[None] * (len(kernel) - 2))
    return None


def _first_takers(name: str, nodes: Sequence[Node]) -> list[Node]:
    """Return the first nodes after ``name`` that use its axes."""
    reached, takers = {name}, []
    for node in nodes:
        if reached.intersection(node.inputs):
            if layout_of(node) is Layout.FOLLOWS:
                reached.update(node.outputs)
            else:
                takers.append(node)
    return takers


def value_of(
    name: str, node: Node, shape: Shape | None, known: Collection[str], *, axis: int
) -> Value:
    """Describe a computed tensor; ``shape`` has the model's ``axis`` of the channels last.

    ``known`` are the values computed before it. The program adds whether it is the output of a ReLU
    that can be switched.
    """
    rank = 0 if shape is None else len(shape)
    parts: tuple[str, ...] = ()
    softmax_input = None
    if shape is not None and rank > 1:
        channel_axis = axis % rank
        if node.op == "Concat" and all(n in known for n in node.inputs):
            joins = node.attributes.get("axis", 1) % rank == channel_axis
            parts = node.inputs if joins else ()
        if node.op in ("Softmax", "LogSoftmax") and node.inputs[0] in known:
            model_shape = list(shape)
            model_shape.insert(channel_axis, model_shape.pop())
            axes = softmax_axes(node, rank)
            if channel_axis in axes and all(model_shape[a] == 1 for a in axes if a != channel_axis):
                softmax_input = node.inputs[0]
    return Value(name, node.op, shape, softmax_input=softmax_input, parts=parts)


def with_aliases(
    values: Mapping[str, Value], nodes: Sequence[Node], outputs: Collection[str] = ()
) -> dict[str, Value]:
    """Add unambiguous aliases to the first output of every node.

    They are the node's name, the first one of names that were joined, and the short names of the
    modules around it.
    """
    named: dict[str, list[str]] = {}
    for node in nodes:
        outs = [o for o in node.outputs if o in values]
        if node.name and node.name not in values and outs:
            named.setdefault(node.name, []).append(outs[0])
    by_node = {outs[0]: name for name, outs in named.items() if len(outs) == 1}
    first = {value: name for name, value in first_names(nodes, {*values, *named}).items()}
    short = short_names(nodes, outputs, taken={*values, *named, *first.values()})
    return {
        name: replace(
            value,
            aliases=(*(own[name] for own in (by_node, first) if name in own), *short.get(name, ())),
        )
        for name, value in values.items()
    }


def with_structure(
    values: Mapping[str, Value], nodes: Sequence[Node], inputs: Collection[str]
) -> dict[str, Value]:
    """Add to every value those that it is computed from, and the modules around it."""
    modules, shapes = modules_around(nodes), shape_arithmetic(nodes)
    needed = {name: node.needs for node in nodes for name in node.outputs}
    return {
        name: replace(
            value,
            inputs=tuple(dict.fromkeys(n for n in needed[name] if n in values or n in inputs)),
            modules=modules.get(name, ()),
            auxiliary=value.auxiliary or name in shapes,
        )
        for name, value in values.items()
    }


def with_weights(
    values: Mapping[str, Value], graph: Graph, nodes: Sequence[Node]
) -> dict[str, Value]:
    """Add to every value the names of the weights that its node takes, perhaps transposed.

    ``nodes`` are those that are run; the others of the ``graph`` depend on constants only.
    """
    names: dict[str, tuple[str, ...]] = {
        name: (name,) if constant.array.dtype.kind == "f" and constant.array.ndim else ()
        for name, constant in graph.constants.items()
    }
    run = {output for node in nodes for output in node.outputs if output}
    taken: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        weights = tuple(dict.fromkeys(w for name in node.inputs for w in names.get(name, ())))
        for output in filter(None, node.outputs):
            if output in run:
                taken[output] = weights
            elif node.op == "Identity":  # PyTorch stores equal weights once
                names[output] = (output,) if weights else ()
            else:
                names[output] = weights
    return {name: replace(value, weights=taken.get(name, ())) for name, value in values.items()}


def with_tables(
    values: Mapping[str, Value], nodes: Sequence[Node], constants: Mapping[str, Any]
) -> dict[str, Value]:
    """Add to every value that has rows of a constant table the number of rows of the table."""
    rows = {node.outputs[-1]: count for node in nodes if (count := _table_rows(node, constants))}
    return {name: replace(value, table=rows.get(name)) for name, value in values.items()}


#: Operators that select rows of a table: the input that is the table, and the attribute that names
#: the axis of the rows, if there is one.
_LOOKUPS = {
    "Gather": (0, "axis"),
    "GatherBlockQuantized": (0, "gather_axis"),
    "EmbedLayerNormalization": (2, None),
}


def _table_rows(node: Node, constants: Mapping[str, Any]) -> int | None:
    """Return the number of rows of the table that a node selects from, ``None`` for other nodes."""
    if node.op == "OneHot":
        depth = constants.get(node.inputs[1])
        is_last = node.attributes.get("axis", -1) == -1
        return int(depth.array.item()) if is_last and isinstance(depth, Constant) else None
    if node.op == "Equal":
        counted = (_counted(constants.get(name)) for name in node.inputs)
        return next((count for count in counted if count), None)
    if node.op not in _LOOKUPS:
        return None
    place, attribute = _LOOKUPS[node.op]
    table = constants.get(node.inputs[place])
    axis = 0 if attribute is None else node.attributes.get(attribute, 0)
    if not isinstance(table, Constant) or table.array.ndim != 2 or axis != 0:
        return None
    return int(table.array.shape[0])


def _counted(constant: Any) -> int | None:
    """Return n for a constant whose last axis has the numbers 0 to n - 1, as of JAX's one-hot."""
    array: Array = constant.array if isinstance(constant, Constant) else np.zeros(())
    if not array.ndim or array.shape[-1] < 2 or array.dtype.kind not in "iuf":
        return None
    count = array.shape[-1]
    return int(count) if (array == np.arange(count)).all() else None
