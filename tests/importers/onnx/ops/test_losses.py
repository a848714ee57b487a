"""Losses against onnxruntime and finite differences, and steps of optimizers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx

SHAPES = [(3, 5), (2, 5, 4), (2, 5, 3, 4)]


@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(parity: Any, image: Any, op: str, reduction: str, weighted: bool) -> None:
    shape = (2, 5, 6, 7)
    classes = np.random.default_rng(0).integers(0, 5, (2, 6, 7))
    classes[0, 1] = 2
    fixed = {"w": image(5, 3, 3, 3, seed=1), "t": classes}
    if weighted:
        fixed["f"] = np.abs(image(5, seed=2)) + 0.1
    inputs = ["c", "t", *(["f"] if weighted else [])]
    # The wanted classes are whole numbers of the model itself: what is weighted is their loss.
    loss = helper.make_node(op, inputs, ["y"], reduction=reduction, ignore_index=2)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), loss]
    program = parity(nodes, {"x": image(shape[0], 3, *shape[2:])}, fixed, opset=13, free=False)
    assert program.values["y"].shape is not None


@pytest.mark.parametrize("shape", SHAPES)
def test_the_logarithms_are_an_output(parity: Any, image: Any, shape: Any) -> None:
    classes = np.random.default_rng(0).integers(0, 5, (shape[0], *shape[2:]))
    loss = helper.make_node("SoftmaxCrossEntropyLoss", ["x", "t"], ["y", "p"])
    tail = helper.make_node("Exp", ["p"], ["z"])
    parity([loss, tail], {"x": image(*shape)}, {"t": classes}, free=False)


def test_an_unknown_reduction_is_named(write: Any, tmp_path: Any) -> None:
    loss = helper.make_node("NegativeLogLikelihoodLoss", ["x", "t"], ["y"], reduction="most")
    shapes = {"x": (np.float32, (2, 3))}
    path = write(tmp_path / "l.onnx", [loss], shapes, {"t": np.array([0, 1])})
    with pytest.raises(ModelError, match="reduction 'most'; expected none, sum or mean"):
        read_onnx(path)


def test_an_ignored_class_takes_no_part_in_the_mean(write: Any, tmp_path: Any) -> None:
    x = np.array([[0.5, 1.5], [np.inf, 2.0], [3.0, 4.0]], np.float32)
    loss = helper.make_node("NegativeLogLikelihoodLoss", ["x", "t"], ["y"], ignore_index=-7)
    shapes = {"x": (np.float32, x.shape)}
    path = write(tmp_path / "l.onnx", [loss], shapes, {"t": np.array([1, -7, 0])})
    y = read_onnx(path).program.compute({"x": x}, ["y"])["y"].numpy()
    assert y == pytest.approx(-(1.5 + 3.0) / 2)


@pytest.mark.parametrize(
    ("count", "correction"), [(0, 1.0), (3, np.sqrt(1 - 0.9**3) / (1 - 0.8**3))]
)
def test_adam_corrects_its_rate(write: Any, tmp_path: Any, count: int, correction: float) -> None:
    step = helper.make_node(
        "Adam",
        ["r", "t", "x", "g", "v", "h"],
        ["nx", "nv", "nh"],
        domain="ai.onnx.preview.training",
        alpha=0.8,
        beta=0.9,
        epsilon=0.01,
        norm_coefficient=0.1,
        norm_coefficient_post=0.2,
    )
    x, g, v, h = (np.array([n, -n], np.float32) for n in (1.0, 2.0, 0.5, 0.25))
    h = np.abs(h)
    fixed = {"r": np.float32(0.1), "t": np.int64(count), "g": g, "v": v, "h": h}
    path = write(tmp_path / "a.onnx", [step], {"x": (np.float32, (2,))}, fixed)
    made = read_onnx(path).program.compute({"x": x}, ["nx", "nv", "nh"])
    whole = g + 0.1 * x
    mean, squares = 0.8 * v + 0.2 * whole, 0.9 * h + 0.1 * whole**2
    moved = x - 0.1 * correction * mean / (np.sqrt(squares) + 0.01)
    for name, expected in (("nx", 0.8 * moved), ("nv", mean), ("nh", squares)):
        np.testing.assert_allclose(made[name].numpy(), expected, rtol=1e-5)


def test_gradients_of_gradients(write: Any, tmp_path: Any) -> None:
    """``y = sum(x^2 * x)``: its derivative is ``3 x^2``, that of the sum of this ``6 x``."""
    domain = "ai.onnx.preview.training"
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["s"]),
        helper.make_node("Mul", ["s", "x"], ["cube"]),
        helper.make_node("ReduceSum", ["cube"], ["y"], keepdims=0),
        helper.make_node("Gradient", ["x"], ["first"], domain=domain, xs=["x"], y="y"),
        helper.make_node("Gradient", ["x"], ["second"], domain=domain, xs=["x"], y="first"),
        helper.make_node("Gradient", ["p"], ["there"], domain=domain, xs=["x"], y="y"),
    ]
    names = ["first", "second", "there"]
    fixed = {"p": np.array([[1.0, 2.0]], np.float32)}
    path = write(tmp_path / "g.onnx", nodes, {"x": (np.float32, (1, 2))}, fixed, names)
    x = np.array([[3.0, -4.0]], np.float32)
    made = read_onnx(path).program.compute({"x": x}, names)
    np.testing.assert_allclose(made["first"].numpy(), 3 * x**2)
    np.testing.assert_allclose(made["second"].numpy(), 6 * x)
    np.testing.assert_allclose(made["there"].numpy(), [[3.0, 12.0]])
