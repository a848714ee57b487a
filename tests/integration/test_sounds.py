"""Sounds from a network to files: pictures, WAV files, verify, resume, recordings, errors."""

from __future__ import annotations

import numpy as np
import pytest
from support.sounds import RATE, band_network, listener

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.sounds import read_sound, wav_bytes
from kerasviz.network.front_ends.mel import mel_filters
from kerasviz.network.front_ends.wrapped import with_front_end
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.render import render
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

CARD = {
    "rate": 8000,
    "window": 256,
    "hop": 128,
    "bands": 20,
    "low": 100,
    "mel": "slaney",
    "log": "ln",
    "offset": 0.01,
}


def heard(picture):
    return 2 * picture.image[0, :, 0].astype(np.float64) - 1


def energy_of(sound, rate):
    return np.fft.rfftfreq(len(sound), 1 / rate), np.abs(np.fft.rfft(sound)) ** 2


@pytest.mark.parametrize("hz", [300.0, 750.0])
def test_the_tone_of_a_kernel_is_found(hz):
    net = listener((300.0, 750.0), 2000)
    made = render(net, f"tones:{(300.0, 750.0).index(hz)}", steps=256, progress=False)
    sound = heard(made[0])
    np.testing.assert_allclose(np.sqrt(np.mean(sound**2)), 0.1, rtol=1e-4)
    frequencies, energy = energy_of(sound, RATE)
    # A kernel of 160 samples hears no finer than its own bins of 25 Hz.
    assert abs(frequencies[np.argmax(energy)] - hz) <= RATE / 160
    near = energy[np.abs(frequencies - hz) <= 0.1 * hz].sum() / energy.sum()
    assert near > 0.5


@pytest.mark.parametrize("band", [5, 12])
def test_a_band_of_a_spectrogram_gets_its_energy(band):
    net = with_front_end(band_network(20), CARD)
    assert net.medium == "sound" and net.rate == 8000 and net.taps["spectrogram"].channels == 20
    made = render(net, f"bands:{band}", steps=200, seconds=0.5, progress=False)
    frequencies, energy = energy_of(heard(made[0]), 8000)
    filters = mel_filters("slaney", 8000, 256, 20, (100, 4000), False)
    lines = np.flatnonzero(filters[:, band]) * 8000 / 256
    # A bin of the transform is as wide as the window lets it be.
    inside = (frequencies >= lines[0] - 31) & (frequencies <= lines[-1] + 31)
    assert energy[inside].sum() > 0.5 * energy.sum()


def test_rows_do_not_depend_on_their_neighbours():
    settings = {"steps": 12, "batch": 4, "seconds": 0.2, "progress": False}
    alone = render(listener(), channel("tones", 0), **settings)
    beside = render(listener(), [channel("tones", 1), channel("tones", 0)], **settings)
    np.testing.assert_array_equal(alone[0].image, beside[1].image)


def test_files_are_kept_verified_and_continued(tmp_path):
    net = listener()
    settings = {"steps": 12, "seconds": 0.5, "progress": False}
    made = render(net, ["tones:0", "tones:1"], snapshots=[4], out=tmp_path, **settings)
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"tones-0{end}" for end in (".png", ".wav", ".step00004.png")} <= names
    found = read_sound(tmp_path / "tones-0.wav")
    assert found.rate == RATE and len(found.samples) == 2000
    np.testing.assert_allclose(found.samples, heard(made[0]), atol=2 / 32768)
    score = net.program.compute({"wave": found.samples[None]}, ["tones"])["tones"]
    assert float(np.mean(score[..., 0])) == pytest.approx(made[0].score, rel=2e-3)
    page = (tmp_path / "index.html").read_text()
    assert '<audio controls preload="none" src="tones-0.wav">' in page
    assert verify_pictures(tmp_path, net).same
    requests = [picture.request for picture in made]
    kept = (tmp_path / "tones-0.wav").read_bytes()
    assert render_into(Store(tmp_path, net), requests).made == 0
    (tmp_path / "tones-0.wav").write_bytes(b"other")
    results = {check.file: check.result for check in verify_pictures(tmp_path, net).files}
    assert results["tones-0.wav"] == "changed" and results["tones-1.wav"] == "same"
    assert render_into(Store(tmp_path, net), requests).made == 1
    assert (tmp_path / "tones-0.wav").read_bytes() == kept


