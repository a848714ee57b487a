"""What is known of the values of an ONNX graph before a run: names, roles, places of channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from kerasviz.importers.onnx.aliases import short_names
from kerasviz.importers.onnx.graph import Node
from kerasviz.importers.onnx.registry import Layout, layout_of, softmax_axes
from kerasviz.network.program import Value

__all__ = ["takes_channels_first", "value_of", "with_aliases"]

Shape = tuple[int | None, ...]


def takes_channels_first(
    name: str, shape: Shape | None, nodes: Sequence[Node], image_like: Collection[str]
) -> bool:
    """Whether an input of rank 3 or more has its channels on axis 1.

    It has if convolutions and their like are what it feeds. Otherwise it is taken so for rank 4,
    unless it is transposed first or its shape has 1 to 4 channels at its end only.
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


def _first_takers(name: str, nodes: Sequence[Node]) -> list[Node]:
    """The first nodes after ``name`` that do something with its axes."""
    reached, takers = {name}, []
    for node in nodes:
        if reached.intersection(node.inputs):
            if layout_of(node) is Layout.FOLLOWS:
                reached.update(node.outputs)
            else:
                takers.append(node)
    return takers


def value_of(
    name: str, node: Node, shape: Shape | None, known: Collection[str], *, moved: bool
) -> Value:
    """The value of a computed tensor: ``shape`` is as stored, ``moved`` with the channels last.

    ``known`` are the values that are computed before it. Whether it is the output of a ReLU that
    can be switched is for the program to say.
    """
    rank = 0 if shape is None else len(shape)
    parts: tuple[str, ...] = ()
    softmax_input = None
    if shape is not None and rank > 1:
        channel_axis = 1 if moved else rank - 1
        if node.op == "Concat" and all(n in known for n in node.inputs):
            axis = node.attributes.get("axis", 1)
            parts = node.inputs if axis % rank == channel_axis else ()
        if node.op in ("Softmax", "LogSoftmax") and node.inputs[0] in known:
            model_shape = list(shape)
            if moved:
                model_shape.insert(1, model_shape.pop())
            axes = softmax_axes(node, rank)
            if channel_axis in axes and all(model_shape[a] == 1 for a in axes if a != channel_axis):
                softmax_input = node.inputs[0]
    return Value(name, node.op, shape, softmax_input=softmax_input, parts=parts)


def with_aliases(
    values: Mapping[str, Value], nodes: Sequence[Node], outputs: Collection[str] = ()
) -> dict[str, Value]:
    """Give the first output of every node further names, where they are unambiguous.

    The node's name, and the short ones of the modules that it belongs to.
    """
    named: dict[str, list[str]] = {}
    for node in nodes:
        found = [o for o in node.outputs if o in values]
        if node.name and node.name not in values and found:
            named.setdefault(node.name, []).append(found[0])
    by_node = {found[0]: name for name, found in named.items() if len(found) == 1}
    short = short_names(nodes, outputs, taken={*values, *named})
    return {
        name: replace(
            value, aliases=(*((by_node[name],) if name in by_node else ()), *short.get(name, ()))
        )
        for name, value in values.items()
    }
