from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.optimization.relu_gradients import (
    REDIRECTED,
    redirected_relu,
    redirected_relu6,
)
from reference.rectifiers import redirected


def gradient(rectifier, x, upstream):
    x = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = rectifier(x)
    return tape.gradient(y, x, output_gradients=tf.constant(upstream, tf.float32)).numpy()


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


CASES = [(redirected_relu, np.inf, tf.nn.relu), (redirected_relu6, 6.0, tf.nn.relu6)]


@pytest.mark.parametrize(("rectifier", "ceiling", "plain"), CASES)
@pytest.mark.parametrize("shape", [(6, 3, 5, 4), (6, 7)])
def test_it_agrees_with_its_twin(rectifier, ceiling, plain, shape):
    x, upstream = numbers(*shape) * 5, numbers(*shape, seed=1)
    x[1] = -np.abs(x[1]) - 0.1  # a dead image
    x[2] = np.abs(x[2]) + 6.1  # a saturated one, for ReLU6
    upstream[3] = np.where(x[3] > 0, 0, upstream[3])  # active where nothing asks
    assert np.array_equal(rectifier(tf.constant(x)), plain(x))
    found = gradient(rectifier, x, upstream)
    assert np.array_equal(found, redirected(x, upstream, ceiling))


@pytest.mark.parametrize(("rectifier", "ceiling", "plain"), CASES)
def test_an_image_with_a_gradient_keeps_the_plain_one(rectifier, ceiling, plain):
    x, upstream = numbers(4, 3, 3, 2) * 5, numbers(4, 3, 3, 2, seed=1)
    assert np.array_equal(gradient(rectifier, x, upstream), gradient(plain, x, upstream))


def test_a_dead_image_is_pushed_up_and_never_down():
    x = -np.abs(numbers(1, 4, 4, 2)) - 0.1
    upstream = numbers(1, 4, 4, 2, seed=1)
    assert not gradient(tf.nn.relu, x, upstream).any()
    found = gradient(redirected_relu, x, upstream)
    assert np.array_equal(found, np.maximum(upstream, 0)) and found.any()


def test_a_saturated_image_is_pushed_down_and_never_up():
    x, upstream = np.abs(numbers(1, 4, 4, 2)) + 6.1, numbers(1, 4, 4, 2, seed=1)
    assert not gradient(tf.nn.relu6, x, upstream).any()
    found = gradient(redirected_relu6, x, upstream)
    assert np.array_equal(found, np.minimum(upstream, 0)) and found.any()


def test_images_of_a_batch_are_judged_one_by_one():
    x, upstream = numbers(5, 3, 3, 2), numbers(5, 3, 3, 2, seed=1)
    x[3] = -1
    together = gradient(REDIRECTED.relu, x, upstream)
    for i in range(5):
        assert np.array_equal(gradient(REDIRECTED.relu, x[[i]], upstream[[i]])[0], together[i])


def test_ascent_brings_a_dead_unit_to_life():
    w = numbers(3, 4)

    def active(rectifier):
        x = tf.zeros([1, 3])
        for _ in range(40):
            with tf.GradientTape() as tape:
                tape.watch(x)
                score = tf.reduce_sum(rectifier(x @ w - 1.0))
            x += 0.1 * tape.gradient(score, x)
        return float(score)

    assert active(tf.nn.relu) == 0
    assert active(redirected_relu) > 0
