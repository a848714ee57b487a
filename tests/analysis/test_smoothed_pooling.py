"""The smoothed gradient of max-pooling against a loop over windows."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.analysis.smoothed_pooling import smoothed_max_pool

X = np.random.default_rng(0).normal(size=(2, 7, 5, 3))


def smooth(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """mean(x^2) / (0.01 + mean(|x|)) over windows that lie inside."""
    rows, columns = ((n - size) // stride + 1 for n in x.shape[1:3])
    out = np.zeros((len(x), rows, columns, x.shape[-1]))
    for i, j in np.ndindex(rows, columns):
        window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
        out[:, i, j] = (window**2).mean((1, 2)) / (0.01 + np.abs(window).mean((1, 2)))
    return out


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1)])
def test_it_pools_maxima_and_has_the_gradient_of_the_smooth_function(
    size: int, stride: int
) -> None:
    x = tf.constant(X, tf.float32)
    window, strides = [1, size, size, 1], [1, stride, stride, 1]
    mix = np.random.default_rng(1).normal(size=smooth(X, size, stride).shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        pooled = smoothed_max_pool(x, window, strides, "VALID")
        total = tf.reduce_sum(pooled * tf.constant(mix, tf.float32))
    np.testing.assert_array_equal(pooled, tf.nn.max_pool(x, window, strides, "VALID"))
    found = tape.gradient(total, x).numpy()
    for place in [(0, 0, 0, 0), (1, 3, 2, 1), (0, 5, 4, 2), (1, 2, 1, 0)]:
        ends = []
        for sign in (1, -1):
            moved = X.copy()
            moved[place] += sign * 1e-5
            ends.append((smooth(moved, size, stride) * mix).sum())
        assert found[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-4)


def test_padding_is_outside_of_the_image() -> None:
    x = tf.constant(np.abs(X), tf.float32)
    padding = [[0, 0], [1, 1], [0, 1], [0, 0]]
    with tf.GradientTape() as tape:
        tape.watch(x)
        pooled = smoothed_max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], padding)
        total = tf.reduce_sum(pooled)
    np.testing.assert_array_equal(pooled, tf.nn.max_pool(x, 3, 2, padding))
    assert np.all(np.isfinite(tape.gradient(total, x)))
