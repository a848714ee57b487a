"""Normalizations against onnxruntime, numpy and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx

#: Sizes of an image behind the convolution; the second has N = C = H = W.
SIZES = [(2, 3, 5, 7, 6), (4, 3, 4, 4, 4)]


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output ``c`` is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


def setting(image: Any, sizes: Any) -> tuple[Any, dict[str, Any]]:
    count, few, height, width, channels = sizes
    return image(count, few, height, width), {"w": image(channels, few, 3, 3, seed=1)}


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("axis", [-1, 1, 2, -2])
def test_layer_normalization_keeps_the_layout(
    parity: Any, image: Any, sizes: Any, axis: int
) -> None:
    x, fixed = setting(image, sizes)
    shape = (sizes[4], *sizes[2:4])[axis if axis < 0 else axis - 1 :]
    fixed |= {"s": image(*shape, seed=2), "b": image(*shape, seed=3)}
    node = helper.make_node("LayerNormalization", ["c", "s", "b"], ["y"], axis=axis, epsilon=0.1)
    program = parity(after_conv(node), {"x": x}, fixed, opset=17)
    assert program.values["y"].shape[-1] == sizes[4]


def test_layer_normalization_has_statistics_as_outputs(parity: Any, image: Any) -> None:
    x, fixed = setting(image, SIZES[0])
    node = helper.make_node("LayerNormalization", ["c", "s"], ["y", "m", "i"], axis=1)
    tail = helper.make_node("Mul", ["y", "i"], ["z"])
    fixed["s"] = image(6, 5, 7, seed=2)
    parity(after_conv(node, tail), {"x": x}, fixed, opset=17, gradient=False)


@pytest.mark.parametrize("axis", [-1, 1])
def test_rms_normalization(parity: Any, image: Any, axis: int) -> None:
    x, fixed = setting(image, SIZES[0])
    fixed["s"] = image(*((7,) if axis == -1 else (6, 5, 7)), seed=2)
    node = helper.make_node("RMSNormalization", ["c", "s"], ["y"], axis=axis, epsilon=0.01)
    parity(after_conv(node), {"x": x}, fixed, opset=23)


@pytest.mark.parametrize("sizes", SIZES)
def test_instance_normalization(parity: Any, image: Any, sizes: Any) -> None:
    x, fixed = setting(image, sizes)
    fixed |= {"s": image(sizes[4], seed=2), "b": image(sizes[4], seed=3)}
    node = helper.make_node("InstanceNormalization", ["c", "s", "b"], ["y"], epsilon=1e-2)
    program = parity(after_conv(node), {"x": x}, fixed)
    assert program.values["y"].shape[-1] == sizes[4]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("groups", [1, 2])
def test_group_normalization(parity: Any, image: Any, sizes: Any, groups: int) -> None:
    x, fixed = setting(image, sizes)
    fixed |= {"s": image(sizes[4], seed=2), "b": image(sizes[4], seed=3)}
    node = helper.make_node(
        "GroupNormalization", ["c", "s", "b"], ["y"], num_groups=groups, epsilon=1e-2
    )
    program = parity(after_conv(node), {"x": x}, fixed, opset=21)
    assert program.values["y"].shape[-1] == sizes[4]


def test_group_normalization_18_has_one_scale_for_each_group(
    write: Any, image: Any, tmp_path: Any
) -> None:
    node = helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=3)
    scale, bias, x = image(3, seed=2), image(3, seed=3), image(2, 6, 5, 7)
    shapes = {"x": (np.float32, x.shape)}
    path = write(tmp_path / "g.onnx", [node], shapes, {"s": scale, "b": bias}, opset=18)
    program = read_onnx(path).program
    ours = program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    parts = x.reshape(2, 3, -1)
    normal = parts - parts.mean(-1, keepdims=True)
    normal /= np.sqrt((normal**2).mean(-1, keepdims=True) + 1e-5)
    expected = (normal * scale[:, None] + bias[:, None]).reshape(x.shape)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_groups_must_divide_the_channels(write: Any, image: Any, tmp_path: Any) -> None:
    node = helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=4)
    fixed = {"s": image(6), "b": image(6)}
    shapes = {"x": (np.float32, (2, 6, 5, 7))}
    path = write(tmp_path / "g.onnx", [node], shapes, fixed, opset=21)
    with pytest.raises(ModelError, match="6 channels in 4 groups"):
        read_onnx(path)


@pytest.mark.parametrize(("p", "axis"), [(1, 1), (2, 1), (2, -1), (1, 0)])
def test_lp_normalization(parity: Any, image: Any, p: int, axis: int) -> None:
    x, fixed = setting(image, SIZES[0])
    node = helper.make_node("LpNormalization", ["c"], ["y"], p=p, axis=axis)
    parity(after_conv(node), {"x": x}, fixed)


def test_lp_normalization_of_nothing_is_zero_with_a_gradient(
    write: Any, image: Any, tmp_path: Any
) -> None:
    import tensorflow as tf

    node = helper.make_node("LpNormalization", ["x"], ["y"], axis=1)
    path = write(tmp_path / "l.onnx", [node], {"x": (np.float32, (2, 3))}, opset=22)
    program = read_onnx(path).program
    x = tf.constant([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = program.compute({"x": x}, ["y"])["y"]
    np.testing.assert_allclose(y.numpy(), [[0, 0, 0], [0.6, 0, 0.8]], rtol=1e-6)
    assert np.isfinite(tape.gradient(y, x).numpy()).all()


@pytest.mark.parametrize("axes", [None, [1], [0, 2, 3], [0, 1, 2, 3]])
def test_mean_variance_normalization(parity: Any, image: Any, axes: Any) -> None:
    x, fixed = setting(image, SIZES[0])
    given = {} if axes is None else {"axes": axes}
    node = helper.make_node("MeanVarianceNormalization", ["c"], ["y"], **given)
    parity(after_conv(node), {"x": x}, fixed)


@pytest.mark.parametrize("sizes", SIZES)
def test_batch_normalization_of_the_batch(parity: Any, image: Any, sizes: Any) -> None:
    x, fixed = setting(image, sizes)
    names = [f"p{k}" for k in range(4)]
    fixed |= {n: np.abs(image(sizes[4], seed=k)) + 0.1 for k, n in enumerate(names)}
    node = helper.make_node(
        "BatchNormalization",
        ["c", *names],
        ["y", "mean", "variance"],
        training_mode=1,
        momentum=0.7,
    )
    tail = helper.make_node("Tanh", ["y"], ["z"])
    parity(after_conv(node, tail), {"x": x}, fixed, opset=15)


def test_batch_normalization_of_every_position(write: Any, image: Any, tmp_path: Any) -> None:
    """Opset 7 with ``spatial=0``, in which onnxruntime has no kernel for images."""
    x = image(2, 3, 4, 5)
    fixed = {f"p{k}": np.abs(image(3, 4, 5, seed=k + 1)) + 0.1 for k in range(4)}
    node = helper.make_node("BatchNormalization", ["x", *fixed], ["y"], spatial=0)
    path = write(tmp_path / "b.onnx", [node], {"x": (np.float32, x.shape)}, fixed, opset=7)
    y = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    scale, bias, mean, variance = fixed.values()
    expected = scale * (x - mean) / np.sqrt(variance + 1e-5) + bias
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("opset", "given", "trains"), [(9, {}, True), (6, {"is_test": 1}, False)])
def test_old_batch_normalization_trains_if_its_statistics_are_taken(
    write: Any, image: Any, tmp_path: Any, opset: int, given: Any, trains: bool
) -> None:
    x = image(2, 3, 4, 5)
    fixed = {f"p{k}": np.abs(image(3, seed=k + 1)) + 0.1 for k in range(4)}
    outputs = ["y", "m", "v"] if trains else ["y"]
    node = helper.make_node("BatchNormalization", ["x", *fixed], outputs, momentum=0.6, **given)
    path = write(tmp_path / "b.onnx", [node], {"x": (np.float32, x.shape)}, fixed, opset=opset)
    made = read_onnx(path).program.compute({"x": x}, outputs, channels_last=False)
    scale, bias, mean, variance = (p.reshape(-1, 1, 1) for p in fixed.values())
    if trains:
        now = x.mean((0, 2, 3)), x.var((0, 2, 3))
        for name, old, new in (("m", mean, now[0]), ("v", variance, now[1])):
            running = 0.6 * old.reshape(-1) + 0.4 * new
            np.testing.assert_allclose(made[name].numpy(), running, rtol=1e-4)
        mean, variance = (part.reshape(-1, 1, 1) for part in now)
    expected = scale * (x - mean) / np.sqrt(variance + 1e-5) + bias
    np.testing.assert_allclose(made["y"].numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", ["LayerNormalization", "InstanceNormalization"])
def test_half_precision_keeps_its_type(write: Any, image: Any, tmp_path: Any, op: str) -> None:
    x = (image(2, 3, 5, 7) * 50 + 200).astype(np.float16)
    count = 7 if op == "LayerNormalization" else 3
    fixed = {"s": np.ones(count, np.float16), "b": np.zeros(count, np.float16)}
    node = helper.make_node(op, ["x", "s", "b"], ["y"])
    path = write(tmp_path / "h.onnx", [node], {"x": (np.float16, x.shape)}, fixed, opset=17)
    y = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    axes = (3,) if op == "LayerNormalization" else (2, 3)
    wide = x.astype(np.float64)
    apart = wide - wide.mean(axes, keepdims=True)
    expected = apart / np.sqrt((apart**2).mean(axes, keepdims=True) + 1e-5)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, expected, rtol=2e-3, atol=2e-3)
