from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from support.rows import assert_same_rows

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard, card_named, card_names
from kerasviz.network.front_ends.spectrogram import hann, spectrogram
from reference import front_ends as twin

NAMES = [name for name in card_names() if isinstance(card_named(name), FrontEndCard)]

#: Frames, bands and the numbers there of a second of the tone and an impulse at sample 5000, and
#: the mean of all: by WhisperFeatureExtractor (whisper) and audio_utils (ast) of transformers 5.24,
#: and by melspectrogram of librosa 0.11 with pad_mode "reflect" (musicnn).
REFERENCE = {
    "whisper": (
        (20, 31),
        (9, 10, 11, 12, 60),
        ([[1.159391, 1.348738, 1.438204, 1.293523, -0.561796]] * 2, -0.557662),
        ([[-1.414003] * 5, [0.577093, 0.577093, 0.577093, 0.577093, 0.578131]], -1.412745),
    ),
    "ast": (
        (20, 31),
        (2, 20, 24, 30, 100),
        (
            [
                [-0.865243, 0.427673, 0.854043, -0.353765, -1.277594],
                [-0.748350, 0.427745, 0.854052, -0.354935, -1.277594],
            ],
            0.327432,
        ),
        (
            [[-1.277594] * 5, [-1.062390, -0.493535, -0.422873, -0.385718, 0.171003]],
            0.303879,
        ),
    ),
    "musicnn": (
        (0, 20),
        (10, 16, 17, 18, 80),
        (
            [
                [4.842517, 4.824895, 4.515409, 4.238954, 0.384373],
                [1.098898, 1.613935, 0.680865, 0.255581, 0.0],
            ],
            0.347045,
        ),
        ([[0.0] * 5, [1.988778, 1.988778, 1.988778, 1.988778, 1.989260]], 0.060456),
    ),
}


def tone(samples, rate=16000, hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / rate)).astype(np.float32)


def impulse(samples):
    sound = np.zeros(samples, np.float32)
    sound[samples // 3] = 1
    return sound


def computed(card, sound):
    return spectrogram(card, tf.constant(sound[None]))[0].numpy()


@pytest.mark.parametrize("name", REFERENCE)
def test_spectrograms_are_those_of_the_reference_programs(name):
    frames, bands, *wanted = REFERENCE[name]
    card = card_named(name) if name != "musicnn" else replace(card_named(name), frames=0)
    click = np.zeros(16000, np.float32)
    click[5000] = 1
    for sound, (numbers, mean) in zip((tone(16000), click), wanted, strict=True):
        found = computed(card, sound)
        np.testing.assert_allclose(found[np.ix_(frames, bands)], numbers, atol=1e-4)
        assert float(found.mean()) == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize(("name", "offset"), [("yamnet", 0.001), ("vggish", 0.01)])
@pytest.mark.parametrize("kind", [tone, impulse])
def test_spectrograms_are_those_of_tensorflow(name, offset, kind):
    """As in ``features.py`` of YAMNet and ``mel_features.py`` of VGGish."""
    sound = kind(15600)
    magnitudes = tf.abs(tf.signal.stft(sound.astype(np.float64), 400, 160, 512))
    settings = 64, 257, 16000, 125.0, 7500.0
    matrix = tf.signal.linear_to_mel_weight_matrix(*settings, dtype=tf.float64)
    wanted = tf.math.log(tf.matmul(magnitudes, matrix) + offset)
    found = computed(card_named(name), sound)
    assert found.shape == (96, 64)
    wanted = wanted.numpy()
    loud = wanted > wanted.max() - 6  # elsewhere float32 rounds the tone's own skirt
    np.testing.assert_allclose(found[loud], wanted[loud], atol=1e-4)
    np.testing.assert_allclose(np.exp(found), np.exp(wanted), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["tone", "impulse", "noise"])
def test_spectrograms_are_those_of_the_twin(name, kind):
    card = replace(card_named(name), frames=0)  # no padding, which takes the twin long
    samples = card.samples_of(5) + 37
    noise = np.random.default_rng(2).normal(0, 0.1, samples).astype(np.float32)
    sound = {"tone": tone(samples), "impulse": impulse(samples), "noise": noise}[kind]
    wanted = twin.spectrogram(card, sound)
    found = computed(card, sound)
    assert found.shape == wanted.shape == (5, card.width)
    # Where energies vanish beside others, float32 has no digits left of their logarithm.
    heard = wanted > wanted.max() - 0.8 * (wanted.max() - wanted.min()) if kind == "tone" else ...
    np.testing.assert_allclose(found[heard], wanted[heard], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"centred": True}, {"drop_last": True, "centred": True}])
