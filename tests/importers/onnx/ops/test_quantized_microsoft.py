"""Quantized operators of the domain com.microsoft against onnxruntime.

Both round real numbers to codes. Where a number lies between two codes the last bits of the
product decide, so that single codes may differ by one; none differs by more.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from onnx import helper
from support.integer_products import weights
from support.onnx_models import session

from kerasviz.importers.onnx import read_onnx

F = np.float32


def codes(*shape: int, kind: Any = np.uint8, seed: int = 0) -> Any:
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(kind)


def numbers(**given: Any) -> dict[str, Any]:
    """Scales (floats) and zero points (the rest) by name."""
    return {n: np.array(v, F) if isinstance(v, float) else v for n, v in given.items()}


@pytest.fixture
def near(write: Any, tmp_path: Any) -> Any:
    """Compare a node's outputs: quantized ones within one code, and almost all are the same."""

    def check(op: str, inputs: Any, feeds: Any, constants: Any, **given: Any) -> Any:
        node = helper.make_node(op, inputs, ["y"], domain="com.microsoft", **given)
        shapes = {name: (array.dtype, array.shape) for name, array in feeds.items()}
        path = write(tmp_path / "m.onnx", [node], shapes, constants)
        (theirs,) = session(path, ["y"]).run(["y"], feeds)
        ours = read_onnx(path).program.compute(feeds, ["y"], channels_last=False)["y"].numpy()
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        off = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        if theirs.dtype.kind == "f":
            assert off.max() <= 1e-5 * np.abs(theirs).max()
        else:
            assert off.max() <= 1, np.unique(off)
            assert (off > 0).mean() <= 0.02, (off > 0).mean()
            assert np.ptp(theirs.astype(int)) > 10  # not all at an end of the range
        return ours

    return check


X = {"u8": (np.uint8, np.uint8(120), np.uint8(100)), "s8": (np.int8, np.int8(-7), np.int8(12))}


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize(
    "given",
    [
        {"kernel_shape": [2, 3]},
        {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1], "strides": [2, 1]},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [2, 3], "channels_last": 1},
    ],
)
def test_average_pool(near: Any, kind: str, given: Any) -> None:
    dtype, zero, point = X[kind]
    fixed = numbers(s=0.03, z=zero, ys=0.0217, yz=point)
    near("QLinearAveragePool", ["x", *fixed], {"x": codes(2, 3, 7, 6, kind=dtype)}, fixed, **given)


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize("last", [0, 1])
def test_global_average_pool(near: Any, kind: str, last: int) -> None:
    dtype, zero, point = X[kind]
    fixed = numbers(s=0.03, z=zero, ys=0.006, yz=point)
    near(
        "QLinearGlobalAveragePool",
        ["x", *fixed],
        {"x": codes(2, 3, 7, 6, kind=dtype)},
        fixed,
        channels_last=last,
    )


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize("axis", [1, -1, 2])
def test_concat(near: Any, kind: str, axis: int) -> None:
    dtype, zero, point = X[kind]
    fixed = numbers(ys=0.04, yz=point, s=0.03, z=zero, s2=0.05, z2=point)
    feeds = {"a": codes(2, 3, 4, 5, kind=dtype), "b": codes(2, 3, 4, 5, kind=dtype, seed=1)}
    near("QLinearConcat", ["ys", "yz", "a", "s", "z", "b", "s2", "z2"], feeds, fixed, axis=axis)


@pytest.mark.parametrize("kind", X)
def test_where(near: Any, kind: str) -> None:
    dtype, zero, point = X[kind]
    fixed = numbers(s=0.03, z=zero, s2=0.05, z2=point, ys=0.06, yz=zero)
    feeds = {
        "c": np.random.default_rng(2).random((2, 1, 4, 5)) < 0.5,
        "a": codes(2, 3, 4, 5, kind=dtype),
        "b": codes(3, 1, 1, kind=dtype, seed=1),
    }
    near("QLinearWhere", ["c", "a", "s", "z", "b", "s2", "z2", "ys", "yz"], feeds, fixed)


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_binary(near: Any, kind: str, op: str) -> None:
    dtype, zero, point = X[kind]
    fixed = numbers(s=0.03, z=zero, s2=0.05, z2=point, ys=0.07, yz=zero)
    feeds = {"a": codes(2, 3, 4, 5, kind=dtype), "b": codes(3, 1, 1, kind=dtype, seed=1)}
    near(op, ["a", "s", "z", "b", "s2", "z2", "ys", "yz"], feeds, fixed)


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize(
    ("op", "scale", "given"),
    [
        ("QLinearSigmoid", 1 / 256, {}),
        ("QLinearLeakyRelu", 0.04, {"alpha": 0.3}),
    ],
)
def test_unary(near: Any, kind: str, op: str, scale: float, given: Any) -> None:
    dtype, zero, point = X[kind]
    point = dtype(np.iinfo(dtype).min) if op == "QLinearSigmoid" else point
    fixed = numbers(s=0.03, z=zero, ys=scale, yz=point)
    near(op, ["x", *fixed], {"x": codes(2, 3, 4, 5, kind=dtype)}, fixed, **given)


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize(("opset", "axis"), [(13, -1), (13, 1), (11, 1), (11, 2)])
def test_softmax(near: Any, kind: str, opset: int, axis: int) -> None:
    dtype, zero, _ = X[kind]
    fixed = numbers(s=0.02, z=zero, ys=1 / 256, yz=dtype(np.iinfo(dtype).min))
    feeds = {"x": codes(2, 3, 5, kind=dtype)}
    near("QLinearSoftmax", ["x", *fixed], feeds, fixed, opset=opset, axis=axis)


