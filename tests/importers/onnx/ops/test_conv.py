"""Convolutions against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 9, 12), (4, 3, 3, 5), {}),
    "same": ((2, 3, 9, 12), (4, 3, 3, 5), {"pads": [1, 2, 1, 2]}),
    "asymmetric pads": ((2, 3, 9, 12), (4, 3, 3, 5), {"pads": [0, 1, 2, 3]}),
    "stem": ((1, 3, 17, 22), (4, 3, 7, 7), {"pads": [3, 3, 3, 3], "strides": [2, 2]}),
    "unequal strides": ((2, 3, 11, 13), (4, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 3]}),
    "dilated": ((2, 3, 11, 14), (4, 3, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 1, 3]}),
    "dilated strided": ((2, 3, 15, 14), (4, 3, 3, 3), {"dilations": [2, 2], "strides": [2, 3]}),
    "groups": ((2, 6, 9, 8), (4, 3, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "depthwise": ((2, 5, 9, 8), (5, 1, 3, 3), {"group": 5, "pads": [1, 1, 0, 1]}),
    "depthwise strided": ((2, 5, 9, 8), (5, 1, 3, 3), {"group": 5, "strides": [2, 2]}),
    "depthwise multiplied": ((2, 3, 9, 8), (6, 1, 3, 3), {"group": 3, "strides": [1, 2]}),
    "depthwise dilated": ((2, 3, 9, 8), (3, 1, 3, 3), {"group": 3, "dilations": [2, 1]}),
    "upper": ((2, 3, 10, 13), (4, 3, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [3, 2]}),
    "lower": ((2, 3, 10, 13), (4, 3, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [3, 2]}),
    "lower stride 1": ((2, 3, 10, 13), (4, 3, 4, 2), {"auto_pad": "SAME_LOWER"}),
    "valid": ((2, 3, 10, 13), (4, 3, 4, 3), {"auto_pad": "VALID", "strides": [3, 2]}),
    "one axis": ((2, 3, 13), (4, 3, 3), {"pads": [2, 1], "strides": [2]}),
    "one axis depthwise": ((2, 3, 13), (3, 1, 3), {"group": 3, "dilations": [2]}),
    "three axes": ((2, 3, 5, 6, 7), (4, 3, 2, 3, 3), {"pads": [1, 0, 1, 0, 1, 1]}),
    "three axes in groups": ((1, 4, 5, 6, 7), (4, 2, 2, 2, 2), {"group": 2, "strides": [1, 2, 2]}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bias", [False, True])
def test_convolution(parity: Any, image: Any, case: str, bias: bool) -> None:
    shape, kernel, attributes = CASES[case]
    constants = {"w": image(*kernel, seed=1)}
    if bias:
        constants["b"] = image(kernel[0], seed=2)
    node = helper.make_node("Conv", ["x", *constants], ["y"], "conv", **attributes)
    program = parity(node, {"x": image(*shape)}, constants, free=bias)
    assert program.inputs["x"].channels_first
    assert program.values["y"].shape[-1] == kernel[0]
    assert program.values["y"].aliases == ("conv",)


def test_one_channel_with_strides_in_a_compiled_graph(parity: Any, image: Any) -> None:
    """OneDNN's pass over graphs takes tf.pad before a convolution for a border of the image."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], strides=[1, 2]),
        helper.make_node("Conv", ["x", "v"], ["z"], strides=[1, 8]),
    ]
    constants = {"w": image(1, 1, 1, 16, seed=1), "v": image(5, 1, 1, 16, seed=2)}
    feeds = {"x": image(2, 1, 1, 64)}
    program = parity(nodes, feeds, constants)

    def compute(x: Any) -> Any:
        return program.compute({"x": x}, ["y", "z"], channels_last=False)

    x = tf.constant(feeds["x"])
    found, wanted = tf.function(compute, autograph=False)(x), compute(x)
    for name in ("y", "z"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)


def test_kernel_that_is_computed(parity: Any, image: Any) -> None:
    nodes = [
        helper.make_node("Tanh", ["k"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"], group=2),
    ]
    feeds = {"x": image(2, 4, 7, 6), "k": image(6, 2, 3, 3, seed=1)}
    parity(nodes, feeds, free=False, gradient=False)


def test_bias_and_kernel_from_constant_nodes(parity: Any, image: Any) -> None:
    """Constants that are computed from constants are folded: no value is made of them."""
    nodes = [
        helper.make_node(
            "ConstantOfShape", ["s"], ["ones"], value=helper.make_tensor("v", 1, [1], [2.0])
        ),
        helper.make_node("Mul", ["raw", "ones"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    constants = {"s": np.array([4, 1, 3, 3]), "raw": image(4, 3, 3, 3, seed=1)}
    program = parity(nodes, {"x": image(1, 3, 7, 6)}, constants, gradient=False)
    assert list(program.values) == ["y"]
