"""Casts, bits and quantized numbers: onnxruntime as the oracle, and gradients through rounding."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from onnx import TensorProto, helper
from support.integer_products import weights

from kerasviz.importers.onnx import read_onnx

F = np.float32


def codes(*shape: int, low: int = 0, high: int = 256, kind: Any = np.uint8, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(low, high, shape).astype(kind)


def qdq(name: str, scale: float, zero: int, kind: Any = np.uint8) -> tuple[list[Any], Any]:
    """The nodes that quantize a value and turn it back, and their constants."""
    constants = {f"{name}_s": np.array(scale, F), f"{name}_z": np.array(zero, kind)}
    nodes = [
        helper.make_node("QuantizeLinear", [name, *constants], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", *constants], [f"{name}_d"]),
    ]
    return nodes, constants


def test_a_network_of_qdq_pairs(parity: Any, image: Any) -> None:
    """Quantized input, per-channel weights, ReLU and pool: as onnxruntime computes it."""
    first, constants = qdq("x", 0.05, 131)
    second, more = qdq("r", 0.11, 3)
    scales = np.array([0.02, 0.03, 0.011, 0.05, 0.04], F)
    weights = {
        "w": codes(5, 3, 3, 3, low=-127, high=128, kind=np.int8),
        "w_s": scales,
        "w_z": np.zeros(5, np.int8),
    }
    nodes = [
        *first,
        helper.make_node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_d"], axis=0),
        helper.make_node("Conv", ["x_d", "w_d"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        *second,
        helper.make_node("MaxPool", ["r_d"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    feeds = {"x": image(2, 3, 6, 9)}
    # Codes next to a half may be rounded either way, so that single entries differ by one step.
    program = parity(
        nodes, feeds, {**constants, **more, **weights}, gradient=False, leave=["r_q", "r_d", "p"]
    )
    assert program.values["r"].relu_input == "c"


def test_the_gradient_passes_the_rounding_and_stops_where_the_range_ends(
    write: Any, tmp_path: Any
) -> None:
    nodes, constants = qdq("x", 0.1, 10)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, (7,))}, constants, ["x_d"])
    program = read_onnx(path).program
    x = tf.constant([-5.0, -1.0, -0.96, 0.0, 0.04, 24.0, 30.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = program.compute({"x": x}, ["x_d"])["x_d"]
    np.testing.assert_allclose(y, [-1, -1, -1, 0, 0, 24, 24.5], atol=1e-5)
    np.testing.assert_allclose(tape.gradient(y, x), [0, 1, 1, 1, 1, 1, 0], atol=1e-5)


def test_a_quantized_convolution_has_a_gradient(write: Any, tmp_path: Any, image: Any) -> None:
    """Close to that of the same convolution without rounding."""
    constants = {
        "xs": np.array(0.02, F),
        "xz": np.array(120, np.uint8),
        "w": codes(4, 3, 3, 3, seed=1),
        "ws": np.array(0.01, F),
        "wz": np.array(125, np.uint8),
        "ys": np.array(0.05, F),
        "yz": np.array(128, np.uint8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("QLinearConv", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["c"]),
        helper.make_node("DequantizeLinear", ["c", "ys", "yz"], ["y"]),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, (1, 3, 7, 8))}, constants, ["y"])
    program = read_onnx(path).program
    x = tf.constant(np.moveaxis(image(1, 3, 7, 8), 1, -1) * 0.5)
    weights = np.random.default_rng(2).normal(size=(1, 5, 6, 4)).astype(F)
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = tf.reduce_sum(weights * program.compute({"x": x}, ["y"])["y"])
    kernel = ((constants["w"].astype(F) - 125) * 0.01).transpose(2, 3, 1, 0)
    with tf.GradientTape() as plain:
        plain.watch(x)
        y = tf.nn.conv2d(x, kernel, 1, "VALID")
        inside = tf.cast(tf.abs(y) < 6, tf.float32)
        expected = tf.reduce_sum(weights * y * inside)
    found, wanted = tape.gradient(score, x).numpy(), plain.gradient(expected, x).numpy()
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())


@pytest.fixture
def near(write: Any, tap_errors: Any, tmp_path: Any) -> Any:
    """All values as onnxruntime has them, codes to one step: it rounds in other places."""

    def check(node: Any, feeds: Any, constants: Any) -> None:
        shapes = {name: (array.dtype, array.shape) for name, array in feeds.items()}
        path = write(tmp_path / "m.onnx", [node], shapes, constants)
        errors = tap_errors(path, feeds)
        assert max(errors.values()) <= 1.01 / 255, errors

    return check


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_quantized_convolutions(near: Any, kind: Any) -> None:
    low, high = (0, 256) if kind is np.uint8 else (-128, 128)
    constants = {
        "xs": np.array(0.02, F),
        "xz": np.array(5, kind),
        "w": weights(4, 2, 3, 3),
        "ws": np.array([0.01, 0.02, 0.015, 0.03], F),
        "wz": np.zeros(4, np.int8),
        "ys": np.array(0.5, F),
        "yz": np.array(7, kind),
        "b": np.array([100, -100, 7, 0], np.int32),
    }
    node = helper.make_node(
        "QLinearConv",
        ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"],
        ["y"],
        group=2,
        pads=[1, 0, 1, 2],
        strides=[2, 1],
    )
    near(node, {"x": codes(2, 4, 7, 6, low=low, high=high, kind=kind)}, constants)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("QLinearAdd", {}),
        ("QLinearMul", {}),
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.3}),
        ("QLinearGlobalAveragePool", {}),
    ],
)
def test_operators_of_microsoft(near: Any, name: str, attributes: Any) -> None:
    scales = {"as": np.array(0.03, F), "az": np.array(120, np.uint8)}
    other = {"bs": np.array(0.05, F), "bz": np.array(99, np.uint8)}
    out = {"ys": np.array(0.02, F), "yz": np.array(100, np.uint8)}
    two = name in ("QLinearAdd", "QLinearMul")
    inputs = ["a", *scales, *(["b", *other] if two else []), *out]
    feeds = {"a": codes(2, 3, 4, 5)}
    if two:
        feeds["b"] = codes(3, 1, 1, seed=3)
    node = helper.make_node(name, inputs, ["y"], domain="com.microsoft", **attributes)
    near(node, feeds, {**scales, **(other if two else {}), **out})


def test_products_of_whole_numbers_are_exact(parity: Any) -> None:
    a, b = codes(3, 4000, seed=1), codes(4000, 5, seed=2)  # sums beyond 2^24
    zeros = {"az": np.array(131, np.uint8), "bz": np.array(117, np.uint8)}
    program = parity(
        helper.make_node("MatMulInteger", ["a", "b", "az", "bz"], ["y"]),
        {"a": a, "b": b},
        zeros,
        gradient=False,
    )
    found = program.compute({"a": a, "b": b}, ["y"], channels_last=False)["y"]
    exact = (a.astype(np.int64) - 131) @ (b.astype(np.int64) - 117)
    np.testing.assert_array_equal(found, exact)


def test_small_floats_are_cast_in_a_function_too(write: Any, tmp_path: Any) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["s"], to=TensorProto.FLOAT8E4M3FN),
        helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, (5,))}, {}, ["y"], opset=19)
    program = read_onnx(path).program
    x = np.array([0.3, -1.7, 448.0, 1e6, -1e6], F)
    expected = np.clip(x, -448, 448).astype(ml_dtypes.float8_e4m3fn).astype(F)
    loose = helper.make_node("Cast", ["x"], ["s"], to=TensorProto.FLOAT8E4M3FN, saturate=0)
    path = write(tmp_path / "n.onnx", [loose, nodes[1]], {"x": (F, (5,))}, {}, ["y"], opset=19)
    plain = read_onnx(path).program
    free = tf.function(lambda v: plain.compute({"x": v}, ["y"])["y"], autograph=False)
    np.testing.assert_array_equal(free(tf.constant(x)), x.astype(ml_dtypes.float8_e4m3fn).astype(F))
    traced = tf.function(lambda v: program.compute({"x": v}, ["y"])["y"], autograph=False)
    np.testing.assert_array_equal(traced(tf.constant(x)), expected)
    np.testing.assert_array_equal(program.compute({"x": x}, ["y"])["y"], expected)


def test_shifts_beyond_the_width(parity: Any) -> None:
    feeds = {"a": np.array([1, 255, 7], np.uint8), "b": np.array([1, 7, 3], np.uint8)}
    for way in ("LEFT", "RIGHT"):
        node = helper.make_node("BitShift", ["a", "b"], ["y"], direction=way)
        parity(node, feeds, gradient=False)


def test_old_broadcast_of_a_computed_value(write: Any, tmp_path: Any, image: Any) -> None:
    """Opset 6: the second value is laid along an axis of the first."""
    node = helper.make_node("Add", ["a", "b"], ["y"], broadcast=1, axis=1)
    shapes = {"a": (F, (2, 3, 4, 5)), "b": (F, (3, 4))}
    path = write(tmp_path / "m.onnx", [node], shapes, {}, ["y"], opset=6)
    feeds = {"a": image(2, 3, 4, 5), "b": image(3, 4, seed=1)}
    found = read_onnx(path).program.compute(feeds, ["y"], channels_last=False)["y"]
    np.testing.assert_allclose(found, feeds["a"] + feeds["b"][:, :, np.newaxis], rtol=1e-6)