def test_the_front_end_is_recorded_and_decides_the_picture(tmp_path):
    net = with_front_end(band_network(20), CARD)
    settings = {"steps": 4, "seconds": 0.1, "progress": False}
    made = render(net, "bands:3", out=tmp_path, **settings)
    other = with_front_end(band_network(20), {**CARD, "offset": 0.02})
    assert made[0].request.key(net) != made[0].request.key(other)
    assert verify_pictures(tmp_path, net).same
    assert verify_pictures(tmp_path, band_network(20)).same


def test_a_recording_is_changed_no_more_than_it_takes(tmp_path):
    net = listener()
    moments = np.arange(2000) / RATE
    noise = np.random.default_rng(0).normal(0, 0.05, 2000)
    sound = 0.2 * np.sin(2 * np.pi * 520 * moments) + noise
    (tmp_path / "rec.wav").write_bytes(wav_bytes(sound, RATE)[0])
    settings = {"seconds": 0.5, "progress": False, "precision": "float32"}
    settings |= {"from_": tmp_path / "rec.wav", "steps": 60, "snapshots": [0]}
    made = render(net, "tones:0", **settings)
    first = 2 * made[0].snapshots[0][0, :, 0] - 1
    again = read_sound(tmp_path / "rec.wav").samples
    slow = np.fft.rfft(again) * (np.fft.rfftfreq(2000, 1 / RATE) >= 20)
    np.testing.assert_allclose(first, np.fft.irfft(slow, 2000), atol=1e-4)
    assert np.sqrt(np.mean(heard(made[0]) ** 2)) == pytest.approx(
        np.sqrt(np.mean(first**2)), rel=1e-4
    )
    frequencies, before = energy_of(first, RATE)
    _, after = energy_of(heard(made[0]), RATE)
    near = np.abs(frequencies - 300) < 20
    assert after[near].sum() > 3 * before[near].sum()
    assert made[0].request.recipe.name == "sound-accentuation"
    render(net, "tones:0", out=tmp_path / "out", **settings)
    assert verify_pictures(tmp_path / "out", net).same
    assert (tmp_path / "out" / "tones-0-from-rec.wav").is_file()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"recipe": "vivid"},
            "recipe vivid: makes images, and listener takes sounds; choose sound",
        ),
        ({"seconds": 0}, "seconds 0: expected above 0"),
        ({"seconds": 10000}, "at most 600"),
        ({"seconds": float("nan")}, "seconds nan: expected a number"),
        ({"seconds": 1, "size": 4000}, "seconds and size are the same setting"),
        ({"seconds": 0.001}, "tones cannot be computed from sounds of 4"),
        ({"from_": np.zeros(4000)}, "recording 0: a silent recording"),
        ({"from_": np.full(4000, np.nan)}, "recording 0: its samples are not all numbers"),
        ({"from_": np.ones(100)}, "too short for a sound of 2 s"),
        ({"from_": np.ones((8, 8, 3))}, "8 x 8 x 3"),
    ],
)
def test_what_makes_no_sound_is_refused_in_one_line(settings, message):
    with pytest.raises(KerasvizError, match=message) as raised:
        render(listener(), "tones:0", progress=False, **settings)
    assert "\n" not in str(raised.value)


def test_other_rates_and_lengths_are_refused():
    sound = recipe("sound")
    other = sound.replace(
        transform=sound.transform, parameterization=type(sound.parameterization)(8000)
    )
    with pytest.raises(UsageError, match="sounds of 8000 Hz, and listener takes 4000 Hz"):
        render(listener(), "tones:0", recipe=other, progress=False)
    fixed = listener(samples=2000)
    with pytest.raises(UsageError, match=r"2000 samples \(0.5 s\) only, not 4000 samples \(1 s\)"):
        render(fixed, "tones:0", seconds=1, progress=False)
    with pytest.raises(UsageError, match="has a front end"):
        with_front_end(with_front_end(band_network(20), CARD), "yamnet")
