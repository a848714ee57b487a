"""Sounds by the commands: a waveform network, front ends, recurrent ones, and errors of a line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kerasviz
from kerasviz.io.sounds import read_sound, wav_bytes


def saved(folder, name, layers):
    import keras

    model = keras.Sequential(layers)
    for i, weights in enumerate(model.weights):
        weights.assign(keras.initializers.RandomNormal(stddev=0.3, seed=i)(weights.shape))
    model.save(folder / name)
    return folder / name


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A Keras file that takes 800 samples, with a recurrent layer."""
    from keras import layers

    folder = tmp_path_factory.mktemp("speech")
    listed = [layers.Input((800, 1)), layers.Conv1D(4, 32, strides=16, name="conv")]
    return saved(folder, "speech.keras", [*listed, layers.LSTM(3, name="states")])


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    """A Keras file that takes spectrograms of 12 frames and 10 bands, and its card."""
    from keras import layers

    folder = tmp_path_factory.mktemp("bands")
    card = {"rate": 8000, "window": 64, "hop": 32, "bands": 10, "log": "ln", "offset": 0.01}
    (folder / "card.json").write_text(json.dumps(card))
    listed = [layers.Input((12, 10, 1)), layers.Conv2D(3, 3, activation="relu", name="conv")]
    return saved(folder, "bands.keras", listed), folder / "card.json"


def succeeded(ended):
    assert ended.code == 0, ended.err
    return ended


def test_the_command_writes_sounds_and_verifies(run_cli, speech, tmp_path):
    out = tmp_path / "sounds"
    options = ["--steps", 4, "--out", out, "--json"]
    succeeded(run_cli("render", speech, "conv:1", "states:2", "--rate", 8000, *options))
    data = json.loads((out / "manifest.json").read_text())
    assert data["network"]["rate"] == 8000
    recorded = read_sound(out / "states-2.wav")
    assert (recorded.rate, len(recorded.samples)) == (8000, 800)
    assert "4 files: 4 same" in succeeded(run_cli("verify", out)).out
    again = succeeded(run_cli("render", speech, "conv:1", *options))  # the rate is remembered
    assert json.loads(again.out)["kept"] == 1


def test_a_front_end_is_kept_for_verify_and_again(run_cli, bands, tmp_path):
    file, card = bands
    out = tmp_path / "out"
    words = ("--front-end", card, "--steps", 4)
    succeeded(run_cli("render", file, "conv:1", *words, "--out", out))
    assert len(read_sound(out / "conv-1.wav").samples) == 64 + 11 * 32
    assert "2 files: 2 same" in succeeded(run_cli("verify", out)).out
    succeeded(run_cli("render", "--again", out / "conv-1.png", "--out", tmp_path / "again"))
    assert (tmp_path / "again" / "conv-1.wav").read_bytes() == (out / "conv-1.wav").read_bytes()
    in_python = kerasviz.load(file, front_end=json.loads(card.read_text()))
    made = kerasviz.render(in_python, "conv:1", steps=4, progress=False)
    assert made[0].companions()[".wav"] == (out / "conv-1.wav").read_bytes()


def test_recordings_are_changed(run_cli, speech, tmp_path):
    sound = 0.3 * np.sin(np.arange(2000) / 3)
    (tmp_path / "voice.wav").write_bytes(wav_bytes(sound, 16000)[0])
    options = ["--rate", 8000, "--steps", 4, "--from", tmp_path / "voice.wav"]
    succeeded(run_cli("render", speech, "conv:1", *options, "--out", tmp_path / "out"))
    assert len(read_sound(tmp_path / "out" / "conv-1-from-voice.wav").samples) == 800
    assert "2 files: 2 same" in succeeded(run_cli("verify", tmp_path / "out")).out


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--rate", 8000, "--seconds", 1], "takes sounds of 800 samples (0.1 s) only, not 8000"),
        (["--front-end", "yamnet"], "front end of 96 frames of 64 numbers"),
        (["--front-end", "radio"], "no front end 'radio'; choose from yamnet"),
        (["--front-end", "yamnet", "--rate", 8000], "front_end says the axes, the rate"),
        (["--rate", 8000, "--recipe", "vivid"], "recipe vivid: makes images"),
        (["--rate", 8000, "--from", "none.wav"], "none.wav"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(run_cli, speech, tmp_path, options, wrong):
    ended = run_cli("render", speech, "conv:1", *options, "--out", tmp_path / "out")
    assert ended.code != 0 and wrong in ended.err
    assert len(ended.err.strip().splitlines()) == 1
