"""Sounds of optimized spectrograms by a guessed front end: energy, what is kept, layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import kerasviz
from kerasviz.examples.listening import listen
from kerasviz.io.sounds import read_sound
from kerasviz.network.front_ends.card import FrontEndCard
from kerasviz.network.front_ends.mel import hz_to_mel, mel_to_hz
from kerasviz.network.network import Network

BANDS, FRAMES, LIKED = 24, 40, 9
GUESS = {"rate": 8000, "window": 256, "hop": 128, "bands": BANDS, "low": 100, "high": 3600}
GUESS |= {"log": "ln", "offset": 0.01}


def network(folder: Path, *, turned: bool = False) -> Network:
    """A file whose unit 0 likes one band and dislikes the others; ``turned`` has bands first."""
    import keras

    kernel = np.full((1, BANDS, 2), -1.0 / (BANDS - 1), np.float32)
    kernel[0, LIKED], kernel[..., 1] = 1, 0
    given = keras.Input((BANDS, FRAMES) if turned else (FRAMES, BANDS))
    x = keras.layers.Permute((2, 1))(given) if turned else given
    layer = keras.layers.Conv1D(2, 1, name="likes")
    model = keras.Model(given, layer(x))
    layer.set_weights([kernel, np.zeros(2, np.float32)])
    model.save(folder / "bands.keras")
    axes = "batch,band,frame" if turned else "batch,frame,band"
    return kerasviz.load(str(folder / "bands.keras"), axes=axes, range_=(-4.6, 3.0))


@pytest.mark.parametrize("turned", [False, True])
def test_the_sound_has_the_band_that_the_unit_likes(tmp_path: Path, turned: bool) -> None:
    net = network(tmp_path, turned=turned)
    kerasviz.render(net, "likes:0", steps=60, out=tmp_path / "bands")
    (heard,) = listen(tmp_path / "bands", GUESS, net, seed=3)
    assert heard.file == tmp_path / "bands-sounds" / "likes-0.wav"
    sound = read_sound(heard.file)
    assert sound.rate == GUESS["rate"]
    assert len(sound.samples) == FrontEndCard(**GUESS).samples_of(FRAMES)  # type: ignore[arg-type]
    energy = np.abs(np.fft.rfft(sound.samples)) ** 2
    hz = np.fft.rfftfreq(len(sound.samples), 1 / sound.rate)
    low, high = hz_to_mel(np.array([100.0, 3600.0]), "htk")
    edges = low + (high - low) * np.array([LIKED, LIKED + 2]) / (BANDS + 1)
    inside = (hz >= mel_to_hz(edges, "htk")[0]) & (hz <= mel_to_hz(edges, "htk")[1])
    assert energy[inside].sum() > 0.5 * energy.sum()
    assert 0.5 < heard.kept < 1.2 and not heard.warning
    again = listen(tmp_path / "bands", GUESS, net, out=tmp_path / "again", seed=3)
    assert again[0].file.read_bytes() == heard.file.read_bytes() and again[0].kept == heard.kept


def test_what_a_sound_keeps_is_what_the_network_says_of_it(tmp_path: Path) -> None:
    net = network(tmp_path)
    kerasviz.render(net, "likes:0", steps=20, out=tmp_path / "bands")
    (heard,) = listen(tmp_path / "bands", GUESS, net)
    whole = kerasviz.load(str(tmp_path / "bands.keras"), front_end=GUESS)
    samples = read_sound(heard.file).samples

    def largest(net: Network, values: Any) -> float:
        return float(tf.reduce_max(net.activations(values, ["likes"])["likes"][..., 0]))

    of_sound = largest(whole, tf.constant((samples + 1)[None, None, :, None] / 2))
    numbers = np.load(tmp_path / "bands" / "likes-0.npy")
    values = (numbers + 4.6) / 7.6
    of_numbers = largest(net, tf.constant(values[None, ..., None].astype(np.float32)))
    assert heard.kept == pytest.approx(of_sound / of_numbers, rel=1e-3)


def test_what_cannot_be_heard_is_refused_in_a_line(tmp_path: Path) -> None:
    net = network(tmp_path)
    kerasviz.render(net, "likes:0", steps=1, out=tmp_path / "bands")
    with pytest.raises(kerasviz.UsageError, match="40 x 24 numbers: the front end has 64 bands"):
        listen(tmp_path / "bands", "yamnet", net)
    with pytest.raises(kerasviz.UsageError, match="yamnett"):
        listen(tmp_path / "bands", "yamnett", net)
    with pytest.raises(kerasviz.UsageError, match="pieces of a sound"):
        listen(tmp_path / "bands", "silero-vad", net)
    with pytest.raises(kerasviz.UsageError, match="nowhere"):
        listen(tmp_path / "nowhere", GUESS, net)
    whole = kerasviz.load(str(tmp_path / "bands.keras"), front_end=GUESS)
    kerasviz.render(whole, "likes:0", steps=1, out=tmp_path / "sounds")
    with pytest.raises(kerasviz.UsageError, match="takes sounds: kerasviz listen is for"):
        listen(tmp_path / "sounds", GUESS, whole)
