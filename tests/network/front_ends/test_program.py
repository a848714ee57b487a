from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard, card_named
from kerasviz.network.front_ends.program import FrontEndProgram, axes_of
from kerasviz.network.front_ends.spectrogram import spectrogram
from kerasviz.network.program import PLAIN, Described, Port, Value

SMALL = FrontEndCard(8000, 64, 32, bands=8, high=4000, log="ln", offset=0.01)


class Doubled(Described):
    """A program that doubles its input."""

    def __init__(self, shape, channels_first=False, dtype=tf.float32):
        port = Port("mel", dtype, shape, channels_first)
        self._inputs = {"mel": port, "rate": Port("rate", tf.int64, ())}
        self._outputs, self._values = ["twice"], {"twice": Value("twice", "Mul", port.last_shape)}

    def compute(self, feeds, names, *, channels_last=True, kernels=PLAIN):
        assert list(feeds) == ["rate", "mel"]
        return dict.fromkeys(names, 2 * feeds["mel"])


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((None, 96, 64), ("batch", "frame", "band")),
        ((None, None, 64), ("batch", "frame", "band")),
        ((None, 64, 96), ("batch", "band", "frame")),
        ((1, 1, 96, 64), ("batch", "channel", "frame", "band")),
        ((None, 96, 64, 1), ("batch", "frame", "band", "channel")),
        ((96, 64), ("frame", "band")),
        ((None, 64, 64), ("batch", "frame", "band")),
        ((None, 96, 65), None),
        ((None, 64), ("frame", "band")),
        ((None, 2, 96, 64), None),
        ((None, 1, 1, 96, 64), None),
    ],
)
def test_axes_are_known_by_their_lengths(shape, axes):
    assert axes_of(shape, card_named("yamnet")) == axes


def test_the_card_decides_where_both_orders_fit():
    assert axes_of((None, 80, 80), card_named("whisper")) == ("batch", "band", "frame")
    assert axes_of((None, 1024), card_named("crepe")) == ("batch", "band")
    assert axes_of((None, 360), card_named("crepe")) is None


@pytest.mark.parametrize("channels_first", [False, True])
def test_values_are_those_of_the_spectrogram(channels_first):
    shape = (None, 1, 8, 5) if channels_first else (None, 5, 8, 1)
    program = FrontEndProgram(Doubled(shape, channels_first), SMALL)
    assert program.samples == program.usual_samples == 64 + 4 * 32
    assert program.inputs["waveform"].shape == (None, 192) and "rate" in program.inputs
    sounds = tf.constant(np.random.default_rng(0).normal(0, 0.1, (2, 192)), tf.float32)
    wanted = spectrogram(SMALL, sounds).numpy()
    feeds = {"waveform": sounds, "rate": tf.constant(8000, tf.int64)}
    last = program.compute(feeds, ["spectrogram", "twice", "mel"])
    shown = last["mel"].numpy()[..., 0]
    np.testing.assert_array_equal(shown.transpose(0, 2, 1) if channels_first else shown, wanted)
    np.testing.assert_array_equal(last["twice"], 2 * last["spectrogram"])
    own = program.compute(feeds, ["mel"], channels_last=False)["mel"]
    assert own.shape == tuple(n or 2 for n in shape)
    value = program.values["mel"]
    assert value.aliases == ("spectrogram",) and value.inputs == ("waveform",)


def test_sounds_of_another_length_are_refused_with_the_length_to_give():
    program = FrontEndProgram(Doubled((None, 5, 8)), SMALL)
    feeds = {"waveform": tf.zeros([1, 300]), "rate": tf.constant(8000, tf.int64)}
    with pytest.raises(UsageError, match=r"8 frames, the network takes 5; .*--seconds 0.024"):
        program.compute(feeds, ["twice"])
    free = FrontEndProgram(Doubled((None, None, 8)), SMALL)
    assert free.samples is None and free.usual_samples is None
    assert free.compute(feeds, ["twice"])["twice"].shape == (1, 8, 8)


def test_cards_that_pad_take_shorter_sounds():
    program = FrontEndProgram(Doubled((None, 80, 3000)), card_named("whisper"))
    assert program.samples is None and program.usual_samples == 480000
    feeds = {"waveform": tf.ones([1, 800]) * 0.1, "rate": tf.constant(0, tf.int64)}
    assert program.compute(feeds, ["mel"])["mel"].shape == (1, 80, 3000)


def test_networks_of_other_inputs_are_refused():
    with pytest.raises(UsageError, match=r"any frames of 8 numbers: .* inputs: mel \[any, 9, 7\]"):
        FrontEndProgram(Doubled((None, 9, 7)), SMALL)
