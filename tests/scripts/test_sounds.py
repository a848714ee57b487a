from __future__ import annotations

import numpy as np
import pytest
import sounds


def test_notes_have_names_and_frequencies():
    assert [sounds.note_name(n) for n in (21, 60, 69, 70)] == ["A0", "C4", "A4", "A#4"]
    assert sounds.hertz(69) == 440 and sounds.hertz(57) == pytest.approx(220)


def test_the_energy_of_harmonics_is_counted():
    moments = np.arange(22050) / 22050
    tone = np.sin(2 * np.pi * 440 * moments) + np.sin(2 * np.pi * 880 * moments)
    other = np.sin(2 * np.pi * 600 * moments)
    first, harmonics = sounds.harmonic_share(tone + other, 22050, 440)
    assert first == pytest.approx(1 / 3, abs=0.01) and harmonics == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize(("cents", "share"), [(0, 1), (45, 1), (-45, 1), (55, 0), (-55, 0)])
@pytest.mark.parametrize("harmonic", [1, 3, 10])
def test_a_harmonic_may_miss_by_half_a_semitone(harmonic, cents, share):
    hz = 440 * harmonic * 2 ** (cents / 1200)
    tone = np.sin(2 * np.pi * hz * np.arange(44100) / 22050)
    first, every = sounds.harmonic_share(tone, 22050, 440)
    assert every == pytest.approx(share, abs=0.01)
    assert first == pytest.approx(share if harmonic == 1 else 0, abs=0.01)


class Session:
    """A network that hears speech where the sound is loud."""

    def run(self, _, feeds):
        assert feeds["input"].shape == (1, 576) and feeds["state"].shape == (2, 1, 128)
        loud = float(np.abs(feeds["input"][0, 64:]).max())
        return np.array([[loud]], np.float32), feeds["state"] + 1


def test_speech_is_heard_piece_by_piece():
    sound = np.concatenate([np.zeros(512), np.full(512, 0.5), np.zeros(300)])
    np.testing.assert_allclose(sounds.speech_heard(Session(), sound), [0.0, 0.5])
