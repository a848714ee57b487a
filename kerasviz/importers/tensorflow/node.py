"""Represent a node of a TensorFlow graph as plain data, and run it again."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, first_line
from kerasviz.network.program import Kernels, static_shape
from kerasviz.types import Tensor

#: Ops whose k-th output is their k-th input.
PASS_THROUGH = frozenset(
    {"Identity", "IdentityN", "CheckNumerics", "PlaceholderWithDefault", "PreventGradient"}
    | {"Snapshot"}
)
#: Ops that call the function of their attribute ``f``.
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
#: Formats with the channels before the positions.
CHANNELS_FIRST = (b"NCHW", b"NCDHW")
#: The input with the image of every op that knows a channels-first format.
IMAGES = {
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative", "BiasAdd"), 0),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), 0),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), 0),
    **dict.fromkeys(("SpaceToDepth", "DepthToSpace"), 0),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), 2),
}
_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp", "ReadVariableOp"})


@dataclass(frozen=True)
class GraphNode:
    """Hold a node; ``inputs`` are keys ``name:k``, which ``groups`` assigns to arguments.

    A group of ``None`` is an argument that takes one tensor, a number one that takes a list.
    ``outputs`` has the type and the static shape (``None`` if even the rank is unknown) of each.
    ``run`` computes the outputs of control flow; other nodes are run by their op.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    groups: tuple[tuple[str, int | None], ...]
    attributes: dict[str, Any]
    outputs: tuple[tuple[Any, tuple[int | None, ...] | None], ...]
    stateful: bool
    run: Callable[[Sequence[Tensor], Kernels], list[Any]] | None = None


@cache
def _arguments(op: str) -> tuple[str, ...]:
    """Return the argument names of a raw op, empty if there is no such op."""
    function = getattr(tf.raw_ops, op, None)
    return () if function is None else tuple(inspect.signature(function).parameters)


def _renamed(op_def: Any) -> dict[str, str]:
    """Map an op's argument names to those of ``tf.raw_ops`` (``reduction_indices``: ``axis``).

    The few names that differ have the same order on both sides.
    """
    known = [name for name in _arguments(op_def.name) if name != "name"]
    names = [a.name for a in op_def.input_arg] + [a.name for a in op_def.attr]
    inferred = _inferred(op_def)
    lost = [name for name in names if name not in known and name not in inferred]
    new = [name for name in known if name not in names]
    return dict(zip(lost, new, strict=False))


def _inferred(op_def: Any) -> set[str]:
    """Return the attributes that follow from the inputs."""
    return {
        attr
        for argument in op_def.input_arg
        for attr in (argument.type_attr, argument.number_attr, argument.type_list_attr)
        if attr
    }


def node_of(operation: Any, prefix: str = "") -> GraphNode:
    """Read a ``tf.Operation`` as a :class:`GraphNode`, with ``prefix`` before all names."""
    op_def = operation.op_def
    renamed, inferred = _renamed(op_def), _inferred(op_def)
    groups: list[tuple[str, int | None]] = []
    for argument in op_def.input_arg:
        count = None
        if argument.number_attr:
            count = operation.get_attr(argument.number_attr)
        elif argument.type_list_attr:
            count = len(operation.get_attr(argument.type_list_attr))
        groups.append((renamed.get(argument.name, argument.name), count))
    known = _arguments(operation.type)
    attributes = {}
    for attr in op_def.attr:
        name = renamed.get(attr.name, attr.name)
        if attr.name not in inferred and name in known:
            attributes[name] = operation.get_attr(attr.name)
    outputs = tuple((out.dtype, static_shape(out)) for out in operation.outputs)
    return GraphNode(
        prefix + operation.name,
        operation.type,
        tuple(prefix + tensor.name for tensor in operation.inputs),
        tuple(groups),
        attributes,
        outputs,
        bool(op_def.is_stateful),
    )


def why_not(node: GraphNode) -> str | None:
    """Return why a node cannot be run again; ``None`` if it can."""
    if node.op in _VARIABLES:
        return "a variable: the graph is not frozen"
    data_format = node.attributes.get("data_format")
    if data_format == b"NCHW_VECT_C" or (data_format in CHANNELS_FIRST and node.op not in IMAGES):
        return "channels first: save the model with channels last"
    if node.op in PASS_THROUGH or node.op == "Const":
        return None
    if not _arguments(node.op):
        return "no such TensorFlow op"
    if node.op in _CONTROL_FLOW:
        return "control flow of TensorFlow 1"
    training = node.op.startswith("FusedBatchNorm") and node.attributes.get("is_training")
    if training and not _is_of_rows(node):
        return "batch normalization in training mode: save the model for inference"
    return None


_CONTROL_FLOW = frozenset(
    {"SymbolicGradient", "RemoteCall"}
    | {"Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit"}
    | {"NextIteration", "RefNextIteration", "LoopCond", "ForeverLoop"}
)