@pytest.mark.parametrize("last", [0, 1])
def test_convolution(near: Any, last: int) -> None:
    fixed = {
        **numbers(xs=0.02, xz=np.uint8(5)),
        "w": weights(4, 3, 3, 2),
        "ws": np.array([0.01, 0.02, 0.015, 0.03], F),
        "wz": np.zeros(4, np.int8),
        **numbers(ys=0.5, yz=np.uint8(7)),
        "b": np.array([100, -100, 7, 0], np.int32),
    }
    shape = (2, 7, 6, 3) if last else (2, 3, 7, 6)
    near("QLinearConv", ["x", *fixed], {"x": codes(*shape)}, fixed, channels_last=last)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("given", [{}, {"transA": 1}, {"transB": 1, "alpha": 0.5}])
def test_gemm(near: Any, each: bool, real: bool, given: Any) -> None:
    fixed = {
        **numbers(s=0.03, z=np.uint8(120)),
        "b": weights(*((4, 7) if "transB" in given else (7, 4))),
        "bs": np.array([0.01, 0.02, 0.03, 0.015], F) if each else np.array(0.02, F),
        "bz": np.array([1, 2, -3, 0], np.int8) if each else np.array(3, np.int8),
        "c": np.array([100, -50, 20, 7], np.int32),
        **({} if real else numbers(ys=0.2, yz=np.uint8(128))),
    }
    feeds = {"a": codes(*((7, 5) if "transA" in given else (5, 7)))}
    near("QGemm", ["a", *fixed], feeds, fixed, **given)


@pytest.mark.parametrize("bias", [False, True])
def test_products_to_real_numbers(near: Any, bias: bool) -> None:
    fixed = {
        "b": weights(7, 4),
        **numbers(s=0.03),
        "bs": np.array([0.01, 0.02, 0.03, 0.015], F),
        "z": np.array(120, np.uint8),
        "bz": np.array([1, 2, -3, 0], np.int8),
        **({"c": np.arange(4, dtype=F)} if bias else {}),
    }
    near("MatMulIntegerToFloat", ["a", *fixed], {"a": codes(2, 5, 7)}, fixed)
    x = np.random.default_rng(3).normal(size=(2, 5, 7)).astype(F)
    rest = {k: fixed[k] for k in ("b", "bs", "bz", "c") if k in fixed}
    near("DynamicQuantizeMatMul", ["x", *rest], {"x": x}, rest)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16])
def test_quantize_and_dequantize(near: Any, kind: Any) -> None:
    zero = kind(np.iinfo(kind).max // 3)
    scale = 8.0 / (2.0 ** (8 * np.dtype(kind).itemsize))
    fixed = numbers(s=scale, z=zero)
    x = np.random.default_rng(3).normal(size=(2, 3, 5)).astype(F)
    made = near("QuantizeLinear", ["x", *fixed], {"x": x}, fixed)
    near("DequantizeLinear", ["x", *fixed], {"x": made}, fixed)


@pytest.mark.parametrize("kind", [ml_dtypes.int4, ml_dtypes.uint4])
def test_dequantize_numbers_of_4_bits(
    write: Any, tap_errors: Any, tmp_path: Any, kind: Any
) -> None:
    """The weights of a network whose quantizer writes them so, along an axis."""
    fixed = {
        "w": np.arange(15).reshape(5, 3).astype(np.int8).astype(kind),
        "s": np.array([0.1, 0.2, 0.3], F),
        "z": np.array([1, 2, 3], kind),
    }
    nodes = [
        helper.make_node("DequantizeLinear", [*fixed], ["d"], domain="com.microsoft", axis=1),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    x = np.random.default_rng(3).normal(size=(2, 5)).astype(F)
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, (2, 5))}, fixed, ["y"], opset=21)
    assert max(tap_errors(path, {"x": x}).values()) < 1e-6


def test_largest_of_windows_with_the_channels_last(near: Any) -> None:
    feeds = {"x": codes(2, 7, 6, 3)}
    given = {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}
    near("NhwcMaxPool", ["x"], feeds, {}, **given)


