"""Circuits, contributions and edits on networks of tokens, from Keras and from ONNX."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.analysis.circuit import find_circuit
from kerasviz.analysis.connections import connections, connections_onward
from kerasviz.analysis.edits import unit_edits, without_weights
from kerasviz.analysis.unit_contributions import unit_contributions
from kerasviz.network.program import Kernels

DRAW = np.random.default_rng(8)
PATCH = DRAW.normal(0, 0.3, (4, 4, 3, 6)).astype(np.float32)
UP = DRAW.normal(0, 0.5, (6, 8)).astype(np.float32)
DOWN = DRAW.normal(0, 0.5, (8, 6)).astype(np.float32)
HEAD = DRAW.normal(0, 0.5, (6, 5)).astype(np.float32)
PHOTO = DRAW.uniform(size=(8, 12, 3)).astype(np.float32)


def of_keras():
    """Patches as tokens, a block of two layers with a skip connection, classes of the mean."""
    image = keras.Input((8, 12, 3))
    x = keras.layers.Conv2D(6, 4, strides=4, use_bias=False, name="patches")(image)
    x = keras.layers.Reshape((6, 6), name="tokens")(x)
    up = keras.layers.Dense(8, activation="relu", use_bias=False, name="hidden")(x)
    down = keras.layers.Dense(6, use_bias=False, name="down")(up)
    x = keras.layers.Add(name="block")([x, down])
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    model = keras.Model(image, keras.layers.Dense(5, use_bias=False, name="logits")(x))
    for name, kernel in (("patches", PATCH), ("hidden", UP), ("down", DOWN), ("logits", HEAD)):
        model.get_layer(name).set_weights([kernel])
    return kerasviz.load(model, preprocess="unit")


def of_onnx():
    nodes = [
        helper.make_node("Conv", ["image", "patch"], ["patches"], strides=[4, 4]),
        helper.make_node("Reshape", ["patches", "flat"], ["flattened"]),
        helper.make_node("Transpose", ["flattened"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "up"], ["raised"]),
        helper.make_node("Relu", ["raised"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "down_weights"], ["down"]),
        helper.make_node("Add", ["tokens", "down"], ["block"]),
        helper.make_node("ReduceMean", ["block"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
    ]
    weights = {
        "patch": np.ascontiguousarray(PATCH.transpose(3, 2, 0, 1)),
        "flat": np.array([0, 6, -1]),
        "up": UP,
        "down_weights": DOWN,
        "head": HEAD,
    }
    graph = helper.make_graph(
        nodes,
        "tokens",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return kerasviz.load(model, preprocess="unit")


@pytest.fixture(scope="module", params=[of_keras, of_onnx])
def net(request):
    return request.param()


def run(net, edits, name):
    return net.activations(PHOTO[None], [name], kernels=Kernels(edits=edits))[name].numpy()


def test_a_skip_connection_adds_both_paths(net):
    found = connections(net, "tokens", "block", [3], position=(2,), image=PHOTO)
    assert (found.corner, found.weights.shape) == ((2,), (1, 1, 6))
    expected = np.eye(6)[:, 3] + UP @ DOWN[:, 3]
    np.testing.assert_allclose(found.weights[0, 0], expected, rtol=1e-4, atol=1e-6)
    onward = connections_onward(net, "hidden", 2, "block", image=PHOTO)
    np.testing.assert_allclose(onward.weights[:, 0, 0], DOWN[2], rtol=1e-5)


def test_contributions_of_tokens_sum_to_the_unit(net):
    found = unit_contributions(net, "tokens", "hidden", 4, PHOTO)
    tokens = run(net, {}, "tokens")[0]
    assert found.exact and found.values.sum() == pytest.approx(found.score, abs=1e-4)
    (token,) = found.position
    assert token == (tokens @ UP[:, 4]).argmax()
    np.testing.assert_allclose(found.values[0], tokens[token] * UP[:, 4], rtol=1e-4, atol=1e-5)


def test_edits_of_tokens_against_a_twin(net):
    tokens = run(net, {}, "tokens")
    hidden = np.maximum(tokens @ UP, 0)
    hidden[..., 5] = 0
    silent = run(net, unit_edits(net, {"hidden": {5: 0.0}}), "block")
    np.testing.assert_allclose(silent, tokens + hidden @ DOWN, atol=1e-4)
    cut = run(net, without_weights(net, "tokens", "hidden", "negative"), "hidden")
    np.testing.assert_allclose(cut, np.maximum(tokens @ np.maximum(UP, 0), 0), atol=1e-4)
    cut = run(net, without_weights(net, "mean", "logits", "positive"), "logits")
    expected = run(net, {}, "mean") @ np.minimum(HEAD, 0)
    np.testing.assert_allclose(cut, expected, atol=1e-4)


def test_weights_of_tokens_are_drawn_on_their_map(net):
    circuit = find_circuit(net, "block", 3, earlier=["tokens"], partners=2)
    assert circuit.earlier[0].partners[0].weights.shape == (2, 3)


@pytest.fixture(scope="module")
def transformer():
    """The ViT of the shared structures, with random weights."""
    models = os.environ.get("KERASVIZ_TEST_MODELS")
    path = Path(models or "").parent / "maps" / "vit.legacy.onnx"
    if not models or not path.is_file():
        pytest.skip("no shared structures: set KERASVIZ_TEST_MODELS")
    return kerasviz.load(path, preprocess="unit")


def test_the_strongest_input_of_a_transformer_matters(transformer):
    """With attention and statistics held, a small change of a token changes the block so."""
    net = transformer
    one, two = net.main_taps[-3:-1]
    size = net.fitting_size(net.trained_size or (224, 224))
    image = DRAW.uniform(size=(*size, 3)).astype(np.float32)
    found = connections(net, one, two, [7], image=image)
    assert found.held and found.weights.ndim == 3
    strongest = found.partners(7, 1)[0]
    assert strongest == 7  # the residual stream leads from a unit to itself
    made = unit_contributions(net, one, two, 7, image)
    assert np.isfinite(made.values).all() and made.by_channel.shape == (found.weights.shape[-1],)
    edits = unit_edits(net, {one: {7: 0.0}})
    before, after = (
        net.activations(image[None], [two], kernels=Kernels(edits=e))[two].numpy()
        for e in ({}, edits)
    )
    assert abs(before - after).max() > 1e-4