def emit(node: GraphNode, inputs: Sequence[Tensor], kernels: Kernels) -> list[Tensor]:
    """Run a node on other inputs, eagerly or in the graph that is being traced.

    Raises ``ValueError`` that begins with the node where the shapes do not fit, and
    :class:`ModelError` where the op cannot run.
    """
    if node.run is not None:
        return node.run(inputs, kernels)
    if node.op.startswith("FusedBatchNorm") and node.attributes.get("is_training"):
        return _normalization_of_rows(node, inputs)
    if node.op == "Relu":
        return [kernels.relu(inputs[0])]
    if node.op == "Relu6":
        return [kernels.relu6(inputs[0])]
    label = f"node {node.name} ({node.op})"
    try:
        if node.op.startswith("FusedBatchNorm"):
            return _batch_normalization(node, inputs)
        if node.op == "BatchNormWithGlobalNormalization":
            return _old_batch_normalization(node, inputs)
        if node.op == "LRN":
            return [kernels.normalize(inputs[0], *(node.attributes[name] for name in _LRN))]
        if node.op == "MaxPool" or set(node.attributes.get("dilations", ())) == {1}:
            slid = _slid(node, inputs, kernels)
            if slid is not None:
                return [slid]
        return _raw(node, inputs)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(f"{label}: {_first_line(error)}") from error
    except (TypeError, tf.errors.UnimplementedError, tf.errors.NotFoundError) as error:
        raise ModelError(f"{label} cannot be computed: {_first_line(error)}") from error


def _slid(node: GraphNode, inputs: Sequence[Tensor], kernels: Kernels) -> Tensor | None:
    """Run an op that slides a window, if it is one of the kernels."""
    if node.op == "MaxPool":
        window = (node.attributes["ksize"], node.attributes["strides"])
        return kernels.max_pool(inputs[0], *window, _padding(node))
    convolve = {"Conv2D": kernels.convolve, "DepthwiseConv2dNative": kernels.convolve_depthwise}
    if node.op not in convolve:
        return None
    return convolve[node.op](*inputs, node.attributes["strides"], _padding(node))


_LRN = ("depth_radius", "bias", "alpha", "beta")


def _padding(node: GraphNode) -> Any:
    padding = node.attributes["padding"].decode()
    if padding != "EXPLICIT":
        return padding
    pads = node.attributes["explicit_paddings"]
    return [list(pads[k : k + 2]) for k in range(0, len(pads), 2)]


def _first_line(error: Exception) -> str:
    line = first_line(error)
    # Eager TensorFlow adds the op's wrapper before the reason and the op after it.
    return re.sub(r"^\{\{.*?\}\} | \[Op:\w+\] name:.*$", "", line)


def _raw(node: GraphNode, inputs: Sequence[Tensor]) -> list[Tensor]:
    arguments: dict[str, Any] = dict(node.attributes)
    rest = [_embedded(tensor) for tensor in inputs] if "TensorList" in node.op else list(inputs)
    for name, count in node.groups:
        if count is None:
            arguments[name] = rest.pop(0)
        else:
            arguments[name], rest = rest[:count], rest[count:]
    results = getattr(tf.raw_ops, node.op)(**arguments)
    return [out for out in tf.nest.flatten(results) if tf.is_tensor(out)]


def _embedded(tensor: Tensor) -> Tensor:
    """Return a whole-number constant as one of the graph that is being traced.

    A function takes a captured constant as an argument, so that the shape of the elements of a
    list, which it stands for, were unknown.
    """
    if tf.executing_eagerly() or not hasattr(tensor, "numpy") or not tensor.dtype.is_integer:
        return tensor
    return tf.constant(tensor.numpy(), tensor.dtype)


def _batch_normalization(node: GraphNode, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Compute inference as a product and a sum; the op's gradient would include the weights'."""
    x, scale, offset, mean, variance = inputs
    factor = scale * tf.math.rsqrt(variance + node.attributes["epsilon"])
    result = tf.cast(x, scale.dtype) * factor + (offset - mean * factor)
    return [tf.cast(result, x.dtype), mean, variance]


def _is_of_rows(node: GraphNode) -> bool:
    """Return whether every channel is a row of the batch, as where Keras 2 normalizes layers."""
    shape = node.outputs[0][1]
    return node.attributes["data_format"] == b"NCHW" and shape is not None and shape[0] == 1


def _normalization_of_rows(node: GraphNode, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Normalize every channel of [1, C, H, W] by its own numbers; no CPU has the op for it."""
    x, scale, offset, *_ = inputs
    wide = tf.cast(x, scale.dtype)
    mean, variance = tf.nn.moments(wide, [0, 2, 3], keepdims=True)
    by_channel = [tf.reshape(numbers, [1, -1, 1, 1]) for numbers in (scale, offset)]
    factor = by_channel[0] * tf.math.rsqrt(variance + node.attributes["epsilon"])
    result = tf.cast((wide - mean) * factor + by_channel[1], x.dtype)
    return [result, tf.reshape(mean, [-1]), tf.reshape(variance, [-1])]


def _old_batch_normalization(node: GraphNode, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Compute the op of 2015, which TensorFlow no longer runs in new graphs."""
    x, mean, variance, offset, scale = inputs
    factor = tf.math.rsqrt(variance + node.attributes["variance_epsilon"])
    if node.attributes["scale_after_normalization"]:
        factor = factor * scale
    return [x * factor + (offset - mean * factor)]
