"""Import frozen TensorFlow 1 graphs (``.pb``), such as the network of the article."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.imported import Imported
from kerasviz.importers.tensorflow.program import program_over

_IMAGE_OPS = ("Conv2D", "DepthwiseConv2dNative")
#: Nodes before the first convolution that keep the rank and channels of an image.
_ELEMENTWISE = frozenset(
    {"Identity", "Cast", "Sub", "Mul", "Add", "AddV2", "RealDiv", "Div", "Pad", "PadV2"}
    | {"MirrorPad", "CheckNumerics", "Relu", "MaxPool", "AvgPool", "ResizeBilinear"}
)


def read_graphdef(path: Path) -> Imported:
    """Read a frozen graph: placeholders are the inputs, unused tensors the outputs.

    An input of unknown shape is an image of any size with as many channels as the first convolution
    takes. Raises :class:`ModelError`.
    """
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ModelError(f"{path.name} is not a frozen graph that can be read: {error}") from error
    placeholders = [node for node in definition.node if node.op == "Placeholder"]
    batches = {node.name: _named_batch(node) for node in placeholders}
    if not placeholders:
        raise ModelError(f"{path.name}: the graph has no Placeholder, so no input")
    graph = tf.Graph()
    try:
        with graph.as_default():
            for node in placeholders:
                _set_shape(node, _image_shape(node, definition))
            tf.graph_util.import_graph_def(definition, name="")
        inputs = {n.name: graph.get_tensor_by_name(f"{n.name}:0") for n in placeholders}
        program = program_over(graph, inputs, _outputs(graph), batches=batches)
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise ModelError(f"{path.name}: {first_line(error)}") from error
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from error
    return Imported(program, "graphdef", contents=program.contents)


def _named_batch(placeholder: Any) -> int | None:
    """Return the number of images that an input names, ``None`` where it is free."""
    sizes = [d.size for d in placeholder.attr["shape"].shape.dim]
    return sizes[0] if len(sizes) == 4 and sizes[0] > 0 else None


def _image_shape(placeholder: Any, definition: Any) -> list[int | None] | None:
    """Return the shape of an input with a free batch, that of an image if unknown, or ``None``."""
    declared = placeholder.attr["shape"].shape
    known = "shape" in placeholder.attr and not declared.unknown_rank
    sizes = [None if d.size < 0 else d.size for d in declared.dim] if known else []
    if len(sizes) == 4:
        channels = sizes[3] or _channels(placeholder.name, definition)
        return [None, sizes[1], sizes[2], channels]
    if sizes or placeholder.attr["dtype"].type == tf.bool.as_datatype_enum:
        return sizes  # TF1 wrote [] for unknown shapes too; a flag is a scalar
    channels = _channels(placeholder.name, definition)
    return None if channels is None else [None, None, None, channels]


def _channels(name: str, definition: Any) -> int | None:
    """Return the number of channels that the first convolution behind node ``name`` takes."""
    nodes = {node.name: node for node in definition.node}
    users: dict[str, list[Any]] = {}
    for node in definition.node:
        for source in node.input:
            users.setdefault(_node_name(source), []).append(node)
    pending, seen = [name], {name}
    while pending:
        for user in users.get(pending.pop(0), ()):
            if user.op in _IMAGE_OPS:
                kernel = nodes[_node_name(user.input[1])]
                while kernel.op == "Identity":
                    kernel = nodes[_node_name(kernel.input[0])]
                dims = kernel.attr["value"].tensor.tensor_shape.dim
                return int(dims[2].size) if len(dims) == 4 else None
            if user.op in _ELEMENTWISE and user.name not in seen:
                seen.add(user.name)
                pending.append(user.name)
    return None


def _node_name(source: str) -> str:
    return source.removeprefix("^").split(":")[0]


def _set_shape(node: Any, shape: list[int | None] | None) -> None:
    if shape is None:
        node.attr["shape"].shape.Clear()
        node.attr["shape"].shape.unknown_rank = True
    else:
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())


def _outputs(graph: Any) -> dict[str, Any]:
    outputs = {}
    for operation in graph.get_operations():
        unused = not any(tensor.consumers() for tensor in operation.outputs)
        if operation.outputs and unused and operation.type not in ("Const", "Placeholder"):
            outputs[operation.name] = operation.outputs[0]
    return outputs
