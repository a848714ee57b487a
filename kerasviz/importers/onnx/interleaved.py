"""Find reshaped values that need no transpose: inputs of weights and of channel shuffles.

A convolutional network stores its channels last, but the weights behind its flattening have their
rows in the order of channels first. Transposing those rows once replaces a transpose in every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kerasviz.importers.onnx.graph import Node
from kerasviz.importers.onnx.layout import Constant, Interleaved, LayoutTensor, OnnxValue
from kerasviz.importers.onnx.registry import Call, takes_interleaved

#: Operators that apply one function to every entry of their variable input.
_POINTWISE = frozenset(
    (
        *("Abs", "Add", "Cast", "Ceil", "Celu", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp"),
        *("Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max"),
        *("Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu"),
        *("Shrink", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Swish", "Tanh"),
        "ThresholdedRelu",
    )
)
_PRODUCTS = ("Gemm", "MatMul")
#: Operators that keep images apart: the first axis of the output is that of the first input.
_ROW_WISE = frozenset(
    (
        *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool"),
        *("GlobalMaxPool", "InstanceNormalization", "LRN", "LayerNormalization", "MatMul"),
        *("MaxPool", "Softmax"),
    )
)
_BROADCASTING = ("Add", "Div", "Mul", "Sub")


def interleavable(nodes: Sequence[Node], constants: Mapping[str, OnnxValue]) -> set[str]:
    """Return the values that may be :class:`Interleaved`, and gain by it.

    Nodes are visited from last to first. All consumers of such a value are products with constant
    weights or pointwise nodes whose outputs are such values, or its only consumer changes its axes.
    For other consumers one transpose of the value is cheaper.
    """
    consumers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in set(filter(None, node.needs)):
            consumers.setdefault(name, []).append(node)
    chosen: set[str] = set()

    def fits(name: str, node: Node) -> bool:
        if is_pointwise(node, constants):
            return not chosen.isdisjoint(node.outputs[:1])
        if node.domain or node.needs.count(name) > 1 or node.inputs[:1] != (name,):
            return False
        if node.op in _PRODUCTS:
            weights = constants.get("".join(node.inputs[1:2]))
            transposed = node.attributes.get("transA", 0)
            return isinstance(weights, Constant) and weights.array.ndim == 2 and not transposed
        if node.op == "Transpose" and len(node.attributes.get("perm", ())) < 3:
            return False
        return takes_interleaved(node) and len(consumers[name]) == 1

    for node in reversed(nodes):
        name = "".join(node.outputs[:1])
        if name in consumers and all(fits(name, consumer) for consumer in consumers[name]):
            chosen.add(name)
    return chosen


def is_pointwise(node: Node, constants: Mapping[str, OnnxValue]) -> bool:
    """Return whether a node applies one function to every entry of its only variable input."""
    if node.op not in _POINTWISE or node.domain or node.captured:
        return False
    names = [name for name in node.inputs if name]
    others = [c for c in map(constants.get, names) if isinstance(c, Constant)]
    if len(others) != len(names) - 1:
        return False
    if (
        node.op == "Dropout" and len(names) > 2 and others[-1].array
    ):  # its mask depends on the index
        return False
    return all(c.array.size == 1 and c.array.ndim < 2 for c in others)


def kept_rows(nodes: Sequence[Node], constants: Mapping[str, OnnxValue]) -> set[str]:
    """Return the reshaped values whose first length is computed from that of their input.

    PyTorch writes ``x.view(x.size(0), -1)`` so, since only a run knows the number of images. The
    length may also come from another value with as many images.
    """
    producers = {name: node for node in nodes for name in node.outputs if name}
    kept: set[str] = set()
    rows: dict[str, str] = {}  # value -> the first value with as many images

    def length_source(name: str) -> str | None:
        """Return the value whose first length is the first of the numbers ``name``."""
        node = producers.get(name)
        if node is None or node.domain or not node.inputs:
            return None
        if node.op == "Shape":
            return None if node.attributes.get("start", 0) else node.inputs[0]
        if node.op == "Gather":
            index = constants.get("".join(node.inputs[1:2]))
            zero = isinstance(index, Constant) and index.array.size == 1 and not index.array.any()
            return length_source(node.inputs[0]) if zero else None
        through = node.op in ("Cast", "Concat", "Identity", "Squeeze", "Unsqueeze")
        return length_source(node.inputs[0]) if through else None

    for node in nodes:
        variable = [name for name in node.inputs if name and name not in constants]
        first = {rows.get(name, name) for name in variable}
        if node.op == "Reshape" and len(node.inputs) == 2 and not node.domain:
            source = length_source(node.inputs[1])
            first = {rows.get(node.inputs[0], node.inputs[0])}
            if source is not None and rows.get(source, source) in first:
                kept.add(node.outputs[0])
                rows[node.outputs[0]] = first.pop()
        elif len(first) == 1 and _keeps_images(node, constants):
            rows.update(dict.fromkeys(node.outputs, first.pop()))
    return kept


def _keeps_images(node: Node, constants: Mapping[str, OnnxValue]) -> bool:
    """Return whether the outputs of a node have as many images as its variable inputs."""
    if node.domain or node.captured:
        return False
    if node.op in _BROADCASTING:
        others = [c.array for n in node.inputs if isinstance(c := constants.get(n), Constant)]
        return all(array.ndim < 2 for array in others)
    if node.inputs[0] in constants:
        return False
    if node.op in ("Concat", "Split", "Gather"):  # a negative axis may be the first
        no_constant = node.op != "Concat" or constants.keys().isdisjoint(node.inputs)
        return no_constant and node.attributes.get("axis", 0) > 0
    if node.op == "Transpose":
        return bool(node.attributes.get("perm", (1,))[0] == 0)
    if node.op == "Slice":
        axes = constants.get("".join(node.inputs[3:4]))
        return isinstance(axes, Constant) and bool((axes.array > 0).all())
    return node.op in _ROW_WISE or is_pointwise(node, constants)


def unwrapped(call: Call) -> tuple[Call, Interleaved | None]:
    """Replace the interleaved input of a pointwise node by its stored tensor; return both."""
    if not takes_interleaved(call.node):
        for k, interleaved in enumerate(call.inputs):
            if isinstance(interleaved, Interleaved):
                inputs = (*call.inputs[:k], LayoutTensor(interleaved.tensor), *call.inputs[k + 1 :])
                return replace(call, inputs=inputs), interleaved
    return call, None


def rewrapped(result: OnnxValue | None, interleaved: Interleaved | None) -> OnnxValue | None:
    """Mark the result of a pointwise node as interleaved if its input was."""
    if interleaved is None or not isinstance(result, LayoutTensor):
        return result
    return replace(interleaved, tensor=result.tensor)


def without_interleaving(value: OnnxValue) -> OnnxValue:
    """Return a value in the model's layout if it is interleaved, else as it is."""
    return value.in_model_layout() if isinstance(value, Interleaved) else value
