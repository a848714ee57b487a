"""Reductions, order and choice, against onnxruntime, numpy and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.fixture
def kernel(image: Any) -> dict[str, Any]:
    return {"w": image(4, 3, 3, 3, seed=1)}


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


@pytest.mark.parametrize("name", ["ReduceLogSum", "ReduceLogSumExp", "ReduceL2", "ReduceProd"])
@pytest.mark.parametrize("axes", [(1,), (-1, 0), (2, 3)])
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions(parity: Any, image: Any, kernel: Any, name: str, axes: Any, keep: int) -> None:
    nodes = after_conv(
        helper.make_node("Abs", ["c"], ["p"]),
        helper.make_node(name, ["p", "a"], ["y"], keepdims=keep),
    )
    parity(nodes, {"x": image(4, 3, 4, 4)}, {**kernel, "a": ints(*axes)}, opset=18)


def test_log_sum_exp_of_large_numbers(parity: Any, image: Any) -> None:
    node = helper.make_node("ReduceLogSumExp", ["x"], ["y"], axes=[1])
    parity(node, {"x": image(3, 5) + np.float32(500)}, opset=13)


def test_the_norm_of_zeros_has_slope_0(write: Any, tmp_path: Any) -> None:
    node = helper.make_node("ReduceL2", ["x"], ["y"], axes=[1])
    program = read_onnx(write(tmp_path / "m.onnx", [node], {"x": (np.float32, (2, 3))})).program
    x = tf.constant([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = program.compute({"x": x}, ["y"])["y"]
    np.testing.assert_allclose(y, [[0], [5]])
    np.testing.assert_allclose(tape.gradient(y, x), [[0, 0, 0], [0.6, 0, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("axes", [[1], [0, -1], []])
def test_axes_known_in_a_run_only(write: Any, image: Any, tmp_path: Any, axes: Any) -> None:
    path = write(
        tmp_path / "m.onnx",
        after_conv(helper.make_node("ReduceMean", ["c", "a"], ["y"])),
        {"x": (np.float32, (2, 3, 5, 4)), "a": (np.int64, ("k",))},
        {"w": image(4, 3, 3, 3, seed=1)},
        outputs=["y"],
        opset=18,
    )
    program = read_onnx(path).program
    x, a = image(2, 3, 5, 4), np.array(axes, np.int64)
    spec = [tf.TensorSpec([None, 3, None, None]), tf.TensorSpec([None], tf.int64)]
    traced = tf.function(
        lambda x, a: program.compute({"x": x, "a": a}, ["c", "y"], channels_last=False),
        autograph=False,
        input_signature=spec,
    )
    for found in (traced(x, a), program.compute({"x": x, "a": a}, ["c", "y"], channels_last=False)):
        expected = found["c"].numpy().mean(tuple(axes) or None, keepdims=True)
        np.testing.assert_allclose(found["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("last", [0, 1])
def test_the_first_and_the_last_of_equals(
    parity: Any, image: Any, kernel: Any, name: str, axis: int, keep: int, last: int
) -> None:
    nodes = after_conv(
        helper.make_node("Sign", ["c"], ["r"]),
        helper.make_node(name, ["r"], ["y"], axis=axis, keepdims=keep, select_last_index=last),
    )
    parity(nodes, {"x": image(4, 3, 4, 4)}, kernel, gradient=False)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("largest", [0, 1])
def test_top_k(parity: Any, image: Any, kernel: Any, axis: int, largest: int) -> None:
    nodes = after_conv(
        helper.make_node("TopK", ["c", "k"], ["y", "i"], axis=axis, largest=largest),
        helper.make_node("Mul", ["y", "y"], ["z"]),
    )
    program = parity(nodes, {"x": image(2, 3, 5, 4)}, {**kernel, "k": ints(2)})
    if axis != 1:
        assert program.values["z"].shape[-1] == 4


def test_top_k_with_k_as_an_attribute_and_computed(
    parity: Any, write: Any, image: Any, tmp_path: Any
) -> None:
    old = helper.make_node("TopK", ["x"], ["y", "i"], axis=1, k=3)
    parity([old], {"x": image(4, 6)}, opset=9, gradient=False)
    new = helper.make_node("TopK", ["x", "k"], ["y", "i"], axis=0, largest=0)
    path = write(tmp_path / "m.onnx", [new], {"x": (np.int8, (4,)), "k": (np.int64, (1,))})
    program = read_onnx(path).program
    assert program.values["y"].shape == (None,)
    x = np.array([5, -128, 127, -128], np.int8)  # -128 has no opposite number
    found = program.compute({"x": x, "k": ints(3)}, ["y", "i"])
    np.testing.assert_array_equal(found["y"], [-128, -128, 5])
    np.testing.assert_array_equal(found["i"], [1, 3, 0])


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("ordered", [0, 1])
def test_unique(parity: Any, axis: Any, ordered: int) -> None:
    x = np.random.default_rng(0).integers(0, 2, (5, 4, 2)).astype(np.float32)
    x[3], x[:, 2] = x[1], x[:, 0]
    options = {} if axis is None else {"axis": axis}
    node = helper.make_node("Unique", ["x"], ["y", "i", "v", "n"], sorted=ordered, **options)
    parity(node, {"x": x}, gradient=False)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_compress(parity: Any, image: Any, kernel: Any, axis: Any) -> None:
    options = {} if axis is None else {"axis": axis}
    nodes = after_conv(helper.make_node("Compress", ["c", "k"], ["y"], **options))
    constants = {**kernel, "k": np.array([False, True])}
    parity(nodes, {"x": image(2, 3, 5, 4)}, constants, opset=11)


def test_non_zero(parity: Any, image: Any, kernel: Any) -> None:
    nodes = after_conv(
        helper.make_node("Relu", ["c"], ["r"]), helper.make_node("NonZero", ["r"], ["y"])
    )
    parity(nodes, {"x": image(2, 3, 5, 4)}, kernel, gradient=False)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool", "float16"])
def test_types_are_kept(write: Any, tmp_path: Any, dtype: str) -> None:
    names = ["ReduceMax", "ReduceMin"]
    names += [] if dtype == "bool" else ["ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"]
    nodes = [helper.make_node(n, ["x"], [n], axes=[1], keepdims=0) for n in names]
    path = write(tmp_path / "m.onnx", nodes, {"x": (dtype, (2, 2))}, opset=11)
    x = np.array([[3, 4], [0, 1]], dtype)
    found = read_onnx(path).program.compute({"x": x}, names)
    expected = {
        "ReduceMax": x.max(1),
        "ReduceMin": x.min(1),
        "ReduceSum": [7, 1],
        "ReduceL1": [7, 1],
        "ReduceL2": [5, 1],
        "ReduceSumSquare": [25, 1],
    }
    for name in names:
        assert found[name].numpy().dtype == dtype
        np.testing.assert_array_equal(found[name], expected[name])
