"""Contributions on a photo: they sum to the unit where the way is linear."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.analysed import DENSE, SECOND, of_keras, of_onnx

from kerasviz.analysis.unit_contributions import unit_contributions
from kerasviz.errors import UsageError

PHOTO = np.random.default_rng(4).uniform(size=(14, 11, 3)).astype(np.float32)


@pytest.mark.parametrize("load", [of_keras, of_onnx])
def test_between_neighbours_they_sum_to_the_unit(load):
    net = load()
    found = unit_contributions(net, "first", "second", 3, PHOTO)
    values = net.activations(PHOTO[None], ["first", "second_pre_relu"])
    first, second = (values[name].numpy()[0] for name in ("first", "second_pre_relu"))
    assert found.position == np.unravel_index(second[..., 3].argmax(), second.shape[:2])
    assert found.score == pytest.approx(second[..., 3].max())
    assert found.exact and found.rest == pytest.approx(0)
    assert found.values.sum() == pytest.approx(found.score, abs=1e-4)
    y, x = found.position
    np.testing.assert_allclose(
        found.values, first[y : y + 3, x : x + 3] * SECOND[..., 3], atol=1e-5
    )
    assert found.corner == (y, x)
    np.testing.assert_allclose(found.by_channel.sum(), found.by_position.sum())
    assert found.top(1)[0] == [int(found.by_channel.argmax())]


def test_at_a_named_position_and_to_a_vector():
    net = of_keras()
    assert unit_contributions(net, "first", "second", 1, PHOTO, position=(2, -1)).position == (2, 6)
    found = unit_contributions(net, "second", "logits", 2, PHOTO)
    second = net.activations(PHOTO[None], ["second"])["second"].numpy()[0]
    assert found.position == () and found.exact
    expected = second.mean((0, 1)) * DENSE[:, 2]
    np.testing.assert_allclose(found.by_channel, expected, atol=1e-5)


def test_through_relus_they_are_activation_times_gradient():
    net = of_keras()
    found = unit_contributions(net, "first", "logits", 2, PHOTO)
    first = net.activations(PHOTO[None], ["first"])["first"]
    with tf.GradientTape() as tape:
        tape.watch(first)
        second = tf.nn.relu(tf.nn.conv2d(first, SECOND, 1, "VALID"))
        score = (tf.reduce_mean(second, (1, 2)) @ DENSE)[0, 2]
    assert not found.exact
    expected = (first * tape.gradient(score, first))[0]
    np.testing.assert_allclose(found.by_channel, expected.numpy().sum((0, 1)), atol=1e-5)
    assert found.missing == pytest.approx(0, abs=1e-4)  # homogeneous: no biases


def test_errors_name_what_is_wrong():
    with pytest.raises(UsageError, match="has the units 0 to 4, given 5"):
        unit_contributions(of_keras(), "first", "second", 5, PHOTO)
    with pytest.raises(UsageError, match="position 99,0"):
        unit_contributions(of_keras(), "first", "second", 1, PHOTO, position=(99, 0))
