"""Narrow types: what is computed in them and what is not, in both kinds of programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import parser

from kerasviz.importers.keras.file import program_of
from kerasviz.importers.mixed_precision import narrowed
from kerasviz.importers.onnx import read_onnx
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN
from kerasviz.optvis.optimization.kernels import fast_kernels
from kerasviz.optvis.recipe import PRECISIONS
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.render import render

layers = keras.layers

ONNX = """
<ir_version: 8, opset_import: ["": 17]>
small (float[N, 3, H, W] image) => (float[N, 5] probabilities)
{
    a = Conv<strides=[2, 2], pads=[2, 2, 2, 2]>(image, w1, b1)
    n = BatchNormalization(a, scale, bias, mean, variance)
    r = Relu(n)
    l = LRN<size=3, alpha=0.2>(r)
    p = MaxPool<kernel_shape=[3, 3], strides=[2, 2]>(l)
    x = Conv<pads=[1, 1, 1, 1]>(p, w2)
    y = Conv<group=8, pads=[1, 1, 1, 1]>(p, w3)
    s = Add(x, y)
    c = Concat<axis=1>(s, p)
    m = Mul(c, half)
    t = Identity(m)
    g = GlobalAveragePool(t)
    f = Flatten(g)
    d = Gemm<transB=1>(f, w4)
    probabilities = Softmax(d)
}
"""


def onnx_file(folder: Path) -> Path:
    """Every sort of operator that matters; ``t`` is a loop whose values go round."""
    body = parser.parse_graph(
        "body (int64 i, bool go, float[N, C, H, W] v) => (bool again, float[N, C, H, W] w)"
        "{ again = Identity(go)  w = Mul(v, most) }"
    )
    model = parser.parse_model(ONNX)
    node = next(n for n in model.graph.node if n.output[0] == "t")
    node.op_type = "Loop"
    node.input[:] = ["twice", "", "m"]
    node.attribute.append(onnx.helper.make_attribute("body", body))
    random = np.random.default_rng(0)
    weights = {
        "w1": random.normal(size=(8, 3, 5, 5)) * 0.2,
        "b1": random.normal(size=8),
        "scale": random.uniform(0.5, 1, 8),
        "bias": random.normal(size=8) * 0.1,
        "mean": random.normal(size=8) * 0.1,
        "variance": random.uniform(0.5, 1, 8),
        "w2": random.normal(size=(8, 8, 3, 3)) * 0.1,
        "w3": random.normal(size=(8, 1, 3, 3)) * 0.3,
        "w4": random.normal(size=(5, 16)),
        "half": np.array([0.5]),
        "most": np.array([0.9]),
    }
    for name, array in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(2, np.int64), "twice"))
    path = folder / "small.onnx"
    onnx.save(model, path)
    return path


def keras_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = layers.Input((None, None, 3), name="image")
    a = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="a")(image)
    a = layers.BatchNormalization(name="n")(a)
    a = layers.ReLU(6.0, name="r")(a)
    x = layers.DepthwiseConv2D(3, padding="same", name="x")(a)
    y = layers.Conv2D(8, 1, activation="relu", name="y")(a)
    s = layers.Add(name="s")([x, y])
    c = layers.Concatenate(name="c")([s, layers.AveragePooling2D(3, 1, "same")(a)])
    g = layers.GlobalAveragePooling2D(name="g")(c)
    return keras.Model(image, layers.Dense(5, activation="softmax", name="d")(g))


@pytest.fixture(scope="module", params=["keras", "onnx"])
def net(request: Any, tmp_path_factory: Any) -> Network:
    if request.param == "keras":
        program = program_of(keras_model())
    else:
        program = read_onnx(onnx_file(tmp_path_factory.mktemp("onnx"))).program
    identity = Identity("small", "small", request.param, "0" * 64)
    return Network(program, identity, input_spec=preset("inception"))


def activations(net: Network, kernels: Any) -> dict[str, Any]:
    images = tf.constant(np.random.default_rng(3).uniform(size=(2, 33, 40, 3)), tf.float32)
    names = [name for name in net.taps if len(net.taps[name].shape or ()) in (2, 4)]

    @tf.function(autograph=False)
    def run(images: Any) -> Any:
        return net.activations(images, names, kernels=kernels)

    return {name: np.asarray(tensor) for name, tensor in run(images).items()}


@pytest.mark.parametrize("precision", PRECISIONS[1:])
def test_every_tap_is_near_that_of_float32(net: Network, precision: str) -> None:
    """Within the rounding of the narrow type; and comes in float32."""
    wide = activations(net, fast_kernels("float32"))
    narrow = activations(net, fast_kernels(precision))
    digits = 2.0**-8 if precision == "bfloat16" else 2.0**-11
    assert len(wide) > 8
    for name, want in wide.items():
        assert narrow[name].dtype == np.float32
        assert np.abs(narrow[name] - want).max() <= 8 * digits * np.abs(want).max(), name


def test_the_kernels_of_float32_change_the_last_bits_only(net: Network) -> None:
    plain, fast = activations(net, PLAIN), activations(net, fast_kernels("float32"))
    for name, want in plain.items():
        np.testing.assert_allclose(fast[name], want, atol=1e-5 * np.abs(want).max())


def traced(net: Network, precision: str) -> Any:
    kernels = fast_kernels(precision)
    last = list(net.taps)[-1]

    @tf.function(autograph=False)
    def run(images: Any) -> Any:
        return net.activations(images, [last], kernels=kernels)[last]

    return run.get_concrete_function(tf.TensorSpec([2, 33, 40, 3])).graph.get_operations()


def test_convolutions_and_products_are_narrow_and_sums_are_not(net: Network) -> None:
    operations = traced(net, "bfloat16")
    types: dict[str, set[Any]] = {}
    for op in operations:
        if op.outputs and op.outputs[0].dtype.is_floating:
            types.setdefault(op.type, set()).add(op.outputs[0].dtype)
    for kind in ("Conv2D", "DepthwiseConv2dNative", "MatMul", "ConcatV2", "Relu", "Relu6"):
        assert types.get(kind, {tf.bfloat16}) == {tf.bfloat16}, kind
    for kind in ("Softmax", "Mean"):
        assert types.get(kind, {tf.float32}) == {tf.float32}, kind
    assert {"Conv2D", "Softmax", "Mean"} <= set(types)
    assert not any(
        op.outputs[0].dtype == tf.bfloat16 for op in traced(net, "float32") if op.outputs
    )


@pytest.mark.parametrize("precision", PRECISIONS[1:])
def test_a_picture_is_nearly_that_of_float32(net: Network, precision: str) -> None:
    """And not that of float32 itself, which would mean that nothing was narrow."""
    tap = "s"
    chosen = recipe("fast").replace(steps=24, size=(33, 40))
    wide = render(net, f"{tap}:2", recipe=chosen)
    narrow = render(net, f"{tap}:2", recipe=chosen, precision=precision)
    again = render(net, f"{tap}:2", recipe=chosen, precision=precision)
    assert narrow.images.dtype == np.float32
    assert not np.array_equal(narrow.images, wide.images)
    assert np.array_equal(narrow.images, again.images)
    assert narrow.scores[0] == pytest.approx(wide.scores[0], rel=0.03)
    assert np.corrcoef(narrow.images.ravel(), wide.images.ravel())[0, 1] > 0.5


NARROW, WIDE, WHOLE = tf.bfloat16, tf.float32, tf.int32


@pytest.mark.parametrize(
    ("op", "given", "want"),
    [
        ("Conv", [WIDE, WIDE], [NARROW, NARROW]),
        ("Conv", [NARROW, WIDE], [NARROW, NARROW]),
        ("Add", [NARROW, WIDE], [NARROW, NARROW]),
        ("Add", [WIDE, WIDE], [WIDE, WIDE]),
        ("BatchNormalization", [NARROW, WIDE, WIDE], [NARROW, WIDE, WIDE]),
        ("BatchNormalization", [WIDE, WIDE, WIDE], [WIDE, WIDE, WIDE]),
        ("Reshape", [NARROW, WHOLE], [NARROW, WHOLE]),
        ("Softmax", [NARROW], [WIDE]),
        ("Conv", [tf.float64, tf.float64], [tf.float64, tf.float64]),
    ],
)
def test_the_types_of_inputs(op: str, given: list[Any], want: list[Any]) -> None:
    assert narrowed(op, given, NARROW, lambda dtype: dtype, lambda _, dtype: dtype) == want
