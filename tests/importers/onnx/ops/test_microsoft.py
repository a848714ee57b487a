"""Operators of the domain com.microsoft against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx


def node(op: str, inputs: Any, outputs: Any = ("y",), **given: Any) -> Any:
    return helper.make_node(op, list(inputs), list(outputs), domain="com.microsoft", **given)


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output ``c`` is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.fixture
def kernel(image: Any) -> dict[str, Any]:
    return {"w": image(6, 3, 3, 3, seed=1)}


@pytest.mark.parametrize("op", ["Gelu", "FastGelu", "QuickGelu", "BiasGelu", "FastGelu with bias"])
def test_activations(parity: Any, image: Any, kernel: Any, op: str) -> None:
    fixed = dict(kernel)
    inputs = ["c"]
    if "ias" in op:
        fixed["b"] = image(7, seed=2)
        inputs.append("b")
    parity(after_conv(node(op.split()[0], inputs)), {"x": image(2, 3, 5, 7)}, fixed)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"activation": "Relu"},
        {"activation": "Tanh"},
        {"activation": "Sigmoid"},
        {"activation": "LeakyRelu", "activation_params": [0.2]},
        {"activation": "Clip", "activation_params": [-0.5, 0.7]},
        {"activation": "HardSigmoid", "activation_params": [0.3, 0.4]},
    ],
)
@pytest.mark.parametrize("residual", [False, True])
def test_fused_convolution(parity: Any, image: Any, given: Any, residual: bool) -> None:
    fixed = {"w": image(3, 3, 3, 3, seed=1), "b": image(3, seed=2)}
    inputs = ["x", "w", "b", *(["x"] if residual else [])]
    fused = node("FusedConv", inputs, pads=[1, 1, 1, 1], **given)
    program = parity([fused], {"x": image(2, 3, 5, 7)}, fixed)
    assert program.values["y"].relu_input is None  # the value before it has no name


@pytest.mark.parametrize(
    "given", [{"transB": 1, "activation": "Tanh"}, {"alpha": 0.5, "activation": "Relu"}]
)
def test_fused_gemm(parity: Any, image: Any, given: Any) -> None:
    fixed = {"b": image(*((4, 5) if "transB" in given else (5, 4)), seed=1), "c": image(4, seed=2)}
    parity([node("FusedGemm", ["x", "b", "c"], **given)], {"x": image(3, 5)}, fixed)


@pytest.mark.parametrize(
    ("given", "left", "right"),
    [
        ({"alpha": 0.3}, (2, 3, 4, 5), (2, 3, 5, 6)),
        ({"transA": 1}, (2, 3, 5, 4), (5, 6)),
        ({"transB": 1}, (2, 3, 4, 5), (2, 3, 6, 5)),
        ({"transBatchA": 1}, (4, 2, 3, 5), (2, 3, 5, 6)),
        ({"transBatchA": 1, "transA": 1}, (5, 2, 3, 4), (2, 3, 5, 6)),
        ({"transBatchB": 1}, (2, 3, 4, 5), (5, 2, 3, 6)),
    ],
)
def test_fused_matmul(parity: Any, image: Any, given: Any, left: Any, right: Any) -> None:
    fixed = {"b": image(*right, seed=1)}
    parity([node("FusedMatMul", ["x", "b"], **given)], {"x": image(*left)}, fixed, free=False)


@pytest.mark.parametrize("op", ["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
@pytest.mark.parametrize("bias", [False, True])
def test_skip_normalizations(parity: Any, image: Any, op: str, bias: bool) -> None:
    fixed = {n: image(6, seed=k + 2) for k, n in enumerate(("g", "e", "b"))}
    fixed["s"] = image(2, 5, 6, seed=1)
    inputs = ["x", "s", "g", *(["e"] if op == "SkipLayerNormalization" else [])]
    inputs += ["b"] if bias else []
    fused = node(op, inputs, ("y", "", "", "sum"), epsilon=0.01)
    tail = helper.make_node("Tanh", ["y"], ["z"])
    used = {n: a for n, a in fixed.items() if n in inputs}
    parity([fused, tail], {"x": image(2, 5, 6)}, used, free=False)


def test_simplified_layer_normalization(parity: Any, image: Any) -> None:
    plain = helper.make_node("SimplifiedLayerNormalization", ["x", "g"], ["y"], epsilon=0.01)
    parity([plain], {"x": image(2, 5, 6)}, {"g": image(6, seed=1)}, free=False)


def test_embedding(write: Any, tap_errors: Any, image: Any, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    fixed = {
        "we": image(11, 6),
        "pe": image(9, 6, seed=1),
        "se": image(2, 6, seed=2),
        "g": image(6, seed=3),
        "b": image(6, seed=4),
    }
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], np.int32)
    feeds = {
        "ids": rng.integers(0, 11, (2, 5)).astype(np.int32),
        "seg": rng.integers(0, 2, (2, 5)).astype(np.int32),
        "mask": mask,
    }
    fused = node(
        "EmbedLayerNormalization",
        ["ids", "seg", "we", "pe", "se", "g", "b", "mask"],
        ("y", "counts", "sum"),
    )
    shapes = dict.fromkeys(feeds, (np.int32, (2, 5)))
    path = write(tmp_path / "e.onnx", [fused], shapes, fixed)
    assert max(tap_errors(path, feeds).values()) < 1e-5


def test_attention_with_a_bias(parity: Any, image: Any) -> None:
    fixed = {"w": image(6, 24, seed=1), "b": image(24, seed=2), "r": image(1, 2, 5, 5, seed=4)}
    fused = node("Attention", ["x", "w", "b", "", "", "r"], num_heads=2)
    parity([fused], {"x": image(2, 5, 6)}, fixed, free=False)


MASKS: dict[str, Any] = {
    "none": None,
    "raw": np.array([[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]], np.int32),
    "of queries": np.random.default_rng(5).integers(0, 2, (2, 5, 5)).astype(np.int32),
    "lengths": np.array([3, 5], np.int32),
    "ends and starts": np.array([4, 5, 1, 0], np.int32),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("given", [{}, {"unidirectional": 1}, {"scale": 0.2}])
def test_attention(parity: Any, image: Any, mask: str, given: Any) -> None:
    fixed = {"w": image(6, 24, seed=1), "b": image(24, seed=2)}
    inputs = ["x", "w", "b"]
    if MASKS[mask] is not None:
        fixed["m"] = MASKS[mask]
        inputs.append("m")
    fused = node("Attention", inputs, num_heads=2, **given)
    parity([fused], {"x": image(2, 5, 6)}, fixed, free=False)


@pytest.mark.parametrize("given", [{}, {"unidirectional": 1}])
def test_attention_with_a_cache(parity: Any, image: Any, given: Any) -> None:
    fixed = {
        "w": image(6, 24, seed=1),
        "b": image(24, seed=2),
        "p": image(2, 2, 2, 3, 4, seed=3),
    }
    fused = node("Attention", ["x", "w", "b", "", "p"], ("y", "n"), num_heads=2, **given)
    tail = helper.make_node("Tanh", ["y"], ["z"])
    parity([fused, tail], {"x": image(2, 5, 6)}, fixed, free=False)


@pytest.mark.parametrize("given", [{}, {"unidirectional": 1}, {"scale": 0.2}])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention(parity: Any, image: Any, given: Any, masked: bool) -> None:
    fixed = {
        "k": image(2, 5, 8, seed=1),
        "v": image(2, 5, 6, seed=2),
        "b": image(22, seed=3),
        "r": image(1, 2, 5, 5, seed=4),
    }
    inputs = ["x", "k", "v", "b"]
    if masked:
        fixed["m"] = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 1, 1]], np.int32)
        inputs += ["m", "r"]
    used = {n: a for n, a in fixed.items() if n in inputs}
    fused = node("MultiHeadAttention", inputs, num_heads=2, **given)
    parity([fused], {"x": image(2, 5, 8)}, used, free=False)


def test_multi_head_attention_with_a_cache(parity: Any, image: Any) -> None:
    fixed = {
        "k": image(2, 4, 8, seed=1),
        "v": image(2, 4, 8, seed=2),
        "pk": image(2, 2, 3, 4, seed=3),
        "pv": image(2, 2, 3, 4, seed=4),
    }
    inputs = ["x", "k", "v", "", "", "", "pk", "pv"]
    fused = node("MultiHeadAttention", inputs, ("y", "nk", "nv"), num_heads=2)
    tail = helper.make_node("Tanh", ["y"], ["z"])
    parity([fused, tail], {"x": image(2, 4, 8)}, fixed, free=False)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("places", [[3], None])
def test_rotary_embedding(parity: Any, image: Any, interleaved: int, places: Any) -> None:
    angles = image(12, 3, seed=1)
    at = np.random.default_rng(0).integers(0, 12, (2, 5)) if places is None else np.array(places)
    fixed = {"at": at, "cos": np.cos(angles), "sin": np.sin(angles)}
    fused = node("RotaryEmbedding", ["x", "at", "cos", "sin"], interleaved=interleaved)
    parity([fused], {"x": image(2, 5, 12)}, fixed, free=False)


def test_inverse(parity: Any, image: Any) -> None:
    parity([node("Inverse", ["x"])], {"x": image(2, 3, 4, 4) + 3 * np.eye(4, dtype=np.float32)})


@pytest.mark.parametrize("upper", [0, 1])
def test_triangles(parity: Any, image: Any, upper: int) -> None:
    fused = node("Trilu", ["c", "k"], upper=upper)
    kernel = {"w": image(6, 3, 3, 3, seed=1), "k": np.array(1)}
    parity(after_conv(fused), {"x": image(2, 3, 5, 7)}, kernel)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_crops(parity: Any, image: Any, kernel: Any, mode: str) -> None:
    boxes = [[0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], [0.9, 0.1, 0.2, 0.6], [-0.3, 0.1, 1.4, 0.8]]
    fixed = {
        "w": kernel["w"],
        "boxes": np.array(boxes, np.float32),
        "at": np.array([0, 1, 1, 0], np.int32),
        "size": np.array([4, 3], np.int32),
    }
    fused = node("CropAndResize", ["c", "boxes", "at", "size"], mode=mode, extrapolation_value=0.5)
    program = parity(after_conv(fused), {"x": image(2, 3, 5, 7)}, fixed)
    assert program.values["y"].shape[1:] == (4, 3, 6)


def numpy_group_norm(x: Any, groups: int, scale: Any, bias: Any) -> Any:
    parts = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    parts = parts - parts.mean((1, 3), keepdims=True)
    parts = parts / np.sqrt((parts**2).mean((1, 3), keepdims=True) + 1e-5)
    return parts.reshape(x.shape) * scale + bias


@pytest.mark.parametrize("last", [0, 1])
def test_group_norm_of_both_layouts(write: Any, image: Any, tmp_path: Any, last: int) -> None:
    x, scale, bias = image(2, 5, 7, 6), image(6, seed=1), image(6, seed=2)
    fused = node("GroupNorm", ["x", "s", "b"], groups=3, activation=1, channels_last=last)
    given = x if last else x.transpose(0, 3, 1, 2)
    shapes = {"x": (np.float32, given.shape)}
    path = write(tmp_path / "g.onnx", [fused], shapes, {"s": scale, "b": bias})
    y = read_onnx(path).program.compute({"x": given}, ["y"], channels_last=False)["y"].numpy()
    expected = numpy_group_norm(x, 3, scale, bias)
    expected = expected / (1 + np.exp(-expected))
    np.testing.assert_allclose(
        y if last else y.transpose(0, 2, 3, 1), expected, rtol=1e-4, atol=1e-5
    )


def test_convolution_of_a_model_with_the_channels_last(
    write: Any, image: Any, tmp_path: Any
) -> None:
    x, weight = image(2, 5, 7, 3), image(4, 3, 3, 3, seed=1)
    nhwc = node("NhwcConv", ["x", "w"], pads=[1, 1, 1, 1])
    plain = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    shapes = {"x": (np.float32, x.shape)}
    path = write(tmp_path / "n.onnx", [nhwc], shapes, {"w": weight})
    ours = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    first = x.transpose(0, 3, 1, 2)
    path = write(tmp_path / "p.onnx", [plain], {"x": (np.float32, first.shape)}, {"w": weight})
    theirs = read_onnx(path).program.compute({"x": first}, ["y"], channels_last=False)["y"].numpy()
    np.testing.assert_allclose(ours, theirs.transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-5)


def test_sums_with_biases(write: Any, image: Any, tmp_path: Any) -> None:
    x, bias, skip = image(2, 5, 8), image(8, seed=1), image(2, 5, 8, seed=2)
    nodes = [
        node("BiasAdd", ["x", "b", "s"], ["sum"]),
        node("BiasSplitGelu", ["x", "b"], ["split"]),
        node("BiasSoftmax", ["x", "b"], ["soft"], axis=2),
        node("GemmFastGelu", ["x", "m"], ["fast"]),
    ]
    fixed = {"b": bias, "s": skip, "m": image(8, 3, seed=3)}
    path = write(tmp_path / "b.onnx", nodes, {"x": (np.float32, x.shape)}, fixed)
    names = ["sum", "split", "soft", "fast"]
    made = read_onnx(path).program.compute({"x": x}, names, channels_last=False)
    np.testing.assert_allclose(made["sum"].numpy(), x + bias + skip, rtol=1e-5, atol=1e-6)
    powers = np.exp(x + bias)
    np.testing.assert_allclose(
        made["soft"].numpy(), powers / powers.sum(-1, keepdims=True), rtol=1e-4
    )
    a, b = np.split((x + bias).astype(np.float64), 2, -1)
    # The two forms of the Gelu differ by less than 1e-3.
    almost = a * b / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (b + 0.044715 * b**3)))
    np.testing.assert_allclose(made["split"].numpy(), almost, atol=5e-3)
    z = x @ fixed["m"]
    tanh = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    np.testing.assert_allclose(made["fast"].numpy(), z / 2 * (1 + tanh), rtol=1e-3, atol=1e-4)


def test_an_unknown_activation_is_named(write: Any, image: Any, tmp_path: Any) -> None:
    fused = node("FusedConv", ["x", "w"], activation="Swirl")
    shapes = {"x": (np.float32, (1, 3, 5, 5))}
    path = write(tmp_path / "f.onnx", [fused], shapes, {"w": image(2, 3, 3, 3)})
    with pytest.raises(ModelError, match="activation 'Swirl'"):
        read_onnx(path)
