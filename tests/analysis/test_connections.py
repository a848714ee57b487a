"""Expanded weights: against kernels, composed convolutions and finite differences."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from support.analysed import DENSE, FIRST, RANDOM, SECOND, of_keras, of_onnx

import kerasviz
from kerasviz.analysis.connections import connections, connections_onward, cropped
from kerasviz.analysis.offsets import Offsets
from kerasviz.errors import UsageError

MIX = RANDOM.normal(0, 0.4, (6, 5)).astype(np.float32)
PHOTO = np.random.default_rng(1).uniform(size=(9, 9, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def nets():
    return {"keras": of_keras(), "onnx": of_onnx()}


@pytest.mark.parametrize("kind", ["keras", "onnx"])
def test_between_neighbours_they_are_the_kernel(nets, kind):
    found = connections(nets[kind], "first", "second", [0, 4, 2], size=(13, 12))
    np.testing.assert_allclose(found.weights, SECOND.transpose(3, 0, 1, 2)[[0, 4, 2]], rtol=1e-5)
    assert found.corner == (4, 4)  # of 9 x 8 positions the middle is (4, 4), and so is its corner
    assert (found.held, found.curved) == ((), ())
    norms = np.sqrt((SECOND**2).sum((0, 1)))
    np.testing.assert_allclose(found.strengths, norms.T[[0, 4, 2]], rtol=1e-5)
    np.testing.assert_allclose(found.sums, SECOND.sum((0, 1)).T[[0, 4, 2]], rtol=1e-4)
    assert found.partners(4, 2) == list(np.argsort(-norms[:, 4])[:2])


@pytest.mark.parametrize("kind", ["keras", "onnx"])
def test_through_two_convolutions_they_are_their_product(nets, kind):
    """The ReLU between is left out."""
    whole = connections(nets[kind], "first", "logits", [3], size=(9, 9))
    positions = 5 * 5  # the dense layer sees the mean of 5 x 5 positions of the second layer
    middle = whole.weights[0, 3, 3]  # all nine places of the kernel reach it
    expected = np.einsum("yxio,o->i", SECOND, DENSE[:, 3]) / positions
    np.testing.assert_allclose(middle, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["keras", "onnx"])
def test_onward_they_are_the_same_weights_seen_from_the_other_side(nets, kind):
    """A kernel reads to the left what its input feeds to the right: it is turned round."""
    onward = connections_onward(nets[kind], "first", 3, "second", size=(13, 12))
    assert onward.units == (0, 1, 2, 3, 4)
    turned = SECOND[::-1, ::-1, 3].transpose(2, 0, 1)[..., None]
    np.testing.assert_allclose(onward.weights, turned, rtol=1e-5)


def test_a_maximum_of_windows_counts_as_their_mean():
    found = connections(of_keras(pool=True), "first", "second", [0], size=(20, 20))
    expected = np.repeat(np.repeat(SECOND[..., 0], 2, 0), 2, 1)[None] / 4
    np.testing.assert_allclose(found.weights, expected, rtol=1e-5)


@pytest.mark.parametrize("activation", ["gelu", "silu", "tanh", "elu", "relu6"])
def test_activation_functions_are_left_out(activation):
    found = connections(of_keras(activation), "first", "second", [2], size=(9, 9))
    np.testing.assert_allclose(found.weights, SECOND.transpose(3, 0, 1, 2)[[2]], rtol=1e-5)


def test_a_gate_is_held_at_the_image():
    """y = first * sigmoid(mean of first): the gate is a number for each channel."""
    image = keras.Input((9, 9, 3))
    first = keras.layers.Conv2D(4, 3, use_bias=False, name="first")(image)
    squeezed = keras.layers.GlobalAveragePooling2D(keepdims=True)(first)
    gate = keras.layers.Conv2D(4, 1, activation="sigmoid", use_bias=False, name="gate")(squeezed)
    gated = keras.layers.Multiply()([first, gate])
    last = keras.layers.Conv2D(5, 3, use_bias=False, name="second")(gated)
    model = keras.Model(image, last)
    model.get_layer("first").set_weights([FIRST])
    model.get_layer("second").set_weights([SECOND])
    net = kerasviz.load(model, preprocess="unit")
    found = connections(net, "first", "second", [1], image=PHOTO)
    opened = net.activations(PHOTO[None], ["gate"])["gate"].numpy()[0, 0, 0]
    expected = SECOND.transpose(3, 0, 1, 2)[[1]] * opened
    np.testing.assert_allclose(found.weights, expected, rtol=1e-5)
    assert found.held == ("gate",)


def normalized_rows() -> onnx.ModelProto:
    """Rows of four patches, (row - mean) / sqrt(variance + e), and a product with weights."""
    nodes = [
        helper.make_node("Conv", ["image", "patch"], ["map"], strides=[4, 4]),
        helper.make_node("Reshape", ["map", "flat"], ["flattened"]),
        helper.make_node("Transpose", ["flattened"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[-1], keepdims=1),
        helper.make_node("Sub", ["rows", "mean"], ["centred"]),
        helper.make_node("Pow", ["centred", "two"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["variance"], axes=[-1], keepdims=1),
        helper.make_node("Add", ["variance", "e"], ["more"]),
        helper.make_node("Sqrt", ["more"], ["deviation"]),
        helper.make_node("Div", ["centred", "deviation"], ["normed"]),
        helper.make_node("MatMul", ["normed", "mix"], ["mixed"]),
    ]
    weights = {
        "patch": RANDOM.normal(0, 0.3, (6, 3, 4, 4)).astype(np.float32),
        "flat": np.array([0, 6, -1]),
        "two": np.array(2, np.float32),
        "e": np.array(1e-3, np.float32),
        "mix": MIX,
    }
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("mixed", TensorProto.FLOAT, ["n", 4, 5])],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_statistics_of_rows_are_held():
    """The derivative of weight . (t - mean) / sd is weight / sd, at that token only."""
    net = kerasviz.load(normalized_rows(), preprocess="unit")
    found = connections(net, "rows", "mixed", [2], position=(1,), image=PHOTO[:8, :8])
    rows = net.activations(PHOTO[None, :8, :8], ["rows"])["rows"].numpy()[0]
    deviation = np.sqrt(rows[1].var() + 1e-3)
    assert (found.corner, set(found.held)) == ((1,), {"mean", "variance", "deviation"})
    np.testing.assert_allclose(found.weights, MIX[None, None, :, 2] / deviation, rtol=1e-4)


def test_a_normalization_in_one_piece_is_named_as_curved():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 4, strides=4, name="patches")(image)
    x = keras.layers.Reshape((4, 6), name="rows")(x)
    x = keras.layers.LayerNormalization(name="norm")(x)
    model = keras.Model(image, keras.layers.Dense(5, name="mixed")(x))
    net = kerasviz.load(model, preprocess="unit")
    found = connections(net, "rows", "mixed", [2], position=(1,), image=PHOTO[:8, :8])
    assert found.curved == ("norm",)
    assert found.corner == (1,)
    assert found.weights.shape == (1, 1, 6)


def test_errors_name_what_is_wrong(nets):
    with pytest.raises(UsageError, match="nothing of second reaches first"):
        connections(nets["keras"], "second", "first", [0], size=(9, 9))
    with pytest.raises(UsageError, match="units 0 to 4, given 7"):
        connections(nets["keras"], "first", "second", [7], size=(9, 9))
    with pytest.raises(UsageError, match="position"):
        connections(nets["keras"], "first", "second", [0], position=(40, 2), size=(9, 9))


def test_the_box_of_weights_that_are_not_zero():
    weights = np.zeros((2, 5, 6, 3))
    weights[0, 1, 2, 0] = weights[1, 3, 4, 2] = 1
    box, corner = cropped(weights)
    assert (box.shape, corner) == ((2, 3, 3, 3), (1, 2))
    np.testing.assert_array_equal(box, weights[:, 1:4, 2:5])


def test_without_negative_numbers_they_are_the_true_gradient():
    """Three layers whose weights and inputs are all above 0: no ReLU changes anything."""
    image = keras.Input((9, 8, 3))
    x = image
    for k, channels in enumerate((4, 5, 2)):
        x = keras.layers.Conv2D(channels, 3, activation="relu", name=f"layer{k}")(x)
    model = keras.Model(image, x)
    draw = np.random.default_rng(5)
    model.set_weights([draw.uniform(0.01, 1, w.shape) for w in model.get_weights()])
    net = kerasviz.load(model, preprocess="unit")
    found = connections(net, "layer0", "layer2", [1], image=PHOTO[:, :8])
    images = tf.constant(PHOTO[None, :, :8])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        offsets = Offsets(net, ["layer0"], tape)
        kernels = offsets.kernels
        values = net.activations(images, ["layer0", "layer2"], kernels=kernels)["layer2"]
        unit = values[0, values.shape[1] // 2, values.shape[2] // 2, 1]
    gradient = offsets.derivatives(unit)["layer0"].numpy()
    np.testing.assert_allclose(found.weights, cropped(gradient)[0], rtol=1e-4)
