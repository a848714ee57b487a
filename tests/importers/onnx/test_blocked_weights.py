"""The order of blocked weights, by the loops of onnxruntime's reorder functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.blocked_weights import in_order, without_blocks
from kerasviz.importers.onnx.registry import NCHWC


def blocked(weights: Any, block: int) -> Any:
    """Write weights as MlasReorderFilterOIHWBiBo and OIHWBo do, one number after the other."""
    count, inputs, height, width = weights.shape
    deep = inputs % block == 0
    flat = [
        weights[o + inner, i + within, y, x]
        for o in range(0, count, block)
        for i in range(0, inputs, block if deep else 1)
        for y in range(height)
        for x in range(width)
        for within in range(block if deep else 1)
        for inner in range(block)
    ]
    return np.array(flat, np.float32).reshape(weights.shape)


@pytest.mark.parametrize("block", [8, 16])
@pytest.mark.parametrize("inputs", [1, 3, 16, 32])
def test_order(block: int, inputs: int) -> None:
    weights = np.random.default_rng(0).normal(size=(32, inputs, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(in_order(blocked(weights, block), block), weights)


def model_of(weights: Any, *, channels: int = 0) -> Any:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], domain=NCHWC),
        helper.make_node("ReorderOutput", ["a"], ["y"], domain=NCHWC, channels=channels),
    ]
    image = helper.make_tensor_value_info("x", 1, [1, weights.shape[1], 5, 5])
    graph = helper.make_graph(
        nodes,
        "g",
        [image],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph)


@pytest.mark.parametrize(("count", "channels", "block"), [(24, 24, 8), (32, 20, 16)])
def test_the_shapes_tell_the_block(count: int, channels: int, block: int) -> None:
    weights = np.random.default_rng(0).normal(size=(count, 3, 3, 3)).astype(np.float32)
    model = without_blocks(model_of(blocked(weights, block), channels=channels))
    got = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_array_equal(got, weights)


def test_weights_that_are_no_blocks() -> None:
    with pytest.raises(ModelError, match="'w' are 9x3x3x3, no blocks of 8"):
        without_blocks(model_of(np.zeros((9, 3, 3, 3), np.float32)))
