from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.sounds import recordings_in, wav_bytes
from kerasviz.rendering.photos import listed_photos
from kerasviz.rendering.recordings import hold_recording


def tone(rate=8000, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.wav").write_bytes(wav_bytes(tone(), 8000)[0])
    (tmp_path / "a.wav").write_bytes(wav_bytes(tone(16000), 16000)[0])
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def test_files_and_folders_are_listed_by_name(folder):
    names = [path.name for path in listed_photos([folder, folder / "b.wav"])]
    assert names == ["a.wav", "b.wav", "b.wav"]
    assert recordings_in(folder / "b.wav") == []


def test_a_recording_is_held_at_the_rate_of_the_network(folder):
    held = hold_recording(folder / "a.wav", 0, 4000, 8000, 1)
    assert held.numbers.shape == (1, 4000, 1) and held.name == "a.wav"
    assert held.numbers.dtype == np.float32
    np.testing.assert_allclose(2 * held.numbers[0, 400:3600, 0] - 1, tone()[400:3600], atol=5e-3)
    stereo = hold_recording(tone(), 3, 2000, 8000, 2)
    assert stereo.numbers.shape == (1, 2000, 2) and stereo.name == "recording 3"
    assert hold_recording(folder / "a.wav", 0, 4000, 8000, 1) == held


def test_what_is_no_recording_is_refused(folder):
    quiet = np.zeros(8000)
    quiet[0] = 0.5
    for sound, samples, message in [
        (Image.new("RGB", (8, 8)), 800, "from Image: expected a recording"),
        (folder / "none.wav", 800, "no such file"),
        (folder / "b.wav", 80000, "b.wav: recording of 0.5 s"),
        (quiet, 800, "recording 1: its middle is silent"),
        (np.full(800, np.nan), 800, "not all numbers"),
        (folder / "notes.txt", 800, "no (WAV file|recording)"),
    ]:
        with pytest.raises(UsageError, match=message):
            hold_recording(sound, 1, samples, 8000, 1)
