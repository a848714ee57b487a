"""Edits: units are what they are set to, and weights of a sign are gone from the layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.analysed import SECOND, of_keras, of_onnx

import kerasviz
from kerasviz.analysis.edits import unit_edits, without_weights
from kerasviz.errors import UsageError
from kerasviz.network.program import Kernels

PHOTO = np.random.default_rng(2).uniform(size=(3, 11, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=[of_keras, of_onnx])
def net(request):
    return request.param()


def run(net, edits, *names):
    values = net.activations(PHOTO, list(names), kernels=Kernels(edits=edits))
    return [values[name].numpy() for name in names]


def test_units_are_what_they_are_set_to(net):
    plain, _ = run(net, {}, "first", "second")
    first, second = run(net, unit_edits(net, {"first": {1: 0.0, 3: 2.5}}), "first", "second")
    expected = plain.copy()
    expected[..., 1], expected[..., 3] = 0, 2.5
    np.testing.assert_array_equal(first, expected)
    after = tf.nn.relu(tf.nn.conv2d(expected, SECOND, 1, "VALID"))
    np.testing.assert_allclose(second, after, atol=1e-5)


def test_a_unit_that_nothing_reads_changes_nothing():
    """The kernel behind it is 0 for it."""
    keras.utils.set_random_seed(0)  # with some weights the other unit is dead
    image = keras.Input((None, None, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu", name="first")(image)
    second = keras.layers.Conv2D(5, 3, name="second")(first)
    model = keras.Model(image, second)
    kernel = SECOND.copy()
    kernel[:, :, 2] = 0
    model.get_layer("second").set_weights([kernel, np.ones(5)])
    net = kerasviz.load(model, preprocess="unit")
    (plain,) = run(net, {}, "second")
    (unused,) = run(net, unit_edits(net, {"first": {2: 0.0}}), "second")
    (used,) = run(net, unit_edits(net, {"first": {1: 0.0}}), "second")
    np.testing.assert_array_equal(unused, plain)
    assert abs(used - plain).max() > 0.1


def test_units_of_joined_taps_before_their_activations():
    """The tap before joined ReLUs is several values of the program."""
    image = keras.Input((None, None, 3))
    parts = [
        keras.layers.Conv2D(n, 3, activation="relu", name=name)(image)
        for n, name in ((2, "left"), (3, "right"))
    ]
    joined = keras.layers.Concatenate(name="joined")(parts)
    net = kerasviz.load(keras.Model(image, joined), preprocess="unit")
    values = {"joined_pre_relu": {1: 5.0, 2: -1.0}}
    (plain,) = run(net, {}, "joined")
    (found,) = run(net, unit_edits(net, values), "joined")
    assert (found[..., 1] == 5).all() and (found[..., 2] == 0).all()
    np.testing.assert_array_equal(found[..., [0, 3, 4]], plain[..., [0, 3, 4]])


@pytest.mark.parametrize("sign", ["positive", "negative", "all"])
def test_weights_of_a_sign_are_gone(net, sign):
    first, second = run(net, without_weights(net, "first", "second", sign), "first", "second")
    left = {"positive": np.minimum(SECOND, 0), "negative": np.maximum(SECOND, 0), "all": 0 * SECOND}
    expected = tf.nn.relu(tf.nn.conv2d(first, left[sign], 1, "VALID"))
    np.testing.assert_allclose(second, expected, atol=1e-5)


def test_errors_name_what_is_wrong(net):
    with pytest.raises(UsageError, match="first has the units 0 to 3, given 4"):
        unit_edits(net, {"first": {4: 0.0}})
    with pytest.raises(UsageError, match="unknown sign 'up'"):
        without_weights(net, "first", "second", "up")
    with pytest.raises(UsageError, match="first to logits is not linear"):
        without_weights(net, "first", "logits")
