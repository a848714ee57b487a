"""Which reshaped values need not be transposed: those that weights take, or a channel shuffle.

A convolutional network keeps its channels last, and the rows of the weights behind its flattening
are in the order of channels first. Instead of the values, the rows are transposed, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kerasviz.importers.onnx.graph import Node
from kerasviz.importers.onnx.layout import Constant, Interleaved, LayoutTensor, OnnxValue
from kerasviz.importers.onnx.registry import Call, takes_interleaved

__all__ = ["closed", "interleavable", "is_pointwise", "kept_rows", "opened", "planar"]

#: Operators that do the same to every entry of their first input that is not constant.
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


def interleavable(nodes: Sequence[Node], constants: Mapping[str, OnnxValue]) -> set[str]:
    """The values that gain by being :class:`Interleaved`, if they can be.

    Found from the end to the start: all that takes such a value is a product with constant
    weights, or something pointwise that hands the question on; or it is one node that gives the
    value yet other axes. What other nodes take is best transposed once, where it is made.
    """
    takers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in set(filter(None, node.needs)):
            takers.setdefault(name, []).append(node)
    found: set[str] = set()

    def fits(name: str, node: Node) -> bool:
        if is_pointwise(node, constants):
            return not found.isdisjoint(node.outputs[:1])
        if node.domain or node.needs.count(name) > 1 or node.inputs[:1] != (name,):
            return False
        if node.op in _PRODUCTS:
            weights = constants.get("".join(node.inputs[1:2]))
            turned = node.attributes.get("transA", 0)
            return isinstance(weights, Constant) and weights.array.ndim == 2 and not turned
        if node.op == "Transpose" and len(node.attributes.get("perm", ())) < 3:
            return False
        return takes_interleaved(node) and len(takers[name]) == 1

    for node in reversed(nodes):
        name = "".join(node.outputs[:1])
        if name in takers and all(fits(name, taker) for taker in takers[name]):
            found.add(name)
    return found


def is_pointwise(node: Node, constants: Mapping[str, OnnxValue]) -> bool:
    """Whether a node does the same to every entry of the one input that is not constant."""
    if node.op not in _POINTWISE or node.domain or node.captured:
        return False
    given = [name for name in node.inputs if name]
    others = [c for c in map(constants.get, given) if isinstance(c, Constant)]
    if len(others) != len(given) - 1:
        return False
    if node.op == "Dropout" and len(given) > 2 and others[-1].array:  # of a noise with a place
        return False
    return all(c.array.size == 1 and c.array.ndim < 2 for c in others)


def kept_rows(nodes: Sequence[Node], constants: Mapping[str, OnnxValue]) -> set[str]:
    """The reshaped values whose first length is computed as that of the value before.

    PyTorch writes ``x.view(x.size(0), -1)`` so: how many images there are is known in a run only.
    """
    makers = {name: node for node in nodes for name in node.outputs if name}

    def measured(name: str) -> str | None:
        """The value whose first length is the first of the numbers ``name``."""
        node = makers.get(name)
        if node is None or node.domain or not node.inputs:
            return None
        if node.op == "Shape":
            return None if node.attributes.get("start", 0) else node.inputs[0]
        if node.op == "Gather":
            place = constants.get("".join(node.inputs[1:2]))
            zero = isinstance(place, Constant) and place.array.size == 1 and not place.array.any()
            return measured(node.inputs[0]) if zero else None
        through = node.op in ("Cast", "Concat", "Identity", "Squeeze", "Unsqueeze")
        return measured(node.inputs[0]) if through else None

    return {
        node.outputs[0]
        for node in nodes
        if node.op == "Reshape" and len(node.inputs) == 2 and not node.domain
        if measured(node.inputs[1]) == node.inputs[0]
    }


def opened(call: Call) -> tuple[Call, Interleaved | None]:
    """The call of a pointwise node with its interleaved input as stored, and that input."""
    if not takes_interleaved(call.node):
        for k, given in enumerate(call.inputs):
            if isinstance(given, Interleaved):
                inputs = (*call.inputs[:k], LayoutTensor(given.tensor), *call.inputs[k + 1 :])
                return replace(call, inputs=inputs), given
    return call, None


def closed(made: OnnxValue | None, given: Interleaved | None) -> OnnxValue | None:
    """What a pointwise node has made of the interleaved input that it was given."""
    if given is None or not isinstance(made, LayoutTensor):
        return made
    return replace(given, tensor=made.tensor)


def planar(datum: OnnxValue) -> OnnxValue:
    """A value for all who take no interleaved ones: in the model's own layout."""
    return datum.planar() if isinstance(datum, Interleaved) else datum
