"""RNN, GRU and LSTM against onnxruntime, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
T, B, K, H = 4, 3, 5, 2


def weights(op: str, directions: int, image: Any, *, bias: bool = True) -> dict[str, Any]:
    wide = GATES[op] * H
    made = {
        "w": image(directions, wide, K, seed=1) * 0.5,
        "r": image(directions, wide, H, seed=2) * 0.5,
        "b": image(directions, 2 * wide, seed=3) * 0.5,
    }
    return made if bias else {k: made[k] for k in "wr"}


def node(op: str, inputs: str, **attributes: Any) -> Any:
    outputs = ["y", "h", "c"] if op == "LSTM" else ["y", "h"]
    names = [name if name != "-" else "" for name in inputs.split()]
    return helper.make_node(op, names, outputs, hidden_size=H, **attributes)


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_directions(parity: Any, image: Any, op: str, direction: str) -> None:
    directions = 2 if direction == "bidirectional" else 1
    parity(
        node(op, "x w r b", direction=direction),
        {"x": image(T, B, K)},
        weights(op, directions, image),
        opset=14,
    )


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("opset", [7, 22])
def test_lengths_and_initial_states(parity: Any, image: Any, op: str, opset: int) -> None:
    """A sequence that ends early gives zeros behind its end; backwards it starts at its end."""
    constants = weights(op, 2, image)
    constants["n"] = np.array([4, 1, 3], np.int32)
    constants["h0"] = image(2, B, H, seed=5)
    constants["c0"] = image(2, B, H, seed=6)
    inputs = "x w r b n h0 c0" if op == "LSTM" else "x w r b n h0"
    if op != "LSTM":
        del constants["c0"]
    parity(
        node(op, inputs, direction="bidirectional"), {"x": image(T, B, K)}, constants, opset=opset
    )


@pytest.mark.parametrize("behind", [0, 1])
def test_gru_reset_gate(parity: Any, image: Any, behind: int) -> None:
    parity(
        node("GRU", "x w r b", linear_before_reset=behind),
        {"x": image(T, B, K)},
        weights("GRU", 1, image),
        opset=14,
    )


@pytest.mark.parametrize("coupled", [0, 1])
def test_lstm_peepholes(parity: Any, image: Any, coupled: int) -> None:
    constants = weights("LSTM", 1, image)
    constants["p"] = image(1, 3 * H, seed=8)
    parity(
        node("LSTM", "x w r b - - - p", input_forget=coupled),
        {"x": image(T, B, K)},
        constants,
        opset=14,
    )


ACTIVATIONS = [
    (["Relu"], {}),
    (["LeakyRelu"], {"activation_alpha": [0.3]}),
    (["ThresholdedRelu"], {"activation_alpha": [0.2]}),
    (["ScaledTanh"], {"activation_alpha": [0.7], "activation_beta": [1.3]}),
    (["HardSigmoid"], {"activation_alpha": [0.3], "activation_beta": [0.4]}),
    (["Elu"], {"activation_alpha": [0.6]}),
    (["Affine"], {"activation_alpha": [0.4], "activation_beta": [0.1]}),
    (["Softsign"], {}),
    (["Softplus"], {}),
]


@pytest.mark.parametrize(("names", "numbers"), ACTIVATIONS, ids=lambda v: str(v)[:20])
def test_activations(parity: Any, image: Any, names: list[str], numbers: Any) -> None:
    parity(
        node("RNN", "x w r b", activations=names, **numbers),
        {"x": image(T, B, K)},
        weights("RNN", 1, image),
        opset=14,
        gradient=len(names[0]) > 8,
    )


def test_numbers_of_activations_are_used_up_in_order(parity: Any, image: Any) -> None:
    """Sigmoid and Tanh take none, so that the second function gets the first number."""
    parity(
        node(
            "GRU",
            "x w r",
            direction="bidirectional",
            activations=["Sigmoid", "LeakyRelu", "HardSigmoid", "ScaledTanh"],
            activation_alpha=[0.3, 0.25, 0.8],
            activation_beta=[0.45, 1.2],
        ),
        {"x": image(T, B, K)},
        weights("GRU", 2, image, bias=False),
        opset=14,
    )


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_clip(parity: Any, image: Any, op: str) -> None:
    parity(
        node(op, "x w r b", clip=0.4),
        {"x": image(T, B, K)},
        weights(op, 1, image),
        opset=14,
    )


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_a_free_or_long_sequence_runs_in_a_loop(
    write: Any, image: Any, tmp_path: Any, op: str
) -> None:
    """Traced with a free length and batch, the same values and gradients as step by step."""
    constants = weights(op, 2, image)
    path = write(
        tmp_path / "m.onnx",
        [node(op, "x w r b", direction="bidirectional")],
        {"x": (np.float32, ("t", "b", K))},
        constants,
        opset=14,
    )
    program = read_onnx(path).program
    assert program.values["y"].shape == (None, 2, None, H)

    def run(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = program.compute({"x": x}, ["y", "h"], channels_last=False)
            total = tf.reduce_sum(found["y"] ** 2) + tf.reduce_sum(found["h"])
        return found["y"], found["h"], tape.gradient(total, x)

    x = tf.constant(image(T, B, K))
    looped = tf.function(run, input_signature=[tf.TensorSpec([None, None, K])], autograph=False)
    kinds = {o.type for o in looped.get_concrete_function().graph.get_operations()}
    assert kinds & {"While", "StatelessWhile"}
    for ours, theirs in zip(looped(x), run(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_batch_first(write: Any, image: Any, tmp_path: Any) -> None:
    """``layout`` 1, which onnxruntime does not run, is the other layout turned."""
    constants = weights("LSTM", 2, image) | {"h0": image(2, B, H), "c0": image(2, B, H, seed=4)}
    x = image(T, B, K)
    found = []
    for layout in (0, 1):
        turned = dict(constants)
        if layout:
            turned |= {k: constants[k].swapaxes(0, 1) for k in ("h0", "c0")}
        path = write(
            tmp_path / "m.onnx",
            [node("LSTM", "x w r b - h0 c0", direction="bidirectional", layout=layout)],
            {"x": (np.float32, (B, T, K) if layout else (T, B, K))},
            turned,
            opset=14,
        )
        feed = x.swapaxes(0, 1) if layout else x
        run = read_onnx(path).program.compute({"x": feed}, ["y", "h", "c"], channels_last=False)
        found.append([run[n].numpy() for n in ("y", "h", "c")])
    assert found[1][0].shape == (B, T, 2, H)
    np.testing.assert_allclose(found[1][0], found[0][0].transpose(2, 0, 1, 3), rtol=1e-6)
    for k in (1, 2):
        np.testing.assert_allclose(found[1][k], found[0][k].swapaxes(0, 1), rtol=1e-6)
