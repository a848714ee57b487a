"""Pools against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import helper

CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 9, 12), {"kernel_shape": [3, 2], "strides": [2, 2]}),
    "caffe": ((2, 3, 10, 13), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    "around": ((2, 3, 9, 12), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "one sided": ((2, 3, 9, 12), {"kernel_shape": [3, 3], "pads": [2, 0, 1, 2]}),
    "ceil": ((2, 3, 10, 13), {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1}),
    "ceil padded": (
        (2, 3, 9, 12),
        {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    ),
    "ceil drops a window": (
        (1, 2, 6, 7),
        {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [0, 0, 1, 1], "ceil_mode": 1},
    ),
    "upper": (
        (2, 3, 10, 13),
        {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "SAME_UPPER"},
    ),
    "lower": (
        (2, 3, 10, 13),
        {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "SAME_LOWER"},
    ),
    "one axis": ((2, 3, 13), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    "three axes": ((2, 3, 6, 5, 7), {"kernel_shape": [2, 3, 3], "pads": [1, 1, 1, 0, 1, 1]}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("free", [False, True])
def test_largest(parity: Any, image: Any, case: str, free: bool) -> None:
    """All entries are below 0, so that a padding with 0 would win."""
    shape, attributes = CASES[case]
    node = helper.make_node("MaxPool", ["x"], ["y"], **attributes)
    # TensorFlow has no pools over three axes in float64, in which the gradients are compared.
    parity(node, {"x": image(*shape) - 9}, free=free, gradient=len(shape) < 5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("whole", [0, 1])
def test_average(parity: Any, image: Any, case: str, free: bool, whole: int) -> None:
    shape, attributes = CASES[case]
    node = helper.make_node("AveragePool", ["x"], ["y"], count_include_pad=whole, **attributes)
    parity(node, {"x": image(*shape) + 3}, free=free, gradient=len(shape) < 5)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_dilated(parity: Any, image: Any, operator: str) -> None:
    node = helper.make_node(
        operator,
        ["x"],
        ["y"],
        kernel_shape=[3, 2],
        dilations=[2, 3],
        strides=[2, 1],
        pads=[1, 0, 2, 1],
    )
    parity(node, {"x": image(2, 3, 12, 11) - 5}, opset=19)


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 3, 9), (1, 2, 3, 4, 5)])
def test_global(parity: Any, image: Any, operator: str, shape: tuple[int, ...]) -> None:
    program = parity(helper.make_node(operator, ["x"], ["y"]), {"x": image(*shape)})
    assert program.values["y"].shape == (None, *[1] * (len(shape) - 2), shape[1])
