from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.sound_transform import SOUND_STEPS, SoundTransform
from kerasviz.optvis.transforms.steps import Jitter
from kerasviz.optvis.transforms.transform import transform_from_json

SEEDS = tf.constant([3, 8, 21])
TRANSFORM = SoundTransform(SOUND_STEPS, rate=2000)


def sounds(rows=3, samples=301, channels=1):
    draws = np.random.default_rng(5).uniform(0.2, 0.8, (rows, 1, samples, channels))
    return tf.constant(draws, tf.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_size_stays_and_rows_are_independent(channels):
    before = sounds(3, 301, channels)
    after = TRANSFORM.apply(before, SEEDS, 7)
    assert after.shape == before.shape and TRANSFORM.to_image_size() is TRANSFORM
    assert TRANSFORM.seen_size((1, 301)) == (1, 301) and TRANSFORM.for_size((1, 301)) is TRANSFORM
    for row in range(3):
        alone = TRANSFORM.apply(before[row : row + 1], SEEDS[row : row + 1], 7)
        np.testing.assert_array_equal(alone[0], after[row])
    assert (TRANSFORM.apply(before, SEEDS, 8).numpy() != after.numpy()).any()


def test_views_have_draws_of_their_own():
    viewed = TRANSFORM.apply(sounds(), SEEDS, 7, views=2).numpy()
    assert viewed.shape[0] == 6
    loudness = np.abs(viewed - 0.5).mean(axis=(1, 2, 3))
    assert abs(loudness[0] - loudness[1]) > 1e-3


def test_functions_see_sounds():
    def softer(images, seeds, step):
        return 0.5 + (images - 0.5) / 2

    changed = SoundTransform((softer,)).apply(sounds(), SEEDS, 0)
    np.testing.assert_allclose(changed - 0.5, (sounds() - 0.5) / 2, atol=1e-6)


def test_it_survives_plain_data():
    data = TRANSFORM.to_json()
    assert transform_from_json(data) == TRANSFORM and data["resample"] == "sound"
    assert "rate" not in SoundTransform(SOUND_STEPS).to_json()
    for make, message in [
        (lambda: SoundTransform((Jitter(2),)), "not for sounds"),
        (lambda: SoundTransform(SOUND_STEPS, rate=-1), "samples per second"),
    ]:
        with pytest.raises(UsageError, match=message):
            make()
