"""Weights of whole layers: the kernel itself, whatever its stride and padding."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.analysed import DENSE, SECOND, of_keras, of_onnx

import kerasviz
from kerasviz.analysis.layer_weights import layer_weights
from kerasviz.errors import UsageError

PHOTO = np.random.default_rng(5).uniform(size=(2, 23, 20, 3)).astype(np.float32)


@pytest.mark.parametrize("load", [of_keras, of_onnx])
def test_between_neighbours_they_are_the_kernel(load):
    net = load()
    found = layer_weights(net, "first", "second_pre_relu", (13, 12))
    np.testing.assert_allclose(found.kernel, SECOND, rtol=1e-5)
    assert (found.strides, found.first) == ((1, 1), (0, 0))
    head = layer_weights(net, "pooled", "logits", (13, 12))
    np.testing.assert_allclose(head.kernel[0, 0], DENSE, rtol=1e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, (2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_what_they_contribute_is_the_layer_at_every_position(padding, strides, groups):
    image = keras.Input((23, 20, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu", name="first")(image)
    layer = keras.layers.Conv2D(
        6, (3, 5), strides, padding, groups=groups, bias_initializer="ones", name="second"
    )
    net = kerasviz.load(keras.Model(image, layer(first)), preprocess="unit")
    found = layer_weights(net, "first", "second")
    values = net.activations(PHOTO, ["first", "second"])
    made = found.apply(values["first"], values["second"].shape)
    np.testing.assert_allclose(made + 1, values["second"], atol=1e-5)
    assert found.strides == ((1, 1) if strides == 1 else strides)
    signs = [
        found.of_sign(sign).apply(values["first"], made.shape) for sign in ("positive", "negative")
    ]
    np.testing.assert_allclose(signs[0] + signs[1], made, atol=1e-5)
    assert float(tf.reduce_min(signs[0])) >= 0 >= float(tf.reduce_max(signs[1]))


def test_ways_that_are_not_linear():
    with pytest.raises(UsageError, match=r"first to logits is not linear \(second on it\); name a"):
        layer_weights(of_keras(), "first", "logits", (9, 9))
