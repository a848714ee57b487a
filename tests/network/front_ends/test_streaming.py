from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import card_named
from kerasviz.network.front_ends.streaming import StreamCard, StreamingProgram
from kerasviz.network.program import PLAIN, Described, Port, Value

CARD = StreamCard(8000, 4, 2, (("state", "stateN"),), (("sr", 8000),))
WEIGHTS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


class Recurrent(Described):
    """state' = tanh(x W + state / 2), whose state has the axes [1, B, 3]."""

    def __init__(self, shape=(None, 6)):
        ports = (
            Port("x", tf.float32, shape),
            Port("state", tf.float32, (1, None, 3)),
            Port("sr", tf.int64, ()),
        )
        self._inputs = {port.name: port for port in ports}
        self._outputs = ["mean", "stateN"]
        self._values = {
            "stateN": Value("stateN", "Tanh", (1, None, 3)),
            "cell": Value("cell", "Squeeze", (None, 3)),
            "pair": Value("pair", "Stack", (None, 2, 3)),
            "mean": Value("mean", "Mean", (None, 1)),
        }

    def compute(self, feeds, names, *, channels_last=True, kernels=PLAIN):
        assert feeds["sr"].dtype == tf.int64 and set(feeds) == {"x", "state", "sr"}
        state = tf.tanh(feeds["x"] @ WEIGHTS + feeds["state"][0] / 2)
        pair = tf.stack([state, -state], axis=1)
        mean = tf.reduce_mean(state, axis=1, keepdims=True)
        values = {"stateN": state[None], "cell": state, "pair": pair, "mean": mean}
        return {name: values[name] for name in names}


def twin(sound):
    padded = np.concatenate([np.zeros(2), sound, np.zeros(-len(sound) % 4)])
    state, states = np.zeros(3), []
    for start in range(0, len(padded) - 5, 4):
        state = np.tanh(padded[start : start + 6] @ WEIGHTS + state / 2)
        states.append(state)
    return np.stack(states)


@pytest.mark.parametrize("samples", [4, 11, 16])
def test_states_go_from_step_to_step(samples):
    program = StreamingProgram(Recurrent(), CARD)
    assert list(program.inputs) == ["x"] and program.inputs["x"].shape == (None, None)
    sounds = np.random.default_rng(1).normal(size=(2, samples)).astype(np.float32)
    found = program.compute({"x": tf.constant(sounds)}, ["cell", "pair", "mean"])
    for row in range(2):
        wanted = twin(sounds[row])
        np.testing.assert_allclose(found["cell"][row], wanted, atol=1e-5)
        np.testing.assert_allclose(found["mean"][row, :, 0], wanted.mean(axis=1), atol=1e-5)
        pairs = np.stack([wanted, -wanted], axis=1).reshape(-1, 3)
        np.testing.assert_allclose(found["pair"][row], pairs, atol=1e-5)


def test_the_gradient_reaches_the_first_samples():
    program, sound = StreamingProgram(Recurrent(), CARD), np.full((1, 12), 0.1, np.float32)

    @tf.function
    def slope(given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            last = tf.reduce_sum(program.compute({"x": given}, ["cell"])["cell"][:, -1])
        return tape.gradient(last, given)

    found = slope(tf.constant(sound)).numpy()[0]
    for place in (0, 5, 11):
        nudge = np.zeros(12)
        nudge[place] = 1e-4
        wanted = (twin(sound[0] + nudge)[-1].sum() - twin(sound[0] - nudge)[-1].sum()) / 2e-4
        assert found[place] == pytest.approx(wanted, abs=1e-4)
    assert abs(found[0]) > 1e-5


def test_values_are_those_with_a_row_for_each_sound():
    program = StreamingProgram(Recurrent(), CARD)
    shapes = {name: value.shape for name, value in program.values.items()}
    assert shapes == dict.fromkeys(("cell", "pair"), (None, None, 3)) | {"mean": (None, None, 1)}
    assert "stateN" in program.left_out and program.outputs == ["mean"]
    assert all(value.inputs == ("x",) for value in program.values.values())


def test_cards_survive_plain_data_and_impossible_ones_are_refused():
    assert StreamCard.from_json(json.loads(json.dumps(CARD.to_json()))) == CARD
    assert card_named("silero-vad") == StreamCard(
        16000, 512, 64, (("state", "stateN"),), (("sr", 16000),)
    )
    for changes, message in [
        ({"chunk": 0}, "chunk 0; expected a whole number, 1 or more"),
        ({"context": 1.5}, "context 1.5"),
        ({"states": ["state"]}, r"states \['state'\]; expected inputs such as"),
        ({"held": {"sr": "16k"}}, "expected inputs such as"),
        ({"hop": 3}, "hop"),
    ]:
        with pytest.raises(UsageError, match=message):
            StreamCard.from_json({**CARD.to_json(), **changes})
    with pytest.raises(UsageError, match="rate is missing"):
        StreamCard.from_json({"chunk": 3})


@pytest.mark.parametrize(
    ("states", "held", "message"),
    [
        ((("h", "stateN"),), (("sr", 1),), "no 'h'; inputs: x, state, sr"),
        ((("state", "h"),), (("sr", 1),), "no 'h'"),
        ((("state", "stateN"),), (), "one input of sound is expected beside them"),
    ],
)
def test_other_networks_are_refused(states, held, message):
    with pytest.raises(UsageError, match=message):
        StreamingProgram(Recurrent(), StreamCard(8000, 4, 2, states, held))
