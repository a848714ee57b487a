"""Activations at their edges: old broadcasting, odd bounds, other types, dropout while training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output ``c`` is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.fixture
def kernel(image: Any) -> dict[str, Any]:
    return {"w": image(4, 3, 3, 3, seed=1)}


def run(path: Any, feeds: dict[str, Any], name: str = "y") -> Any:
    return read_onnx(path).program.compute(feeds, [name], channels_last=False)[name].numpy()


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_hardmax(parity: Any, image: Any, kernel: Any, opset: int, axis: int) -> None:
    node = helper.make_node("Hardmax", ["c"], ["y"], axis=axis)
    parity(after_conv(node), {"x": image(4, 3, 4, 4)}, kernel, opset=opset, gradient=False)


def test_hardmax_takes_the_first_of_equals(write: Any, tmp_path: Any) -> None:
    x = np.array([[[1, 3], [3, 3]]], np.float32)
    node = helper.make_node("Hardmax", ["x"], ["y"], axis=1)
    path = write(tmp_path / "h.onnx", [node], {"x": (np.float32, x.shape)}, opset=11)
    np.testing.assert_array_equal(run(path, {"x": x}), [[[0, 1], [0, 0]]])


@pytest.mark.parametrize("given", [{}, {"lambd": 0.3, "bias": 0.1}])
def test_shrink(parity: Any, image: Any, kernel: Any, given: Any) -> None:
    node = helper.make_node("Shrink", ["c"], ["y"], **given)
    parity(after_conv(node), {"x": image(2, 3, 5, 6)}, kernel)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.float64])
def test_shrink_of_other_types(write: Any, tmp_path: Any, dtype: Any) -> None:
    x = np.array([0, 1, 2, 3, 100]).astype(dtype)
    node = helper.make_node("Shrink", ["x"], ["y"], lambd=1.5, bias=1.0)
    path = write(tmp_path / "s.onnx", [node], {"x": (dtype, x.shape)})
    y = run(path, {"x": x})
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array([0, 0, 1, 2, 99]))


def test_swish(write: Any, image: Any, tmp_path: Any) -> None:
    nodes = [
        helper.make_node("Swish", ["x"], ["y"], alpha=0.7),
        helper.make_node("SwiGLU", ["x", "b"], ["z"], alpha=0.7),
    ]
    x, b = image(2, 3, 4, 5), image(2, 3, 4, 5, seed=1)
    path = write(tmp_path / "s.onnx", nodes, {"x": (np.float32, x.shape)}, {"b": b}, opset=28)
    swish = x / (1 + np.exp(-0.7 * x))
    np.testing.assert_allclose(run(path, {"x": x}), swish, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(path, {"x": x}, "z"), swish * b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("slopes", [(4,), (1,)])
def test_old_slopes_belong_to_the_channels(
    write: Any, image: Any, tmp_path: Any, kernel: Any, slopes: Any
) -> None:
    """Before opset 7, where onnxruntime has no kernel; also where all sizes are equal."""
    nodes = after_conv(helper.make_node("PRelu", ["c", "s"], ["y"]))
    fixed = {**kernel, "s": image(*slopes, seed=2)}
    x = image(4, 3, 4, 4)
    path = write(tmp_path / "p.onnx", nodes, {"x": (np.float32, x.shape)}, fixed, opset=6)
    c = run(path, {"x": x}, "c")
    slope = fixed["s"].reshape(-1, 1, 1)
    np.testing.assert_allclose(run(path, {"x": x}), np.where(c > 0, c, slope * c), rtol=1e-6)


def test_new_slopes_are_broadcast(parity: Any, image: Any, kernel: Any) -> None:
    node = helper.make_node("PRelu", ["c", "s"], ["y"])
    parity(after_conv(node), {"x": image(4, 3, 4, 4)}, {**kernel, "s": image(4, seed=2)}, opset=9)


def test_a_maximum_below_the_minimum_wins(parity: Any, image: Any, kernel: Any) -> None:
    fixed = {**kernel, "low": np.float32(0.5), "high": np.float32(-0.25)}
    node = helper.make_node("Clip", ["c", "low", "high"], ["y"])
    program = parity(after_conv(node), {"x": image(2, 3, 5, 6)}, fixed, gradient=False)
    y = program.compute({"x": image(2, 3, 5, 6)}, ["y"])["y"].numpy()
    assert (y == -0.25).all()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64, np.float16])
def test_clip_of_other_types(write: Any, tmp_path: Any, dtype: Any) -> None:
    x = np.array([0, 1, 5, 9, 100]).astype(dtype)
    node = helper.make_node("Clip", ["x", "low", "high"], ["y"])
    fixed = {"low": np.array(2, dtype), "high": np.array(7, dtype)}
    path = write(tmp_path / "c.onnx", [node], {"x": (dtype, x.shape)}, fixed)
    y = run(path, {"x": x})
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array([2, 2, 5, 7, 7]))


def test_computed_bounds_of_a_clip(parity: Any, image: Any, kernel: Any) -> None:
    nodes = after_conv(
        helper.make_node("ReduceMean", ["c"], ["low"], keepdims=0),
        helper.make_node("Clip", ["c", "low", "high"], ["y"]),
    )
    fixed = {**kernel, "high": np.float32(0.8)}
    parity(nodes, {"x": image(2, 3, 5, 6)}, fixed)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.8])
def test_dropout_while_training_is_repeatable(
    write: Any, image: Any, tmp_path: Any, kernel: Any, ratio: float
) -> None:
    node = helper.make_node("Dropout", ["c", "r", "on"], ["y", "m"], seed=7)
    fixed = {**kernel, "r": np.float32(ratio), "on": np.array(True)}
    x = image(4, 3, 4, 4)
    path = write(tmp_path / "d.onnx", after_conv(node), {"x": (np.float32, x.shape)}, fixed)
    names = ["c", "y", "m"]
    program = read_onnx(path).program
    c, y, mask = (program.compute({"x": x}, names, channels_last=False)[n].numpy() for n in names)
    assert mask.dtype == bool
    assert abs(mask.mean() - (1 - ratio)) < 0.12
    np.testing.assert_allclose(y, np.where(mask, c / (1 - ratio), 0), rtol=1e-6)
    again = program.compute({"x": np.moveaxis(x, 1, -1)}, ["m"])["m"].numpy()
    np.testing.assert_array_equal(np.moveaxis(again, -1, 1), mask)


def test_dropout_after_the_training_keeps_all(parity: Any, image: Any, kernel: Any) -> None:
    node = helper.make_node("Dropout", ["c", "r", "on"], ["y", "m"])
    fixed = {**kernel, "r": np.float32(0.5), "on": np.array(False)}
    tail = helper.make_node("Tanh", ["y"], ["z"])
    parity(after_conv(node, tail), {"x": image(2, 3, 5, 6)}, fixed)
