"""Operators that were experimental before opset 10, against numpy and onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "Affine": ({"alpha": 1.5, "beta": -0.5}, lambda x: 1.5 * x - 0.5),
    "Scale": ({"scale": -2.0}, lambda x: -2 * x),
    "ScaledTanh": ({"alpha": 1.5, "beta": 0.5}, lambda x: 1.5 * np.tanh(0.5 * x)),
    "ParametricSoftplus": ({"alpha": 0.5, "beta": 2.0}, lambda x: 0.5 * np.log1p(np.exp(2 * x))),
    "ThresholdedRelu": ({"alpha": 0.3}, lambda x: np.where(x > 0.3, x, 0)),
    "ImageScaler": (
        {"scale": 2.0, "bias": [0.5, 1.0, -1.0]},
        lambda x: 2 * x + np.array([0.5, 1, -1])[:, None, None],
    ),
    "Crop": ({"border": [2, 1, 0, 3]}, lambda x: x[:, :, 1:-3, 2:]),
}


def computed(
    write: Any, folder: Path, node: Any, feeds: dict[str, Any], constants: Any = None
) -> Any:
    shapes = {name: (array.dtype, array.shape) for name, array in feeds.items()}
    path = write(folder / "m.onnx", [node], shapes, constants, [node.output[0]], 7)
    program = read_onnx(path).program
    return program.compute(feeds, [node.output[0]], channels_last=False)[node.output[0]].numpy()


@pytest.mark.parametrize("op", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images(write: Any, image: Any, tmp_path: Path, op: str, dtype: Any) -> None:
    attributes, wanted = CASES[op]
    x = image(2, 3, 7, 6).astype(dtype)
    got = computed(write, tmp_path, helper.make_node(op, ["x"], ["y"], **attributes), {"x": x})
    assert got.dtype == dtype
    np.testing.assert_allclose(got, wanted(x), 1e-5, 1e-6)


@pytest.mark.parametrize("op", ["Affine", "Crop", "ImageScaler", "ScaledTanh"])
def test_onnxruntime_agrees(write: Any, image: Any, tmp_path: Path, op: str) -> None:
    x = image(2, 3, 7, 6)
    node = helper.make_node(op, ["x"], ["y"], **CASES[op][0])
    got = computed(write, tmp_path, node, {"x": x})
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(got, session.run(None, {"x": x})[0], 1e-5, 1e-6)


def test_crop_to_a_size(write: Any, image: Any, tmp_path: Path) -> None:
    x = image(2, 3, 9, 8)
    node = helper.make_node("Crop", ["x"], ["y"], border=[2, 1, 2, 1], scale=[4, 5])
    np.testing.assert_array_equal(computed(write, tmp_path, node, {"x": x}), x[:, :, 1:5, 2:7])


def test_dynamic_slice(write: Any, image: Any, tmp_path: Path) -> None:
    x = image(5, 6)
    ends = {"starts": np.array([1, -2]), "ends": np.array([4, 100]), "axes": np.array([0, 1])}
    node = helper.make_node("DynamicSlice", ["x", "starts", "ends", "axes"], ["y"])
    np.testing.assert_array_equal(computed(write, tmp_path, node, {"x": x}, ends), x[1:4, -2:])


def test_fills(write: Any, image: Any, tmp_path: Path) -> None:
    x = image(2, 3)
    node = helper.make_node("ConstantFill", ["x"], ["y"], value=2.5, extra_shape=[2])
    np.testing.assert_array_equal(
        computed(write, tmp_path, node, {"x": x}), np.full((2, 3, 2), 2.5, np.float32)
    )
    node = helper.make_node("ConstantFill", ["s"], ["y"], value=3.0, dtype=7, input_as_shape=1)
    got = computed(write, tmp_path, node, {"x": x}, {"s": np.array([2, 2])})
    assert got.dtype == np.int64
    assert (got == 3).all()
    node = helper.make_node("GivenTensorFill", [], ["y"], values=[1.0, 2, 3, 4], shape=[2, 2])
    np.testing.assert_array_equal(computed(write, tmp_path, node, {"x": x}), [[1, 2], [3, 4]])


@pytest.mark.parametrize("drop", [0, 1])
def test_gru_unit_is_that_of_caffe2(write: Any, image: Any, tmp_path: Path, drop: int) -> None:
    h, gates = image(1, 3, 4), image(1, 3, 12, seed=1)
    feeds = {"h": h, "g": gates, "n": np.float32([1, 3, 2]), "t": np.float32([2])}
    node = helper.make_node("GRUUnit", ["h", "g", "n", "t"], ["y"], drop_states=drop)
    got = computed(write, tmp_path, node, feeds)
    u = 1 / (1 + np.exp(-gates[..., 4:8]))
    new = u * h + (1 - u) * np.tanh(gates[..., 8:])
    np.testing.assert_allclose(got[:, 1], new[:, 1], 1e-5, 1e-6)
    np.testing.assert_array_equal(got[:, [0, 2]], h[:, [0, 2]] * (1 - drop))
