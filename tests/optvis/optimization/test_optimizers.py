from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.optimization.optimizers import NADAM_EPSILON, UPDATES, WARM, fused_update


@pytest.mark.parametrize("fused", [False, True])
def test_nadam_is_that_of_keras(fused):
    draw = np.random.default_rng(0)
    first = draw.normal(0, 1, (2, 7)).astype(np.float32)
    variable = keras.Variable(first)
    oracle = keras.optimizers.Nadam(0.3, epsilon=NADAM_EPSILON)
    params, moments = tf.constant(first), [tf.zeros((2, 7))] * 2
    update = fused_update("nadam", 0.3, (1, 1)) if fused else None
    for step in range(12):
        gradient = tf.constant(draw.normal(0, 10.0 ** (step - 6), (2, 7)), tf.float32)
        steps = tf.fill([2], step)
        if update is not None:
            params, *moments = update(params, moments, gradient, steps)
        else:
            params, *moments = UPDATES["nadam"](0.3, params, moments, gradient, steps)
        oracle.apply([-gradient], [variable])  # Keras descends
        np.testing.assert_allclose(params, variable.numpy(), rtol=2e-5, atol=2e-5)


def test_nadam_takes_rows_of_different_steps_and_any_number_of_steps():
    """A row that entered later, and steps beyond the table of momenta."""
    params, moments = tf.ones((3, 2)), [0.1 * tf.ones((3, 2)), tf.ones((3, 2))]
    steps = tf.constant([3, WARM + 5000, WARM - 1])
    together = UPDATES["nadam"](1.0, params, moments, tf.ones((3, 2)), steps)[0].numpy()
    for row, step in enumerate(steps.numpy()):
        alone = UPDATES["nadam"](
            1.0, params[:1], [m[:1] for m in moments], tf.ones((1, 2)), tf.constant([step])
        )[0].numpy()
        np.testing.assert_array_equal(alone[0], together[row])
    # Long after the start: momentum 0.9, nothing to correct.
    mean, spread = 0.9 * 0.1 + 0.1, 1 - 0.999 ** (WARM + 5001.0)
    variance = 0.999 + 0.001
    ahead = 0.9 * mean + 0.1
    assert together[1, 0] == pytest.approx(1 + ahead / np.sqrt(variance / spread), rel=1e-4)
