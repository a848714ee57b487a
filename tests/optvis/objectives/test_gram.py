"""Losses of style and content against numpy twins."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.objectives.gram import compare_style, gram

DRAW = np.random.default_rng(0)


def twin(kind, a, photo, weight):
    """The losses, position after position."""
    scores = []
    for one, other in zip(a.astype(np.float64), photo.astype(np.float64), strict=True):
        if kind == "style":
            rows = [np.reshape(x, (-1, x.shape[-1])) for x in (one, other)]
            one, other = (sum(np.outer(v, v) for v in x) / len(x) for x in rows)
        scores.append(-np.abs(one - other).mean() / np.abs(other).mean())
    return weight * np.array(scores)


@pytest.mark.parametrize("kind", ["style", "content"])
@pytest.mark.parametrize("shape", [(5, 7, 4), (6, 3)])
def test_losses_and_their_gradients(kind, shape):
    a, photo = DRAW.normal(size=(2, 2, *shape)).astype(np.float32)
    weight = np.array([1.0, 2.5], np.float32)
    with tf.GradientTape() as tape:
        x = tf.constant(a)
        tape.watch(x)
        scores = compare_style(kind, x, tf.constant(photo), {"weight": tf.constant(weight)})
    np.testing.assert_allclose(scores, twin(kind, a, photo, weight), rtol=1e-5)
    slopes = tape.gradient(scores, x).numpy()
    for place in [(0, *(0 for _ in shape)), (1, *(n - 1 for n in shape))]:
        ends = []
        for sign in (1, -1):
            nudged = a.astype(np.float64)
            nudged[place] += sign * 1e-6
            ends.append(twin(kind, nudged, photo.astype(np.float64), weight)[place[0]])
        assert float(slopes[place]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-3, abs=1e-5)


def test_a_gram_matrix_does_not_know_positions():
    a = DRAW.normal(size=(1, 6, 5, 4)).astype(np.float32)
    mixed = DRAW.permutation(a.reshape(30, 4)).reshape(a.shape)
    np.testing.assert_allclose(gram(a), gram(mixed), atol=1e-6)
    data = {"weight": tf.ones([1])}
    assert abs(float(compare_style("style", tf.constant(a), tf.constant(mixed), data)[0])) < 1e-5
    assert float(compare_style("content", tf.constant(a), tf.constant(mixed), data)[0]) < -0.5