def test_the_mean_over_axes(write: Any, tmp_path: Any) -> None:
    """onnxruntime has no kernel of it on a CPU; numpy is the oracle."""
    fixed = numbers(s=0.03, z=np.uint8(120), ys=0.02, yz=np.uint8(100))
    node = helper.make_node(
        "QLinearReduceMean", ["x", *fixed], ["y"], domain="com.microsoft", axes=[1, 3], keepdims=0
    )
    x = codes(2, 3, 4, 5)
    path = write(tmp_path / "m.onnx", [node], {"x": (x.dtype, x.shape)}, fixed)
    found = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"]
    real = ((x.astype(F) - 120) * F(0.03)).mean((1, 3))
    expected = np.clip(np.round(real / F(0.02)) + 100, 0, 255)
    assert np.abs(found.numpy() - expected).max() <= 1


def test_an_embedding_with_quantized_tables(write: Any, tap_errors: Any, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    tables = {
        "we": codes(11, 6),
        "pe": codes(9, 6, seed=1),
        "se": codes(2, 6, seed=2),
        "g": codes(6, seed=3),
        "b": codes(6, seed=4),
    }
    scales = {f"{n}_s": np.array(0.01 * (k + 1), F) for k, n in enumerate(tables)}
    zeros = {f"{n}_z": np.array(100 + 7 * k, np.uint8) for k, n in enumerate(tables)}
    feeds = {
        "ids": rng.integers(0, 11, (2, 5)).astype(np.int32),
        "seg": rng.integers(0, 2, (2, 5)).astype(np.int32),
        "mask": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], np.int32),
    }
    inputs = ["ids", "seg", *tables, "mask", *scales, *zeros]
    node = helper.make_node(
        "QEmbedLayerNormalization", inputs, ["y", "counts"], domain="com.microsoft"
    )
    shapes = dict.fromkeys(feeds, (np.int32, (2, 5)))
    path = write(tmp_path / "e.onnx", [node], shapes, {**tables, **scales, **zeros})
    assert max(tap_errors(path, feeds).values()) < 1e-5


@pytest.mark.parametrize("each", [False, True])
def test_quantized_attention(write: Any, tap_errors: Any, tmp_path: Any, each: bool) -> None:
    fixed = {
        "w": weights(6, 24),
        "b": np.random.default_rng(2).normal(size=24).astype(F),
        **numbers(s=0.02),
        "ws": np.linspace(0.005, 0.01, 24).astype(F) if each else np.array(0.01, F),
        "m": np.array([[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]], np.int32),
        "z": np.array(120, np.uint8),
        "wz": np.zeros(24, np.int8) if each else np.array(0, np.int8),
    }
    node = helper.make_node("QAttention", ["x", *fixed], ["y"], domain="com.microsoft", num_heads=2)
    path = write(tmp_path / "a.onnx", [node], {"x": (np.uint8, (2, 5, 6))}, fixed)
    assert max(tap_errors(path, {"x": codes(2, 5, 6)}).values()) < 1e-5


def test_gradients_pass(write: Any, tmp_path: Any) -> None:
    """A chain of quantized operators has the gradient of the same chain in real numbers."""
    pair = numbers(s=0.02, z=np.uint8(128))
    steps = ["x_q", "s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *pair], ["x_q"]),
        helper.make_node("QLinearLeakyRelu", [*steps, *pair], ["l"], alpha=0.3),
        helper.make_node("QLinearAveragePool", ["l", *pair, *pair], ["p"], kernel_shape=[2, 2]),
        helper.make_node("QLinearConcat", [*pair, "p", *pair, "p", *pair], ["k"], axis=1),
        helper.make_node("QLinearMul", ["k", *pair, "k", *pair, *pair], ["m"]),
        helper.make_node("QLinearReduceMean", ["m", *pair, *pair], ["r"], axes=[2, 3]),
        helper.make_node("DequantizeLinear", ["r", *pair], ["y"]),
    ]
    for node in nodes:
        node.domain = "com.microsoft" if node.op_type.startswith("QLinear") else ""
    path = write(tmp_path / "m.onnx", nodes, {"x": (F, (2, 3, 6, 7))}, pair, ["y"])
    program = read_onnx(path).program
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 6, 7, 3)).astype(F) * 0.5)
    weights = np.random.default_rng(2).normal(size=(2, 1, 1, 6)).astype(F)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        found = tf.reduce_sum(weights * program.compute({"x": x}, ["y"])["y"])
        pooled = tf.nn.avg_pool2d(tf.nn.leaky_relu(x, 0.3), 2, 1, "VALID")
        wide = tf.concat([pooled, pooled], -1) ** 2
        wanted = tf.reduce_sum(weights * tf.reduce_mean(wide, [1, 2], keepdims=True))
    a, b = (tape.gradient(v, x).numpy().ravel() for v in (found, wanted))
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.99
