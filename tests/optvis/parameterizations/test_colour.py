from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.rows import assert_same_rows

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations.colour import ROOTS, to_rgb
from kerasviz.optvis.parameterizations.pixel import Pixel
from reference import colour as twin


def values(*shape):
    return np.random.default_rng(0).normal(0, 2, shape).astype(np.float32)


def test_the_matrix_is_the_one_of_the_source():
    assert np.allclose(ROOTS["svd"], twin.M, atol=6e-5)
    assert np.isclose(np.linalg.norm(twin.S, axis=0).max(), twin.LARGEST_COLUMN_NORM, atol=5e-6)


@pytest.mark.parametrize("shape", [(2, 7, 5, 3), (1, 3, 8, 1), (3, 5, 5, 5), (2, 8, 8, 3)])
@pytest.mark.parametrize("decorrelate", [True, False])
def test_it_agrees_with_its_twin(shape, decorrelate):
    v = values(*shape)
    assert np.abs(to_rgb(v, decorrelate) - twin.to_rgb(v, decorrelate)).max() < 1e-6


def test_the_matrix_multiplies_from_the_left():
    # The first decorrelated colour is brightness: it lifts red, green and blue alike.
    lifted = to_rgb(tf.constant([[[[1.0, 0.0, 0.0]]]])).numpy().ravel()
    assert np.ptp(lifted) < 0.01 and lifted.min() > 0.6
    # The second takes red from blue and leaves green.
    turned = to_rgb(tf.constant([[[[0.0, 1.0, 0.0]]]])).numpy().ravel()
    assert turned[0] > 0.54 and abs(turned[1] - 0.5) < 1e-6 and turned[2] < 0.46


def test_a_row_is_to_the_last_bit_the_same_wherever_it_stands():
    v, order = values(5, 7, 5, 3), np.array([3, 0, 4, 1, 2])
    together = to_rgb(tf.constant(v)).numpy()
    for chosen in (order, np.array([2])):
        assert_same_rows(to_rgb(tf.constant(v[chosen])), together[chosen])


def test_the_gradient_agrees_with_finite_differences():
    v, weights = values(1, 3, 3, 3), values(1, 3, 3, 3) * 0.5 + 1

    def score(v):
        return (weights.astype(np.float64) * twin.to_rgb(v)).sum()

    x = tf.constant(v)
    with tf.GradientTape() as tape:
        tape.watch(x)
        reached = tf.reduce_sum(weights * to_rgb(x))
    gradient = tape.gradient(reached, x).numpy()
    for place in np.ndindex(*v.shape):
        nudge = np.zeros(v.shape)
        nudge[place] = 1e-4
        assert np.isclose((score(v + nudge) - score(v - nudge)) / 2e-4, gradient[place], atol=1e-5)


def test_choleskys_matrix_is_that_of_the_source():
    values = np.random.default_rng(3).normal(size=(2, 4, 5, 3)).astype(np.float32)
    found = to_rgb(tf.constant(values), True, "cholesky").numpy()
    np.testing.assert_allclose(found, twin.to_rgb(values, True, twin.CHOLESKY), atol=1e-6)
    # Both matrices stand for nearly the same covariance (article-figures, section 4.2).
    covariances = [root @ root.T for root in (twin.S, twin.CHOLESKY)]
    assert np.abs(covariances[0] - covariances[1]).max() < 0.011
    with pytest.raises(UsageError, match="unknown colour matrix 'qr'"):
        Pixel(root="qr")
