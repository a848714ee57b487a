"""Bring the weights of com.microsoft.nchwc from blocks of channels into ONNX's order [O, I, h, w].

``MlasReorderFilterOIHWBiBo`` and ``MlasReorderFilterOIHWBo`` of onnxruntime wrote them as
[O / b, I / b, h, w, b of I, b of O] and [O / b, I, h, w, b of O]; the second is for convolutions of
few channels and depthwise ones. The file does not say how large a block is.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from onnx import numpy_helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.registry import NCHWC
from kerasviz.network.processor import processor_flags
from kerasviz.types import Array

#: Channels of a block: with AVX-512 and on ARM, and on other processors.
WIDE = 16
NARROW = 8


def without_blocks(model: Any) -> Any:
    """Return the model with its blocked weights in ONNX's order; others are returned unchanged.

    Raises :class:`ModelError` for a blocked weight that is no constant of whole blocks.
    """
    nodes = [node for node in model.graph.node if node.domain == NCHWC]
    if not nodes:
        return model
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    block = _block(model, weights)
    names = {node.input[1] for node in nodes if node.op_type == "Conv"}
    for name in names:
        if name not in weights:
            raise ModelError(f"the blocked weights {name!r} are no constant")
        stored = weights[name]
        array = numpy_helper.to_array(stored)
        if array.ndim != 4 or array.shape[0] % block:
            shape = "x".join(map(str, array.shape))
            raise ModelError(f"the blocked weights {name!r} are {shape}, no blocks of {block}")
        stored.CopyFrom(numpy_helper.from_array(in_order(array, block), name))
    for node in nodes:
        if node.op_type == "ReorderInput":
            node.attribute.add(name="block", i=block, type=2)
    return model


def in_order(array: Array, block: int) -> Array:
    """Return weights [O, I, h, w] in the order of their axes.

    >>> import numpy as np
    >>> in_order(np.arange(32).reshape(16, 1, 1, 2), 16)[1].ravel()
    array([ 1, 17])
    """
    count, inputs, height, width = array.shape
    if inputs % block:
        whole = array.reshape(count // block, inputs, height, width, block)
        return np.ascontiguousarray(whole.transpose(0, 4, 1, 2, 3).reshape(array.shape))
    whole = array.reshape(count // block, inputs // block, height, width, block, block)
    return np.ascontiguousarray(whole.transpose(0, 5, 1, 4, 2, 3).reshape(array.shape))


def _block(model: Any, weights: dict[str, Any]) -> int:
    """Return the channels of a block: what the shapes say, else what this machine would write."""
    makers = {name: node for node in model.graph.node for name in node.output}
    sizes: dict[str, int] = {}
    for node in model.graph.node:
        if node.domain != NCHWC:
            continue
        if node.op_type == "Conv" and node.input[1] in weights:
            count, inputs = weights[node.input[1]].dims[:2]
            sizes[node.output[0]] = count
            maker = makers.get(node.input[0])
            reordered = maker is not None and maker.op_type == "ReorderInput"
            few = inputs < WIDE and not reordered  # perhaps taken as they are
            if count % WIDE or (inputs % NARROW == 0 and inputs % WIDE and not few):
                return NARROW
        if node.op_type == "ReorderOutput" and node.input[0] in sizes:
            channels = next((a.i for a in node.attribute if a.name == "channels"), 0)
            if channels and sizes[node.input[0]] != channels + -channels % NARROW:
                return WIDE
    return _of_machine()


def _of_machine() -> int:
    """Return the block of onnxruntime on this machine (``MlasNchwcGetBlockSize``)."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return WIDE
    return WIDE if "avx512f" in processor_flags() else NARROW
