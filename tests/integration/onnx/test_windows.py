"""Pools with indices, p-norms, unpooling and types, against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 9, 12), {"kernel_shape": [3, 2], "strides": [2, 2]}),
    "padded": ((2, 3, 9, 12), {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 1, 2]}),
    "dilated": ((2, 3, 9, 11), {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 1, 0, 1]}),
    "upper": ((1, 2, 9, 8), {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "ceil": ((2, 3, 10, 13), {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1}),
    "one axis": ((2, 3, 13), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    "three axes": ((2, 2, 6, 5, 7), {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2]}),
    "equal": ((3, 3, 3, 3), {"kernel_shape": [2, 2]}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("order", [0, 1])
def test_places(parity: Any, image: Any, case: str, order: int) -> None:
    shape, attributes = CASES[case]
    node = helper.make_node("MaxPool", ["x"], ["y", "i"], storage_order=order, **attributes)
    parity(node, {"x": image(*shape) - 3}, free=bool(order), gradient=not order)


@pytest.mark.parametrize("case", CASES)
def test_places_behind_a_convolution(parity: Any, image: Any, case: str) -> None:
    shape, attributes = CASES[case]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("MaxPool", ["c"], ["y", "i"], **attributes),
    ]
    weights = image(shape[1], shape[1], *[1] * (len(shape) - 2), seed=1)
    parity(nodes, {"x": image(*shape)}, {"w": weights}, gradient=False)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("p", [1, 2, 3])
def test_norms(parity: Any, image: Any, case: str, p: int) -> None:
    shape, attributes = CASES[case]
    node = helper.make_node("LpPool", ["x"], ["y"], p=p, **attributes)
    parity(node, {"x": image(*shape)}, opset=18, free=p == 2, gradient=p == 3)


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 3, 9), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_norm_of_everything(parity: Any, image: Any, shape: tuple[int, ...], p: int) -> None:
    parity(helper.make_node("GlobalLpPool", ["x"], ["y"], p=p), {"x": image(*shape)})


def test_norm_of_nothing_has_a_slope(tmp_path: Any, write: Any) -> None:
    import tensorflow as tf

    node = helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[2, 2])
    path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, (1, 1, 4, 4))})
    program = read_onnx(path).program
    x = tf.zeros([1, 1, 4, 4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = program.compute({"x": x}, ["y"], channels_last=False)["y"]
    assert not tape.gradient(y, x).numpy().any()


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("whole", [0, 1])
def test_three_axes(parity: Any, image: Any, operator: str, whole: int) -> None:
    """In double precision TensorFlow has no such pools: the gradients would show it."""
    extra = {"count_include_pad": whole} if operator == "AveragePool" else {}
    node = helper.make_node(
        operator,
        ["x"],
        ["y"],
        kernel_shape=[2, 3, 3],
        pads=[1, 1, 1, 0, 1, 1],
        strides=[1, 2, 1],
        **extra,
    )
    parity(node, {"x": image(2, 3, 6, 5, 7) - 4}, free=bool(whole))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 0, 1]])
def test_whole_numbers(
    tmp_path: Any, write: Any, tap_errors: Any, dtype: Any, pads: list[int]
) -> None:
    info = np.iinfo(dtype)
    x = np.random.default_rng(0).integers(info.min, info.max, (2, 3, 7, 8)).astype(dtype)
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 3], pads=pads, strides=[2, 2])
    path = write(tmp_path / "m.onnx", [node], {"x": (dtype, x.shape)})
    assert tap_errors(path, {"x": x}) == {"y": 0.0}


@pytest.mark.parametrize("given", [False, True])
def test_unpooling(parity: Any, image: Any, given: bool) -> None:
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    names = ["y", "i", "s"] if given else ["y", "i"]
    nodes = [
        helper.make_node("MaxPool", ["x"], ["y", "i"], **window),
        helper.make_node("MaxUnpool", names, ["z"], **window),
    ]
    constants = {"s": np.array([2, 3, 8, 6])} if given else {}
    parity(nodes, {"x": image(2, 3, 8, 6)}, constants, free=False)
