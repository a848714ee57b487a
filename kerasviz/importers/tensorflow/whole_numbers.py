"""Feed images of whole numbers as floats, through the nodes that only move or convert them.

Whole numbers have no gradient. Between the input and the cast to floats a graph may cut, resize,
reorder or widen an image; these nodes compute the same of floats.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence

import tensorflow as tf

from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph, node_name
from kerasviz.importers.tensorflow.node import CALLS, GraphNode
from kerasviz.types import Tensor

_ALL = range(2**16)
#: Ops with the indices of those inputs whose entries make up the outputs, or are compared.
_MOVING: Mapping[str, Collection[int]] = {
    **dict.fromkeys(
        (
            *("BatchToSpaceND", "BroadcastTo", "Cast", "DepthToSpace", "EnsureShape"),
            *("ExpandDims", "Gather", "GatherNd", "GatherV2", "Max", "Min", "MirrorPad", "Pad"),
            *("Reshape", "ResizeNearestNeighbor", "ReverseSequence", "ReverseV2", "Roll"),
            *("Slice", "SpaceToBatchND", "SpaceToDepth", "SplitV", "Squeeze", "StridedSlice"),
            *("Tile", "Transpose", "Unpack"),
        ),
        (0,),
    ),
    **dict.fromkeys(("ConcatV2", "Maximum", "Minimum", "Pack", "ClipByValue"), _ALL),
    **dict.fromkeys(("PadV2",), (0, 2)),
    **dict.fromkeys(("Select", "SelectV2"), (1, 2)),
    "Split": (1,),
}
#: Ops whose outputs are no such numbers any more: floats, lengths or truth values.
_ENDING: Mapping[str, Collection[int]] = {
    **dict.fromkeys(
        (
            *("CropAndResize", "Rank", "ResizeArea", "ResizeBicubic", "ResizeBilinear"),
            *("ScaleAndTranslate", "Shape", "Size"),
        ),
        (0,),
    ),
    **dict.fromkeys(
        (
            *("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual"),
            *("ShapeN", "BroadcastGradientArgs"),
        ),
        _ALL,
    ),
}
#: Arithmetic that a type of whole numbers of 32 bits or more does not cut off.
_ARITHMETIC = ("Abs", "Add", "AddN", "AddV2", "Mul", "Neg", "Square", "Sub")


def only_converted(graph: FrozenGraph, key: str, outputs: Collection[str]) -> bool:
    """Return whether a graph turns a tensor of whole numbers into floats without computing on it.

    ``outputs`` are the tensors that the graph is run for.
    """
    carried = {graph.source(key)}
    nodes = _ancestors(graph, outputs)
    converted = False
    for node in graph.nodes.values():  # inputs come before their users
        if node.name not in nodes or node.op in CALLS:
            continue
        places = {k for k, i in enumerate(node.inputs) if graph.source(i) in carried}
        if not places or f"{node.name}:0" in graph.follow:
            continue
        if not places <= set(_data_inputs(node)):
            return False
        for k, (dtype, _) in enumerate(node.outputs):
            if node.op not in _ENDING and dtype.is_integer:
                carried.add(f"{node.name}:{k}")
            converted = converted or dtype.is_floating
    return converted


def _ancestors(graph: FrozenGraph, outputs: Collection[str]) -> set[str]:
    names: set[str] = set()
    todo = list(outputs)
    while todo:
        name = node_name(graph.source(todo.pop()))
        if name not in names and name in graph.nodes:
            names.add(name)
            todo += graph.nodes[name].inputs
    return names


def _data_inputs(node: GraphNode) -> Collection[int]:
    """Return the inputs of a node that may hold floats for whole numbers."""
    if node.op in _ARITHMETIC:
        return _ALL if node.outputs[0][0] in (tf.int32, tf.int64) else ()
    places = _MOVING.get(node.op, _ENDING.get(node.op, ()))
    return places if node.op != "ConcatV2" else range(len(node.inputs) - 1)


def float_inputs(
    graph: FrozenGraph, node: GraphNode, inputs: Sequence[Tensor], carried: Container[str]
) -> list[Tensor] | None:
    """Return the inputs of a node that takes ``carried`` tensors, all of them floats.

    ``None`` for a node that takes none.
    """
    if not any(graph.source(key) in carried for key in node.inputs):
        return None
    places = _data_inputs(node)
    return [
        tf.cast(tensor, tf.float32) if k in places and tensor.dtype.is_integer else tensor
        for k, tensor in enumerate(inputs)
    ]


def carries(node: GraphNode, index: int) -> bool:
    """Return whether an output is carried in floats if the inputs of the node are."""
    return node.op not in _ENDING and bool(node.outputs[index][0].is_integer)
