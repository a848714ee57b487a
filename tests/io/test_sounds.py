from __future__ import annotations

import io
import sys
import wave

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.io.sounds import Recording, read_sound, recording_of, wav_bytes


def tone(hz=440.0, rate=8000, seconds=0.5, size=0.5):
    return size * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


def written(path, raw, width=2, channels=1, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def test_what_is_read_is_what_was_written():
    samples = np.round(tone() * 32768) / 32768
    data, factor = wav_bytes(samples, 8000)
    found = read_sound(io.BytesIO(data))
    assert factor == 1 and found.rate == 8000
    np.testing.assert_array_equal(found.samples, samples.astype(np.float32))
    assert wav_bytes(found.samples, 8000)[0] == data


def test_sounds_beyond_one_are_made_softer_and_the_factor_is_told():
    data, factor = wav_bytes(3 * tone(), 8000)
    assert factor == pytest.approx(2 / 3, rel=1e-3)
    np.testing.assert_allclose(read_sound(io.BytesIO(data)).samples, 2 * tone(), atol=1e-3)
    assert wav_bytes(np.zeros(9), 8000)[1] == 1


def test_numbers_that_are_none_are_not_written():
    with pytest.raises(UsageError, match="not all numbers"):
        wav_bytes(np.array([0.0, np.nan]), 8000)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_whole_numbers_of_all_widths_are_read(width, tmp_path):
    high = 2 ** (8 * width - 1)
    whole = np.rint(tone() * (high - 1)).astype(np.int64)
    if width == 1:
        raw = (whole + 128).astype(np.uint8).tobytes()
    else:
        raw = b"".join(int(n).to_bytes(width, "little", signed=True) for n in whole)
    found = read_sound(written(tmp_path / "a.wav", raw, width))
    np.testing.assert_allclose(found.samples, tone(), atol=2 / high + 1e-6)


def test_channels_are_averaged(tmp_path):
    both = np.stack([tone(), -0.5 * tone()], axis=1)
    path = tmp_path / "stereo.wav"
    path.write_bytes(wav_bytes(both, 8000)[0])
    np.testing.assert_allclose(read_sound(path).samples, 0.25 * tone(), atol=1e-4)


@pytest.mark.parametrize("rate", [16000, 22050, 6000])
def test_another_rate_keeps_the_pitch(rate):
    found = Recording(tone().astype(np.float32), 8000).at_rate(rate)
    assert found.rate == rate and len(found.samples) == -(-4000 * rate // 8000)
    middle = slice(rate // 10, rate * 4 // 10)
    np.testing.assert_allclose(found.samples[middle], tone(rate=rate)[middle], atol=5e-3)


def test_the_middle_is_taken_and_silence_follows_short_ones():
    recording = Recording(np.arange(1, 11, dtype=np.float32) / 10, 10)
    np.testing.assert_allclose(recording.of_length(4).samples, [0.4, 0.5, 0.6, 0.7])
    assert recording.of_length(12).samples[9:].tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(UsageError, match=r"1 s: too short for a sound of 20 s; give .*--seconds 1"):
        recording.of_length(200)


@pytest.mark.parametrize(
    ("raw", "rate", "message"),
    [
        (b"", 8000, "an empty recording"),
        (bytes(800), 8000, "a silent recording"),
        (bytes([1, 0]) * 80, 100, "100 samples per second; expected 1000 to 768000"),
        (bytes([1, 0]) * 3_700_000, 1000, "a recording of 3700 s; expected at most 3600"),
    ],
)
def test_useless_recordings_are_refused(raw, rate, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        read_sound(written(tmp_path / "a.wav", raw, rate=rate))


def test_other_files_name_what_reads_them(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    with pytest.raises(UsageError, match="no such file"):
        read_sound(path)
    path.write_bytes(b"fLaC" + bytes(100))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UsageError, match=r"kerasviz\[sound\]"):
        read_sound(path)


def test_soundfile_reads_other_formats(tmp_path, monkeypatch):
    class Stub:
        @staticmethod
        def read(source, dtype, always_2d):
            assert dtype == "float64" and always_2d
            if source.stat().st_size < 10:
                raise RuntimeError("Format not recognised.")
            return np.stack([tone(), tone()], axis=1), 8000

    monkeypatch.setitem(sys.modules, "soundfile", Stub())
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + bytes(100))
    np.testing.assert_allclose(read_sound(path).samples, tone(), atol=1e-6)
    path.write_bytes(b"no")
    with pytest.raises(UsageError, match="Format not recognised"):
        read_sound(path)


def test_arrays_are_recordings():
    assert recording_of(np.array([16384, -32768], np.int16), 8000).samples.tolist() == [0.5, -1.0]
    assert recording_of(np.ones((4, 2)) / 2, 8000).samples.tolist() == [0.5] * 4
    for wrong, message in [
        (np.zeros(4), "a silent recording"),
        (np.array([np.nan, 0.1]), "not all numbers"),
        (np.ones(4) * 3, r"samples up to 3; expected numbers in \[-1, 1\]"),
        (np.zeros((2, 3, 4)), "2 x 3 x 4"),
        (np.arange(4), "int64"),
    ]:
        with pytest.raises(UsageError, match=message):
            recording_of(wrong, 8000)
