from __future__ import annotations

import io
import wave

import numpy as np

from kerasviz.io.sounds import read_sound
from kerasviz.rendering.media.sound import SoundMedium


def embedded(samples):
    return ((np.atleast_2d(samples.T).T[None] + 1) / 2).astype(np.float32)


def test_the_wav_beside_a_picture_is_the_sound():
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(2000) / 16000)
    files = SoundMedium(16000).companions(embedded(tone))
    found = read_sound(io.BytesIO(files[".wav"]))
    assert list(files) == [".wav"] and found.rate == 16000
    np.testing.assert_allclose(found.samples, tone, atol=2 / 32768)
    assert files == SoundMedium(16000).companions(embedded(tone))


def test_stereo_has_two_channels_and_loud_sounds_are_made_softer():
    both = np.stack([2 * np.sin(np.arange(900)), np.zeros(900)], axis=1)
    data = SoundMedium(8000).companions(embedded(both))[".wav"]
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 900)
        raw = np.frombuffer(file.readframes(900), "<i2").reshape(-1, 2)
    assert raw[:, 0].max() == 32767 and not raw[:, 1].any()


def test_the_picture_is_a_plot():
    image = SoundMedium(8000).pil(embedded(np.zeros(500)))
    assert image.size[0] > 500 and image.mode == "RGB"


def test_the_sound_is_read_back_from_its_wav():
    values = embedded(0.3 * np.sin(np.arange(700)))
    medium = SoundMedium(8000)
    found = medium.read(medium.pil(values), medium.companions(values))
    np.testing.assert_allclose(found, values, atol=2e-5)
    assert found.shape == values.shape and medium.read(medium.pil(values), {}) is None