@pytest.mark.parametrize("samples", [300, 301])
def test_cards_of_files_are_those_of_the_twin(changes, samples):
    odd = FrontEndCard(4000, 77, 31, fft=99, bands=9, mel="torchaudio", power=2, low=100)
    sound = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    card = replace(odd, **changes)
    np.testing.assert_allclose(computed(card, sound), twin.spectrogram(card, sound), rtol=2e-4)
    plain = replace(card, bands=0, power=1)
    assert plain.width == 50
    np.testing.assert_allclose(computed(plain, sound), twin.spectrogram(plain, sound), atol=1e-4)


def test_short_sounds_are_padded_as_the_card_says():
    whisper = replace(card_named("whisper"), frames=20)
    sound = np.random.default_rng(0).normal(0, 0.1, 1000).astype(np.float32)
    found = computed(whisper, sound)
    assert found.shape == (20, 80)
    np.testing.assert_allclose(found, computed(whisper, np.pad(sound, (0, 2200))), atol=1e-6)
    ast = replace(card_named("ast"), frames=20)
    found = computed(ast, sound)
    assert found.shape == (20, 128)
    np.testing.assert_allclose(found[5:], 4.2677393 / (2 * 4.5689974), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_differences(name):
    card = replace(card_named(name), frames=0)
    samples = card.samples_of(3)
    random = np.random.default_rng(3)
    sound = random.normal(0, 0.1, (1, samples)).astype(np.float32)
    weights = random.normal(size=(1, 3, card.width)).astype(np.float32)
    wanted_places = random.choice(samples, 5, replace=False)

    def score(sound):
        return tf.reduce_sum(spectrogram(card, sound) * weights)

    given = tf.constant(sound)
    with tf.GradientTape() as tape:
        tape.watch(given)
        reached = score(given)
    gradient = tape.gradient(reached, given).numpy()[0]
    size = float(np.abs(gradient).max())

    def exact(sound):
        return float(np.sum(twin.spectrogram(card, sound[0]) * weights[0]))

    for place in wanted_places:
        nudge = np.zeros(sound.shape)
        nudge[0, place] = 1e-5
        slope = (exact(sound + nudge) - exact(sound - nudge)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-3 * size)


def test_silence_has_a_finite_gradient():
    for name in NAMES:
        card = replace(card_named(name), frames=0)
        silence = tf.zeros([1, card.samples_of(3)])
        with tf.GradientTape() as tape:
            tape.watch(silence)
            total = tf.reduce_sum(spectrogram(card, silence))
        assert np.isfinite(tape.gradient(total, silence)).all() and np.isfinite(total), name


def test_rows_are_independent():
    card = replace(card_named("whisper"), frames=0)
    sounds = tf.constant(np.stack([tone(4000), impulse(4000), 0.01 * tone(4000)]))
    together = spectrogram(card, sounds).numpy()
    for row in range(3):
        assert_same_rows(spectrogram(card, sounds[row : row + 1])[0], together[row])


def test_windows_are_those_of_tensorflow_and_numpy():
    np.testing.assert_allclose(hann(400), tf.signal.hann_window(400), atol=1e-6)
    np.testing.assert_allclose(hann(400, symmetric=True), np.hanning(400), atol=1e-6)


def test_sounds_too_short_for_a_frame_are_refused():
    with pytest.raises(UsageError, match=r"sound of 300 samples is too short .*; give 400"):
        computed(card_named("yamnet"), tone(300))
    with pytest.raises(UsageError, match="too short"):
        computed(replace(card_named("musicnn"), frames=0), tone(200))
