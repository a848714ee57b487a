from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard, card_named
from kerasviz.network.front_ends.inversion import (
    griffin_lim,
    inverted,
    magnitudes_of,
    retention,
    retention_warning,
)
from kerasviz.network.front_ends.spectrogram import spectrogram


def tone(hz=440.0, samples=15600, rate=16000):
    return 0.1 * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(samples) / rate)


def analysed(card, sound):
    return spectrogram(card, tf.constant(sound[None], tf.float32))[0].numpy()


@pytest.mark.parametrize("name", ["yamnet", "musicnn", "ast"])
@pytest.mark.parametrize("hz", [440.0, 1500.0])
def test_a_tone_keeps_its_activation(name, hz):
    """The activation of a unit that is the pattern of the tone itself, at most 1."""
    card = replace(card_named(name), frames=0)
    wanted = analysed(card, tone(hz))
    again = inverted(card, wanted)
    assert again.shape == (card.samples_of(len(wanted)),)
    pattern = wanted - wanted.min()
    found = analysed(card, again) - wanted.min()
    part = retention(float((found * pattern).sum()), float((pattern**2).sum()))
    assert 0.8 <= part <= 1.2
    spectrum = np.abs(np.fft.rfft(again))
    peak = np.argmax(spectrum) * card.rate / len(again)
    assert abs(peak - hz) < 2 * card.rate / card.fft


def test_magnitudes_have_the_bands_that_were_given():
    card = FrontEndCard(8000, 128, 64, bands=10, log="log10", floor=1e-8, power=2, mean=1, sd=2)
    wanted = analysed(card, np.random.default_rng(0).normal(0, 0.1, 900))
    found = magnitudes_of(card, wanted)
    from kerasviz.network.front_ends.mel import mel_filters

    bands = found**2 @ mel_filters("htk", 8000, 128, 10, (0, 4000), False)
    again = (np.log10(np.maximum(bands, 1e-8)) - 1) / 2
    np.testing.assert_allclose(again, wanted, atol=1e-3)
    assert found.min() >= 0


def test_phases_are_found_of_a_sound_of_many_tones():
    sound = sum(tone(hz, 4000) for hz in (300.0, 777.0, 2345.0))
    from kerasviz.network.front_ends.inversion import _analysed

    wanted = np.abs(_analysed(sound, 512, 128))
    again = np.abs(_analysed(griffin_lim(wanted, 128, 4000), 512, 128))
    assert np.linalg.norm(again - wanted) < 0.1 * np.linalg.norm(wanted)
    np.testing.assert_array_equal(griffin_lim(wanted, 128, 4000), griffin_lim(wanted, 128, 4000))


def test_what_is_lost_is_told():
    assert retention(0.3, 1.0) == 0.3 and math.isnan(retention(0.3, 0.0))
    assert "keeps 30%" in retention_warning(0.3) and retention_warning(0.9) == ""
    assert "does not excite the unit" in retention_warning(float("nan"))


def test_other_shapes_are_refused():
    with pytest.raises(UsageError, match="expected frames x 64"):
        inverted(card_named("yamnet"), np.zeros((96, 65)))
    with pytest.raises(UsageError, match="need no inverse"):
        inverted(card_named("crepe"), np.zeros((1, 1024)))
