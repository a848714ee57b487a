from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.sound_steps import (
    LEVELS,
    Loudness,
    Polarity,
    Shift,
    SoundRows,
    Speed,
    WhiteNoise,
)
from kerasviz.optvis.transforms.sound_transform import SOUND_STEPS, SoundTransform
from kerasviz.optvis.transforms.steps import step_from_json, step_to_json
from kerasviz.optvis.transforms.transform import FoldedTransform
from reference import sounds as twin

SEEDS = tf.constant([3, 8, 21])
RATE = 2000


def sounds(rows=3, samples=301, channels=1):
    draws = np.random.default_rng(5).uniform(0.2, 0.8, (rows, 1, samples, channels))
    return tf.constant(draws, tf.float32)


def picked(step, *picks, rows=2):
    """A step by its draws."""
    given = [tf.constant(pick, tf.float32) for pick in picks]
    before = sounds(rows)
    zeros = tf.zeros([rows], tf.int32)
    return before.numpy()[:, 0, :, 0], step.apply(before, given, SoundRows(zeros, zeros, RATE))[
        :, 0, :, 0
    ]


def test_a_shift_goes_in_a_circle_by_whole_samples():
    before, after = picked(Shift(0.05), [0, 128 + 64])  # 128 stays
    np.testing.assert_array_equal(after[0], np.roll(before[0], 100))
    np.testing.assert_array_equal(after[1], np.roll(before[1], -50))


def test_loudness_is_in_decibels_about_silence():
    before, after = picked(Loudness(6.0), [0, LEVELS - 1])
    np.testing.assert_allclose(after[0] - 0.5, (before[0] - 0.5) * 10 ** (-6 / 20), atol=1e-6)
    np.testing.assert_allclose(after[1] - 0.5, (before[1] - 0.5) * 10 ** (6 / 20), atol=1e-6)
    before, after = picked(Loudness(6.0), [(LEVELS - 1) / 2] * 2)
    np.testing.assert_allclose(after, before, atol=1e-7)


@pytest.mark.parametrize("rows", [1, 2])
def test_speed_is_that_of_the_numpy_twin(rows):
    before, after = picked(Speed(0.03), [0, LEVELS - 1][:rows], rows=rows)
    for row, factor in zip(range(rows), (0.97, 1.03), strict=False):
        np.testing.assert_allclose(after[row], twin.speed(before[row], factor), atol=2e-5)


def test_polarity_turns_sounds_upside_down():
    before, after = picked(Polarity(), [0, 1])
    np.testing.assert_allclose(after, np.stack([1 - before[0], before[1]]), atol=1e-7)


def test_noise_has_its_decibels_beside_each_sound():
    quiet = 0.5 + tf.constant([[1.0], [0.01], [0.0]])[:, None, :, None] * (sounds(3, 4000) - 0.5)
    step = WhiteNoise(-40.0)
    after = step.apply(quiet, [], SoundRows(SEEDS, tf.constant([1, 1, 1]), RATE))
    noise = (after - quiet).numpy()
    size = np.sqrt(np.mean((quiet.numpy() - 0.5) ** 2, axis=(1, 2, 3)))
    found = np.sqrt(np.mean(noise**2, axis=(1, 2, 3)))
    np.testing.assert_allclose(found[:2], 0.01 * size[:2], rtol=0.05)
    assert not noise[2].any() and np.isfinite(noise).all()
    other = step.apply(quiet, [], SoundRows(SEEDS, tf.constant([2, 2, 2]), RATE)).numpy()
    assert (other[:2] != after[:2].numpy()).any()


def test_the_gradient_is_that_of_differences():
    steps = (Shift(0.05), Loudness(6.0), Speed(0.03), Polarity())
    transform, before = SoundTransform(steps, rate=RATE), sounds(2, 40)
    weights = tf.constant(np.random.default_rng(1).normal(size=before.shape), tf.float32)

    def score(given):
        return tf.reduce_sum(transform.apply(given, SEEDS[:2], 3) * weights)

    with tf.GradientTape() as tape:
        tape.watch(before)
        reached = score(before)
    gradient = tape.gradient(reached, before).numpy()
    for place in ((0, 0, 0, 0), (0, 0, 17, 0), (1, 0, 39, 0), (1, 0, 22, 0)):
        nudge = np.zeros(before.shape, np.float32)
        nudge[place] = 0.05  # the steps are linear
        slope = float(score(before + nudge) - score(before - nudge)) / 0.1
        assert gradient[place] == pytest.approx(slope, abs=1e-3)


def test_steps_survive_plain_data_and_impossible_ones_are_refused():
    for step in SOUND_STEPS:
        assert step_from_json(step_to_json(step)) == step
    for make in (lambda: Shift(-1.0), lambda: Loudness(float("nan")), lambda: Speed(1.0)):
        with pytest.raises(UsageError, match="expected"):
            make()
    with pytest.raises(UsageError, match="such as -40"):
        WhiteNoise(-300)
    with pytest.raises(UsageError, match="for sounds"):
        FoldedTransform((Shift(),))
