"""Signals by the commands: files, what is remembered, and errors of one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kerasviz
from kerasviz.errors import UsageError


@pytest.fixture(scope="module")
def ecg(tmp_path_factory):
    """A Keras file that takes signals of 5 channels and 60 moments, with a recurrent layer."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((60, 5)),
            layers.Conv1D(6, 7, strides=2, activation="relu", name="conv"),
            layers.LSTM(5, return_sequences=True, name="states"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(3, name="logits"),
        ]
    )
    for i, weights in enumerate(model.weights):
        weights.assign(keras.initializers.RandomNormal(stddev=0.3, seed=i)(weights.shape))
    path = tmp_path_factory.mktemp("ecg") / "ecg.keras"
    model.save(path)
    return path


def succeeded(ended):
    assert ended.code == 0, ended.err
    return ended


def test_the_command_renders_and_verifies(run_cli, ecg, tmp_path):
    options = ["--steps", 8, "--out", tmp_path / "out", "--json"]
    words = ("--range", "-1,1", "--rate", 100)
    succeeded(run_cli("render", ecg, "conv:1", "states:2", "logits:0", *words, *options))
    data = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert data["network"]["axes"] == "batch,time,channel" and data["network"]["rate"] == 100
    assert (tmp_path / "out" / "conv-1.csv").read_text().startswith("seconds,0,1,")
    assert "9 files: 9 same" in succeeded(run_cli("verify", tmp_path / "out")).out
    again = succeeded(run_cli("render", ecg, "conv:1", *options))  # range and rate are remembered
    assert json.loads(again.out)["kept"] == 1
    file = tmp_path / "out" / "conv-1.png"
    succeeded(run_cli("render", "--again", file, "--out", tmp_path / "again"))
    assert (tmp_path / "again" / "conv-1.npy").read_bytes() == (
        tmp_path / "out" / "conv-1.npy"
    ).read_bytes()


def test_a_range_alone_says_that_three_axes_are_a_signals(run_cli, ecg, tmp_path):
    """As in Python; they might be those of grey images, too."""
    succeeded(run_cli("render", ecg, "conv:1", "--range", "-1,1", "--steps", 2, "--out", tmp_path))
    data = json.loads((tmp_path / "manifest.json").read_text())
    assert data["network"]["axes"] == "batch,time,channel"
    assert np.load(tmp_path / "conv-1.npy").shape == (60, 5)


def test_other_commands_take_signals(run_cli, ecg):
    assert "conv" in succeeded(run_cli("taps", ecg)).out
    assert "taps agree with" in succeeded(run_cli("check", ecg)).out


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ([], "give --range LOW,HIGH"),
        (["--range", "-1,1", "--size", "100"], "takes signals of 60 only, not 100"),
        (["--range", "-1,1", "--axes", "batch,tim,channel"], "unknown axis 'tim'"),
        (["--range", "-1,1", "--axes", "batch,time"], "no input of floats has 2 axes"),
        (["--range", "nan.npy"], "numbers are not finite"),
        (["--range", "few.npy"], "an array of 4 channels: input"),
        (["--range", "-1,1", "--preprocess", "unit"], "give --range, or --preprocess"),
        (["--range", "-1,1", "--recipe", "maco"], "choose signal"),
    ],
)
def test_bad_input_is_said_in_one_line(run_cli, ecg, options, wrong):
    np.save("nan.npy", np.full((60, 5), np.nan))
    np.save("few.npy", np.ones((60, 4)))
    ended = run_cli("render", ecg, "conv:1", "--steps", 2, *options)
    assert ended.code == 2 and wrong in ended.err
    assert ended.err.count("\n") == 1


def test_python_takes_the_same_words(ecg):
    data = np.random.default_rng(0).normal(size=(3, 60, 5))
    net = kerasviz.load(ecg, range_=data, rate=100, axes="batch,time,channel")
    assert np.isclose(net.input_spec.range[1], data.max(), rtol=1e-4)
    with pytest.raises(UsageError, match="give range_, or input_spec"):
        kerasviz.load(ecg, range_=(-1, 1), preprocess="unit")
    with pytest.raises(UsageError, match="rate 0: expected a whole number"):
        kerasviz.load(ecg, rate=0)


@pytest.mark.parametrize(
    "command",
    [
        ("figures", "--model"),
        ("explain",),
        ("export",),
    ],
)
def test_commands_for_images_say_so(run_cli, ecg, command):
    rest = {"export": ["served"], "explain": ["photo.jpg"]}
    words = rest.get(command[0], [])
    ended = run_cli(*command, ecg, *words, "--range", "-1,1")
    assert ended.code == 2 and "takes signals, and this is for networks that" in ended.err
