"""Which axes an operator means; the meaning of some attributes has changed with the opsets."""

from __future__ import annotations

from kerasviz.importers.onnx.graph import Node

__all__ = ["softmax_axes"]


def softmax_axes(node: Node, rank: int) -> list[int]:
    """The model's axes over which a Softmax or LogSoftmax sums to 1.

    From opset 13 on it is one axis, the last by default. Before, the value was seen as a matrix
    cut at ``axis``, 1 by default, so it is all axes from there on.
    """
    if node.opset >= 13:
        return [node.attributes.get("axis", -1) % rank]
    axis = node.attributes.get("axis", 1)
    return list(range(axis + rank if axis < 0 else axis, rank))
