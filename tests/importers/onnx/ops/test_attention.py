"""Attention against onnxruntime, numpy and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx


def tokens_of_an_image(size: int) -> list[Any]:
    """An image [N, 3, H, W] to tokens ``t`` [N, H * W, size] by a convolution."""
    return [
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2]),
        helper.make_node("Reshape", ["c", "shape"], ["r"]),
        helper.make_node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
    ]


def patches(image: Any, size: int) -> dict[str, Any]:
    return {"w": image(size, 3, 2, 2, seed=1), "shape": np.array([0, size, -1])}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"is_causal": 1},
        {"scale": 0.3, "softcap": 2.0},
        {"qk_matmul_output_mode": 1, "softcap": 1.5},
        {"qk_matmul_output_mode": 3, "is_causal": 1},
    ],
)
def test_self_attention_of_an_image(parity: Any, image: Any, given: dict[str, Any]) -> None:
    outputs = ["y", "", "", "q"] if "qk_matmul_output_mode" in given else ["y"]
    node = helper.make_node(
        "Attention", ["t", "t", "t"], outputs, q_num_heads=2, kv_num_heads=2, **given
    )
    tail = helper.make_node("Tanh", ["y"], ["z"])
    nodes = [*tokens_of_an_image(8), node, tail]
    parity(nodes, {"x": image(2, 3, 6, 8)}, patches(image, 8), opset=23, free=False)


@pytest.mark.parametrize("kind", ["float", "bool"])
@pytest.mark.parametrize("shape", [(5, 7), (3, 1, 5, 7), (1, 5, 7)])
def test_masks_and_groups_of_heads(parity: Any, image: Any, kind: str, shape: Any) -> None:
    mask = image(*shape, seed=5) if kind == "float" else image(*shape, seed=5) > -0.3
    fixed = {"k": image(3, 2, 7, 6, seed=2), "v": image(3, 2, 7, 4, seed=3), "m": mask}
    node = helper.make_node("Attention", ["q", "k", "v", "m"], ["y"])
    parity(node, {"q": image(3, 4, 5, 6)}, fixed, opset=23, free=False)


def test_a_cache_is_extended_and_the_causal_mask_shifted(parity: Any, image: Any) -> None:
    fixed = {
        "k": image(2, 2, 3, 6, seed=2),
        "v": image(2, 2, 3, 6, seed=3),
        "pk": image(2, 2, 4, 6, seed=4),
        "pv": image(2, 2, 4, 6, seed=5),
    }
    names = ["q", "k", "v", "", "pk", "pv"]
    node = helper.make_node("Attention", names, ["y", "nk", "nv"], is_causal=1)
    tail = helper.make_node("Tanh", ["y"], ["z"])
    # Those onnxruntime releases that align the mask to the first key differ in y.
    program = parity([node, tail], {"q": image(2, 2, 3, 6)}, fixed, opset=23, leave=("y", "z"))
    made = program.compute({"q": image(2, 2, 3, 6)}, ["y"], channels_last=False)["y"].numpy()
    q, k, v = image(2, 2, 3, 6), *(np.concatenate([fixed["p" + n], fixed[n]], 2) for n in "kv")
    scores = q @ k.swapaxes(2, 3) / np.sqrt(6)
    scores = np.where(np.arange(7) <= np.arange(3)[:, None] + 4, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(
        made, weights / weights.sum(-1, keepdims=True) @ v, rtol=1e-4, atol=1e-5
    )


def test_an_excluded_row_is_zero_with_a_finite_gradient(
    write: Any, image: Any, tmp_path: Any
) -> None:
    mask = np.array([[True, False, True], [False, False, False]])
    fixed = {"k": image(1, 1, 3, 4, seed=1), "v": image(1, 1, 3, 4, seed=2), "m": mask}
    node = helper.make_node("Attention", ["q", "k", "v", "m"], ["y"])
    path = write(tmp_path / "a.onnx", [node], {"q": (np.float32, (1, 1, 2, 4))}, fixed, opset=23)
    program, q = read_onnx(path).program, tf.constant(image(1, 1, 2, 4))
    with tf.GradientTape() as tape:
        tape.watch(q)
        y = program.compute({"q": q}, ["y"], channels_last=False)["y"]
    gradient = tape.gradient(y, q).numpy()
    assert (y.numpy()[0, 0, 1] == 0).all()
    assert y.numpy()[0, 0, 0].any()
    assert np.isfinite(gradient).all()
    assert gradient[0, 0, 0].any()


def test_heads_must_be_named(write: Any, image: Any, tmp_path: Any) -> None:
    node = helper.make_node("Attention", ["q", "q", "q"], ["y"])
    path = write(tmp_path / "a.onnx", [node], {"q": (np.float32, (1, 2, 4))}, opset=23)
    with pytest.raises(ModelError, match="q_num_heads"):
        read_onnx(path)


@pytest.mark.parametrize("given", [{}, {"interleaved": 1}, {"rotary_embedding_dim": 4}])
def test_rotary_embedding(parity: Any, image: Any, given: dict[str, Any]) -> None:
    half = given.get("rotary_embedding_dim", 6) // 2
    angles = image(20, half, seed=4)
    fixed = {
        **patches(image, 12),
        "cos": np.cos(angles),
        "sin": np.sin(angles),
        "at": np.random.default_rng(0).integers(0, 20, (2, 12)),
    }
    node = helper.make_node(
        "RotaryEmbedding", ["t", "cos", "sin", "at"], ["y"], num_heads=2, **given
    )
    nodes = [*tokens_of_an_image(12), node]
    parity(nodes, {"x": image(2, 3, 6, 8)}, fixed, opset=23, free=False)


@pytest.mark.parametrize("mode", ["linear", "circular"])
def test_tensor_scatter(write: Any, image: Any, tmp_path: Any, mode: str) -> None:
    cache, update = image(3, 2, 5, 4, seed=1), image(3, 2, 2, 4)
    starts = np.array([0, 3, 4 if mode == "circular" else 1])
    node = helper.make_node("TensorScatter", ["cache", "u", "at"], ["y"], mode=mode)
    shapes = {"u": (np.float32, update.shape)}
    fixed = {"cache": cache, "at": starts}
    path = write(tmp_path / "t.onnx", [node], shapes, fixed, opset=24)
    y = read_onnx(path).program.compute({"u": update}, ["y"], channels_last=False)["y"].numpy()
    expected = cache.copy()
    for n, start in enumerate(starts):
        for k in range(2):
            expected[n, :, (start + k) % 5] = update[n, :, k]
    np.testing.assert_array_equal(y, expected)


def finite_difference(program: Any, x: Any, name: str) -> float:
    """The relative error of the slope of the sum of squares along a random way."""
    way = np.random.default_rng(1).normal(size=x.shape)

    def score(given: Any) -> Any:
        return tf.reduce_sum(program.compute({"x": given}, [name], channels_last=False)[name] ** 2)

    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = score(given)
    slope = float((tape.gradient(total, given).numpy() * way).sum())
    measured = float(score(given + 1e-6 * way) - score(given - 1e-6 * way)) / 2e-6
    return abs(slope - measured) / max(abs(measured), 1e-9)


def test_causal_convolution_keeps_channels_last_and_has_a_gradient(
    write: Any, image: Any, tmp_path: Any
) -> None:
    x, weight = image(2, 5, 7).astype(np.float64), image(5, 1, 3, seed=1).astype(np.float64)
    node = helper.make_node("CausalConvWithState", ["x", "w"], ["y", "s"], activation="silu")
    path = write(tmp_path / "c.onnx", [node], {"x": (np.float64, x.shape)}, {"w": weight}, opset=27)
    program = read_onnx(path).program
    y = program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    wide = np.pad(x, [(0, 0), (0, 0), (2, 0)])
    plain = sum(wide[:, :, j : j + 7] * weight[:, 0, j][:, None] for j in range(3))
    np.testing.assert_allclose(y, plain / (1 + np.exp(-plain)), rtol=1e-10)
    assert program.inputs["x"].channels_first
    assert finite_difference(program, x, "y") < 1e-6


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention_has_a_gradient(write: Any, image: Any, tmp_path: Any, rule: str) -> None:
    x = image(2, 5, 8).astype(np.float64)
    names = ["x", "x", "x", ""]
    names.append("g" if rule.startswith("gated") else "")
    names.append("b" if rule.endswith("delta") else "")
    fixed = {"g": -np.abs(image(2, 5, 2, seed=1)), "b": np.abs(image(2, 5, 2, seed=2)) % 1}
    fixed = {n: a.astype(np.float64) for n, a in fixed.items() if n in names}
    node = helper.make_node(
        "LinearAttention", names, ["y"], q_num_heads=2, kv_num_heads=2, update_rule=rule
    )
    path = write(tmp_path / "l.onnx", [node], {"x": (np.float64, x.shape)}, fixed, opset=27)
    assert finite_difference(read_onnx(path).program, x, "y") < 1e-6
