from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sounds
from docsite.pages import blocks
from support.sounds import RATE, listener

import kerasviz
from kerasviz.optvis.recipes import recipe


def test_notes_have_names_and_frequencies():
    assert [sounds.note_name(n) for n in (21, 60, 69, 70)] == ["A0", "C4", "A4", "A#4"]
    assert sounds.hertz(69) == 440 and sounds.hertz(57) == pytest.approx(220)


def test_the_energy_of_harmonics_is_counted():
    moments = np.arange(22050) / 22050
    tone = np.sin(2 * np.pi * 440 * moments) + np.sin(2 * np.pi * 880 * moments)
    other = np.sin(2 * np.pi * 600 * moments)
    first, harmonics = sounds.harmonic_share(tone + other, 22050, 440)
    assert first == pytest.approx(1 / 3, abs=0.01) and harmonics == pytest.approx(2 / 3, abs=0.01)


def test_the_recipe_for_notes_is_the_one_of_the_page(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "pages" / "howto" / "sound.md").read_text()
    (block,) = [b.text for b in blocks(text) if b.language == "json" and "music" in b.text]
    (tmp_path / "music.json").write_text(block)
    assert recipe(tmp_path / "music.json") == sounds.music()


def test_what_does_not_matter_stays_silent():
    """A kernel of 160 samples hears bins of 25 Hz; nearly all energy is in that of its tone."""
    settings = {"steps": 100, "seconds": 0.5, "progress": False}
    made = kerasviz.render(listener((300.0, 750.0)), "tones:1", recipe=sounds.music(), **settings)
    sound = 2 * made[0].image[0, :, 0].astype(np.float64) - 1
    energy = np.abs(np.fft.rfft(sound)) ** 2
    near = np.abs(np.fft.rfftfreq(len(sound), 1 / RATE) - 750) <= RATE / 160
    assert energy[near].sum() > 0.9 * energy.sum()


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
