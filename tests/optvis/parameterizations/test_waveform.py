from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Waveform, from_images, from_json
from reference import sounds as twin

SEEDS = np.array([4, 0, 11], np.int32)
RATE = 4000


def heard(images):
    return 2 * images.numpy()[:, 0, :, 0].astype(np.float64) - 1


@pytest.mark.parametrize("samples", [400, 401])
@pytest.mark.parametrize(
    "settings", [{}, {"decay_power": 0.5}, {"lowest": 300.0, "highest": 900.0}]
)
def test_the_sound_is_that_of_its_twin(samples, settings):
    chosen = Waveform(RATE, **settings)
    params = chosen.init(SEEDS, 1, samples, 1)
    found = heard(chosen.to_image(params, 1, samples))
    band = (settings.get("lowest", 20.0), settings.get("highest", np.inf))
    power = settings.get("decay_power", 1.0)
    for row in range(3):
        real, imaginary = (params[part].numpy()[row, 0].astype(np.float64) for part in (0, 1))
        wanted = twin.waveform(real, imaginary, samples, RATE, power, band=band)
        np.testing.assert_allclose(found[row], wanted, atol=2e-6)


def test_all_sounds_have_one_loudness_and_no_frequency_out_of_the_band():
    chosen = Waveform(RATE, lowest=200.0, highest=1500.0)
    real, imaginary, loudness = chosen.init(SEEDS, 1, 800, 1)
    params = 1000 * real, 1000 * imaginary, loudness
    found = heard(chosen.to_image(params, 1, 800))
    np.testing.assert_allclose(np.sqrt(np.mean(found**2, axis=1)), 0.1, rtol=1e-5)
    energy = np.abs(np.fft.rfft(found)) ** 2
    hz = np.fft.rfftfreq(800, 1 / RATE)
    outside = energy[:, (hz < 200) | (hz > 1500)].sum() / energy.sum()
    assert outside < 1e-9


def test_sparse_variables_stand_for_those_times_their_size():
    real, imaginary, loudness = Waveform(RATE).init(SEEDS, 1, 300, 1)
    size = tf.sqrt(real**2 + imaginary**2)
    wanted = Waveform(RATE).to_image((real * size, imaginary * size, loudness), 1, 300)
    found = Waveform(RATE, sparsity=1.0).to_image((real, imaginary, loudness), 1, 300)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_loudness_of_stereo_is_that_of_both_channels():
    found = 2 * Waveform(RATE).to_image(Waveform(RATE).init(SEEDS, 1, 300, 2), 1, 300) - 1
    assert found.shape == (3, 1, 300, 2)
    np.testing.assert_allclose(np.sqrt(np.mean(found.numpy() ** 2, axis=(1, 2, 3))), 0.1, rtol=1e-5)


def test_rows_depend_on_their_seed_alone():
    chosen = Waveform(RATE)
    together = chosen.to_image(chosen.init(SEEDS, 1, 300, 1), 1, 300)
    for row, seed in enumerate(SEEDS):
        alone = chosen.to_image(chosen.init(SEEDS[row : row + 1], 1, 300, 1), 1, 300)
        assert seed in SEEDS and (alone[0].numpy() == together[row].numpy()).all()


@pytest.mark.parametrize("sparsity", [0.0, 1.0])
@pytest.mark.parametrize("samples", [400, 401])
def test_a_recording_comes_back_in_its_own_loudness(samples, sparsity):
    moments = np.arange(samples) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 440 * moments) + 0.02 * np.sin(2 * np.pi * 1203 * moments)
    sound = np.stack([sound - sound.mean(), 0.1 * (sound - sound.mean())])
    images = tf.constant((sound[:, None, :, None] + 1) / 2, tf.float32)
    chosen = Waveform(RATE, lowest=0.0, sparsity=sparsity)
    again = heard(chosen.to_image(from_images(chosen, images), 1, samples))
    np.testing.assert_allclose(again, sound, atol=1e-5)


def test_the_loudness_is_held_and_the_gradient_is_that_of_differences():
    chosen, samples = Waveform(RATE), 64
    params = chosen.init(SEEDS[:1], 1, samples, 1)
    weights = np.random.default_rng(0).normal(size=(1, 1, samples, 1)).astype(np.float32)

    def score(*params):
        return tf.reduce_sum(tf.cast(chosen.to_image(params, 1, samples) * weights, tf.float64))

    with tf.GradientTape() as tape:
        tape.watch(params)
        reached = score(*params)
    real, imaginary, loudness = tape.gradient(reached, params)
    assert loudness is not None and not loudness.numpy().any()
    for part, gradient in enumerate((real, imaginary)):
        for bin_ in (1, 2, 7, 20, 31):
            nudge = np.zeros((1, 1, samples // 2 + 1), np.float32)
            nudge[0, 0, bin_] = 1e-3
            up, down = list(params), list(params)
            up[part], down[part] = params[part] + nudge, params[part] - nudge
            slope = float(score(*up) - score(*down)) / 2e-3
            assert float(gradient[0, 0, bin_]) == pytest.approx(slope, rel=2e-2, abs=2e-2)


def test_settings_survive_plain_data_and_impossible_ones_are_refused():
    chosen = Waveform(8000, decay_power=0.5, highest=3000.0)
    assert from_json(chosen.to_json()) == chosen
    for settings, message in [
        ({"rate": -1}, "samples per second"),
        ({"rate": 8000, "highest": 5000.0}, "half of the rate"),
        ({"rate": 8000, "lowest": 900.0, "highest": 800.0}, "expected a band"),
        ({"rate": 8000, "loudness": 0.0}, "above 0"),
        ({"rate": 8000, "sparsity": 3.0}, "sparsity 3.0; expected 0 to 2"),
    ]:
        with pytest.raises(UsageError, match=message):
            Waveform(**settings)
    with pytest.raises(UsageError, match="rate is not known"):
        Waveform().init(SEEDS, 1, 100, 1)
    with pytest.raises(UsageError, match="networks that take sounds"):
        Waveform(8000).init(SEEDS, 8, 8, 3)
    with pytest.raises(UsageError, match="give a longer one"):
        Waveform(8000, lowest=20.0, highest=50.0).init(SEEDS, 1, 80, 1)
