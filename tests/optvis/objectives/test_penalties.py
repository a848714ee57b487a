from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.objectives.penalties import blurred, penalty
from reference import penalties as twin

IMAGES = np.random.default_rng(5).uniform(0, 1, (3, 6, 9, 2)).astype(np.float32)
KINDS = ("l1", "total_variation", "blur")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 6, 9, 2), (3, 6, 3, 1), (3, 1, 9, 2), (1, 1, 1, 2)])
def test_penalties_are_those_of_the_source(kind, shape):
    images = IMAGES[: shape[0], : shape[1], : shape[2], : shape[3]]
    expected = [getattr(twin, kind)(image.astype(np.float64)) for image in images]
    np.testing.assert_allclose(penalty(kind, tf.constant(images)), expected, rtol=1e-5, atol=1e-7)


def test_the_blur_in_the_middle_of_an_image():
    image = np.zeros((1, 5, 5, 1), np.float32)
    image[0, 2, 2] = 1
    found = blurred(tf.constant(image))[0, :, :, 0].numpy()
    np.testing.assert_allclose(found[2], [0, 0.1, 0.2, 0.1, 0], atol=1e-7)  # methods.md, section 5
    np.testing.assert_allclose(found[1], [0, 0.1, 0.1, 0.1, 0], atol=1e-7)


def test_the_blurred_image_is_held_fixed():
    """The gradient is x - blur(x): a step against it moves a pixel towards its neighbours."""
    x = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(penalty("blur", x))
    expected = [image - twin.blurred(image.astype(np.float64)) for image in IMAGES]
    np.testing.assert_allclose(tape.gradient(total, x), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["l1", "total_variation"])
def test_gradients_against_finite_differences(kind):
    x = tf.constant(IMAGES, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(penalty(kind, x))
    gradient = tape.gradient(total, x).numpy()
    way = np.random.default_rng(0).normal(size=IMAGES.shape)
    ends = [tf.reduce_sum(penalty(kind, x + sign * 1e-7 * way)) for sign in (1, -1)]
    assert np.isclose((ends[0] - ends[1]) / 2e-7, (gradient * way).sum(), rtol=1e-5)


def test_rows_are_independent_and_unknown_kinds_refused():
    for kind in KINDS:
        together = penalty(kind, tf.constant(IMAGES)).numpy()
        np.testing.assert_array_equal(penalty(kind, tf.constant(IMAGES[1:2])), together[1:2])
    with pytest.raises(ValueError, match="unknown penalty"):
        penalty("l7", tf.constant(IMAGES))
