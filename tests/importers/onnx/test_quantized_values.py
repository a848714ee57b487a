"""Quantized numbers between two operators: they are moved with their gradient, and are taps."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from kerasviz.importers.onnx import read_onnx

F = np.float32
SHAPE = (2, 4, 6, 5)
#: Operators, what they are given besides the value ``v``, and attributes.
MOVES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Reshape": ("Reshape", {"n": np.array([2, 8, -1])}, {}),
    "Flatten": ("Flatten", {}, {}),
    "Transpose": ("Transpose", {}, {"perm": [0, 2, 3, 1]}),
    "MaxPool": ("MaxPool", {}, {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    "ReduceMax": ("ReduceMax", {}, {"axes": [1]}),
    "Identity": ("Identity", {}, {}),
    "Slice": ("Slice", {"a": np.array([1, 1]), "b": np.array([4, 5]), "c": np.array([1, 2])}, {}),
    "Squeeze": ("Squeeze", {}, {}),
    "Unsqueeze": ("Unsqueeze", {"a": np.array([2])}, {}),
    "Pad": ("Pad", {"p": np.array([0, 0, 1, 0, 0, 1, 0, 2]), "c": np.array(77, np.uint8)}, {}),
    "Pad, reflected": ("Pad", {"p": np.array([0, 0, 1, 0, 0, 0, 0, 2])}, {"mode": "reflect"}),
    "Gather": ("Gather", {"i": np.array([[2, 0], [1, 2]], np.int32)}, {"axis": 1}),
    "Expand": ("Expand", {"n": np.array([3, 1, 1, 1, 1])}, {}),
    "Tile": ("Tile", {"n": np.array([1, 2, 1, 1])}, {}),
    "Clip": ("Clip", {"a": np.array(90, np.uint8), "b": np.array(150, np.uint8)}, {}),
    "Min": ("Min", {"a": np.array(130, np.uint8)}, {}),
    "Max": ("Max", {"a": np.arange(120, 125, dtype=np.uint8)}, {}),
    "Concat": ("Concat", {"a": np.full((2, 1, 6, 5), 33, np.uint8)}, {"axis": 1}),
    "DepthToSpace": ("DepthToSpace", {}, {"blocksize": 2}),
    "Resize": (
        "Resize",
        {"": None, "s": np.array([1, 1, 2, 2], F)},
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"},
    ),
}


def pair(kind: Any = np.uint8) -> dict[str, Any]:
    return {"s": np.array(0.02, F), "z": np.array(100, kind)}


def graph_of(name: str, quantized: bool) -> tuple[list[Any], dict[str, Any]]:
    """A convolution, an operator that moves entries (also of codes), and a product."""
    op, more, attributes = MOVES[name]
    constants = {k + "_": a for k, a in more.items() if k}
    inputs = ["v", *(k + "_" if k else "" for k in more)]
    if not quantized:  # the same numbers in floating point
        for key, array in constants.items():
            if array.dtype == np.uint8:
                constants[key] = (array.astype(F) - 100) * F(0.02)
    moved = helper.make_node(op, inputs, ["m"], **attributes)
    conv = helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1])
    constants["w"] = np.random.default_rng(3).normal(size=(4, 3, 3, 3)).astype(F) / 4
    if not quantized:
        return [conv, helper.make_node("Identity", ["c"], ["v"]), moved], constants
    nodes = [
        conv,
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["v"]),
        moved,
        helper.make_node("DequantizeLinear", ["m", "s", "z"], ["y"]),
    ]
    return nodes, {**constants, **pair()}


def slope(program: Any, x: Any, name: str) -> tuple[Any, Any]:
    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = program.compute({"x": x}, [name], channels_last=False)[name]
            rng = np.random.default_rng(8)
            score = tf.reduce_sum(y * rng.normal(size=y.shape).astype(F))
        return y, tape.gradient(score, x)

    y, gradient = run(tf.constant(x))
    return y.numpy(), gradient.numpy()


@pytest.mark.parametrize("name", MOVES)
def test_moved_codes_keep_their_gradient(
    write: Any, tap_errors: Any, image: Any, tmp_path: Any, name: str
) -> None:
    """That of the same graph in floating point, but for the rounding where it chooses."""
    x = image(2, 3, 6, 5) * F(0.5)
    shapes = {"x": (F, x.shape)}
    opset = 12 if name == "Squeeze" else 13
    nodes, constants = graph_of(name, True)
    path = write(tmp_path / "q.onnx", nodes, shapes, constants, opset=opset)
    assert max(tap_errors(path, {"x": x}).values()) < 1e-5
    found, gradient = slope(read_onnx(path).program, x, "y")
    nodes, constants = graph_of(name, False)
    path = write(tmp_path / "f.onnx", nodes, shapes, constants, opset=opset)
    real, wanted = slope(read_onnx(path).program, x, "m")
    np.testing.assert_allclose(found, real, atol=0.0101)
    cosine = (gradient * wanted).sum() / np.linalg.norm(gradient) / np.linalg.norm(wanted)
    assert cosine > 0.97, cosine


def test_split_parts_and_joined_again(write: Any, image: Any, tmp_path: Any) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["v"]),
        helper.make_node("Split", ["v"], ["a", "b"], axis=1),
        helper.make_node("Where", ["mask", "a", "b"], ["c"]),
        helper.make_node("Concat", ["b", "c"], ["m"], axis=1),
        helper.make_node("DequantizeLinear", ["m", "s", "z"], ["y"]),
    ]
    mask = np.random.default_rng(1).random((2, 2, 3, 5)) < 0.5
    x = image(2, 4, 3, 5) * F(0.5)
    path = write(
        tmp_path / "m.onnx", nodes, {"x": (F, x.shape)}, {**pair(), "mask": mask}, opset=13
    )
    y, gradient = slope(read_onnx(path).program, x, "y")
    a, b = x[:, :2], x[:, 2:]
    np.testing.assert_allclose(y, np.concatenate([b, np.where(mask, a, b)], 1), atol=0.0101)
    upstream = np.random.default_rng(8).normal(size=y.shape).astype(F)
    lower = upstream[:, 2:]
    expected = np.concatenate([lower * mask, upstream[:, :2] + lower * ~mask], 1)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("op", ["Relu", "Resize"])
def test_signed_codes(write: Any, tap_errors: Any, image: Any, tmp_path: Any, op: str) -> None:
    """Of a rectifier, and of an interpolation, which is cut to whole numbers."""
    constants: dict[str, Any] = {"s": np.array(0.02, F), "z": np.array(0, np.int8)}
    inputs = ["v"]
    if op == "Resize":
        constants["n"] = np.array([1, 1, 2, 2], F)
        inputs = ["v", "", "n"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["v"]),
        helper.make_node(op, inputs, ["m"], **({"mode": "linear"} if op == "Resize" else {})),
        helper.make_node("DequantizeLinear", ["m", "s", "z"], ["y"]),
    ]
    x = image(2, 3, 4, 5) * F(0.6)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, x.shape)}, constants, opset=14)
    assert max(tap_errors(path, {"x": x}).values()) < 1e-5
    y, gradient = slope(read_onnx(path).program, x, "y")
    upstream = np.random.default_rng(8).normal(size=y.shape).astype(F)
    if op == "Relu":
        np.testing.assert_allclose(gradient, upstream * (x > 0.01), atol=1e-6)
    else:  # the weights of what is interpolated sum to 1
        np.testing.assert_allclose(gradient.sum(), upstream.sum(), rtol=1e-4)
        assert (gradient != 0).all()


@pytest.mark.parametrize("op", ["MatMulInteger", "ConvInteger"])
def test_dynamic_quantization_has_a_gradient(
    write: Any, tap_errors: Any, image: Any, tmp_path: Any, op: str
) -> None:
    shape = (2, 3, 7, 6)
    weight = np.random.default_rng(0).integers(0, 256, (5, 3, 3, 3) if "Conv" in op else (6, 5))
    constants = {
        "w": weight.astype(np.uint8),
        "wz": np.array(120, np.uint8),
        "ws": np.array(0.01, F),
    }
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node(op, ["q", "w", "z", "wz"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["scale"]),
        helper.make_node("Mul", ["f", "scale"], ["y"]),
    ]
    x = image(*shape)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, shape)}, constants)
    assert max(tap_errors(path, {"x": x}).values()) < 1e-5
    y, gradient = slope(read_onnx(path).program, x, "y")
    upstream = np.random.default_rng(8).normal(size=y.shape).astype(F)
    real = (weight - 120).astype(F) * F(0.01)
    with tf.GradientTape() as tape:
        given = tf.constant(x)
        tape.watch(given)
        if op == "MatMulInteger":
            wanted = given @ real
        else:
            last = tf.nn.conv2d(
                tf.transpose(given, [0, 2, 3, 1]), real.transpose(2, 3, 1, 0), 1, "VALID"
            )
            wanted = tf.transpose(last, [0, 3, 1, 2])
        score = tf.reduce_sum(wanted * upstream)
    np.testing.assert_allclose(y, wanted, atol=0.02 * np.abs(wanted).max())
    expected = tape.gradient(score, given).numpy()
    np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())


# -- taps --------------------------------------------------------------------------------------


def test_a_tap_of_quantized_numbers_is_what_they_stand_for(
    write: Any, image: Any, tmp_path: Any
) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["v"]),
        helper.make_node("MaxPool", ["v"], ["m"], kernel_shape=[2, 2]),
    ]
    x = image(2, 3, 4, 5)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, x.shape)}, pair())
    program = read_onnx(path).program
    given = tf.constant(np.moveaxis(x, 1, -1))
    with tf.GradientTape() as tape:
        tape.watch(given)
        last = program.compute({"x": given}, ["v", "m"])
        score = tf.reduce_sum(last["m"])
    own = program.compute({"x": x}, ["v", "m"], channels_last=False)
    for name in ("v", "m"):
        assert own[name].dtype == tf.uint8
        assert last[name].dtype == tf.float32
        stand_for = (np.moveaxis(own[name].numpy(), 1, -1).astype(F) - 100) * F(0.02)
        np.testing.assert_allclose(last[name], stand_for, atol=1e-6)
    assert tape.gradient(score, given).numpy().sum() == 2 * 3 * 3 * 4


def test_a_tap_with_a_scale_for_each_channel_has_the_codes(
    write: Any, image: Any, tmp_path: Any
) -> None:
    scales = {"s": np.array([0.02, 0.03, 0.04], F), "z": np.zeros(3, np.int8)}
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["v"], axis=1)
    x = image(2, 3, 4, 5)
    path = write(tmp_path / "m.onnx", [node], {"x": (F, x.shape)}, scales)
    program = read_onnx(path).program
    last = program.compute({"x": np.moveaxis(x, 1, -1)}, ["v"])["v"].numpy()
    own = program.compute({"x": x}, ["v"], channels_last=False)["v"].numpy()
    np.testing.assert_array_equal(last, np.moveaxis(own, 1, -1).astype(F))


# -- small types -------------------------------------------------------------------------------

SMALL = {
    "int4": (ml_dtypes.int4, 21),
    "uint4": (ml_dtypes.uint4, 21),
    "int2": (ml_dtypes.int2, 25),
    "uint2": (ml_dtypes.uint2, 25),
    "float4": (ml_dtypes.float4_e2m1fn, 23),
    "e4m3fn": (ml_dtypes.float8_e4m3fn, 19),
    "e4m3fnuz": (ml_dtypes.float8_e4m3fnuz, 19),
    "e5m2": (ml_dtypes.float8_e5m2, 19),
    "e5m2fnuz": (ml_dtypes.float8_e5m2fnuz, 19),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_types_in_a_function(write: Any, image: Any, tmp_path: Any, name: str) -> None:
    """Quantized, moved and turned back, behind a convolution; numpy is the oracle."""
    kind, opset = SMALL[name]
    constants = {"s": np.array(0.3, F), "z": np.zeros((), kind)}
    constants["w"] = np.eye(3, dtype=F)[:, :, None, None]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["v"]),
        helper.make_node("Transpose", ["v"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Concat", ["t", "t"], ["m"], axis=3),
        helper.make_node("DequantizeLinear", ["m", "s", "z"], ["y"]),
    ]
    x = image(2, 3, 4, 5) * F(0.5)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, x.shape)}, constants, opset=opset)
    program = read_onnx(path).program
    y, gradient = slope(program, x, "y")
    ratio = x / F(0.3)
    if "int" in name:
        limits = ml_dtypes.iinfo(kind)
        expected = np.clip(np.round(ratio), limits.min, limits.max)
        inside = (ratio.round() >= limits.min) & (ratio.round() <= limits.max)
    else:
        expected = ratio.astype(kind).astype(F)
        inside = np.abs(ratio) <= float(ml_dtypes.finfo(kind).max)
    both = np.concatenate([expected.transpose(0, 2, 3, 1)] * 2, -1) * F(0.3)
    np.testing.assert_allclose(y, both, atol=1e-6)
    upstream = np.random.default_rng(8).normal(size=y.shape).astype(F)
    passed = (upstream[..., :3] + upstream[..., 3:]).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(gradient, passed * inside, atol=1e-5)
    run = tf.function(
        lambda given: program.compute({"x": given}, ["m"], channels_last=False)["m"],
        autograph=False,
    )
    own = run(tf.constant(x))
    assert own.dtype == tf.as_dtype(np.dtype(kind))
    np.testing.assert_allclose(own.numpy().astype(F) * F(0.3), both, atol=1e-6)


def test_a_cast_to_a_small_float_has_a_gradient(write: Any, tmp_path: Any) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["v"], to=TensorProto.FLOAT8E5M2),
        helper.make_node("Cast", ["v"], ["y"], to=TensorProto.FLOAT),
    ]
    x = np.array([0.3, -1.7, 1e6], F)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, (3,))}, {}, opset=19)
    y, gradient = slope(read_onnx(path).program, x, "y")
    np.testing.assert_allclose(y, [0.3125, -1.75, 57344])
    upstream = np.random.default_rng(8).normal(size=3).astype(F)
    np.testing.assert_allclose(gradient, upstream * [1, 1, 0])
