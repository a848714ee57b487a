from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.axis_steps import VALUES, Gain, Roll, Stretch

MIDDLE = VALUES // 2


def draw(*shape):
    return np.random.default_rng(1).uniform(size=shape).astype(np.float32)


def picks(step, *values):
    values = [*values, *[[MIDDLE] * len(values[0])] * (len(step.choices) - len(values))]
    return [tf.constant(value, tf.float32) for value in values]


@pytest.mark.parametrize("step", [Roll(), Stretch(), Gain()])
def test_the_middle_draw_changes_nothing(step):
    x = draw(2, 20, 5)
    same = step.apply(tf.constant(x), picks(step, [MIDDLE, MIDDLE]), ("time",))
    assert np.allclose(same, x, atol=1e-6)


def test_roll_is_numpys():
    x, step = draw(3, 40, 16, 2), Roll(share=0.1, pixels=2)
    found = step.apply(
        tf.constant(x),
        picks(step, [0, MIDDLE, VALUES - 1], [VALUES - 1, 0, MIDDLE]),
        ("time", "height"),
    )
    for row, moves in enumerate([(-4, 2), (0, -2), (4, 0)]):
        assert np.array_equal(found[row], np.roll(x[row], moves, (0, 1)))


def test_roll_along_three_axes():
    x, step = draw(1, 8, 9, 10, 1), Roll(pixels=1)
    found = step.apply(
        tf.constant(x), picks(step, [0], [VALUES - 1], [0]), ("depth", "height", "width")
    )
    assert np.array_equal(found[0], np.roll(x[0], (-1, 1, -1), (0, 1, 2)))


@pytest.mark.parametrize("length", [1, 2, 31, 50])
def test_stretch_is_interpolation_in_a_circle(length):
    x, step = draw(2, length, 3), Stretch(share=0.5)
    found = step.apply(tf.constant(x), picks(step, [0, VALUES - 1]), ("time",)).numpy()
    for row, factor in enumerate([0.5, 1.5]):
        middle = (length - 1) / 2
        at = (middle + (np.arange(length) - middle) / factor) % length
        for c in range(3):
            places = np.arange(length + 1)
            expected = np.interp(at, places, np.append(x[row, :, c], x[row, 0, c]))
            assert np.allclose(found[row, :, c], expected, atol=1e-5)


def test_space_is_not_stretched():
    x, step = draw(1, 6, 5, 1), Stretch(share=0.5)
    assert np.array_equal(step.apply(tf.constant(x), picks(step, [0]), ("height", "width")), x)


def test_gain_is_about_the_middle():
    x, step = draw(2, 7, 1), Gain(share=0.2)
    found = step.apply(tf.constant(x), picks(step, [0, VALUES - 1]), ("time",))
    assert np.allclose(found[0], 0.5 + 0.8 * (x[0] - 0.5), atol=1e-6)
    assert np.allclose(found[1], 0.5 + 1.2 * (x[1] - 0.5), atol=1e-6)


@pytest.mark.parametrize("step", [Roll(share=0.2), Stretch(share=0.3), Gain(share=0.3)])
def test_gradients_are_those_of_finite_differences(step):
    x, weights = draw(1, 12, 1), draw(12)[None, :, None] - 0.5
    chosen = picks(step, [40])

    def score(values):
        return tf.reduce_sum(step.apply(values, chosen, ("time",)) * weights)

    with tf.GradientTape() as tape:
        variable = tf.constant(x)
        tape.watch(variable)
        reached = score(variable)
    gradient = tape.gradient(reached, variable).numpy()
    for k in range(12):
        nudge = np.zeros_like(x)
        nudge[0, k, 0] = 0.05
        slope = float(score(tf.constant(x + nudge)) - score(tf.constant(x - nudge))) / 0.1
        assert abs(slope - gradient[0, k, 0]) < 1e-3


@pytest.mark.parametrize(
    "wrong", [lambda: Roll(share=1.0), lambda: Roll(pixels=-1), lambda: Gain(-1)]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError):
        wrong()
