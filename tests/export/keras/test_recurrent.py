"""Recurrent ONNX nodes as Keras' layers, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from support.onnx_parity import save_model

import kerasviz
from kerasviz.errors import ModelError
from kerasviz.export.convert import convert

node = helper.make_node
STEPS, INPUTS, HIDDEN = 9, 5, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def network(
    folder: Path, op: str, *, directions: int = 1, behind: str = "Y", **options: Any
) -> Path:
    """Send rows of an image [n, 1, 5, steps] through a recurrent layer to its output ``behind``."""
    draw = np.random.default_rng(GATES[op] + directions)
    gates = GATES[op] * HIDDEN
    constants = {
        "w": (draw.normal(size=(2, 1, 3, 1)) * 0.5)[:1].astype(np.float32),
        "lw": (draw.normal(size=(directions, gates, INPUTS)) * 0.5).astype(np.float32),
        "lr": (draw.normal(size=(directions, gates, HIDDEN)) * 0.5).astype(np.float32),
        "lb": (draw.normal(size=(directions, 2 * gates)) * 0.5).astype(np.float32),
        "one": np.array([1]),
        "zero": np.zeros((directions, 1, HIDDEN), np.float32),
    }
    inputs = options.pop("inputs", ["steps", "lw", "lr", "lb"])
    perm = [0, 2, 1] if options.get("layout") else [2, 0, 1]
    nodes = [
        node("Conv", ["x", "w"], ["conv"], pads=[1, 0, 1, 0]),
        node("Squeeze", ["conv", "one"], ["rows"]),
        node("Transpose", ["rows"], ["steps"], perm=perm),
        node(op, inputs, ["Y", "Y_h"], "layer", hidden_size=HIDDEN, **options),
        node("Tanh", [behind], ["out"]),
    ]
    used = {name for one in nodes for name in one.input}
    constants = {name: array for name, array in constants.items() if name in used}
    shape = ("n", 1, INPUTS, STEPS)
    return save_model(folder / "m.onnx", nodes, {"x": (np.float32, shape)}, constants, ["out"], 17)


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "LSTM": ("LSTM", {}),
    "LSTM, last state": ("LSTM", {"behind": "Y_h"}),
    "LSTM, both ways": ("LSTM", {"direction": "bidirectional", "directions": 2}),
    "LSTM without bias": ("LSTM", {"inputs": ["steps", "lw", "lr"]}),
    "LSTM with other functions": ("LSTM", {"activations": ["Sigmoid", "Softsign", "Softsign"]}),
    "GRU": ("GRU", {}),
    "GRU, reset after": ("GRU", {"linear_before_reset": 1}),
    "GRU, reset after, without bias": (
        "GRU",
        {"linear_before_reset": 1, "inputs": ["steps", "lw", "lr"]},
    ),
    "GRU, backwards": ("GRU", {"direction": "reverse", "linear_before_reset": 1}),
    "GRU, both ways, last state": (
        "GRU",
        {"direction": "bidirectional", "directions": 2, "behind": "Y_h"},
    ),
    "RNN": ("RNN", {}),
    "RNN, rectified": ("RNN", {"activations": ["Relu"]}),
    "RNN, zero state": ("RNN", {"inputs": ["steps", "lw", "lr", "lb", "", "zero"]}),
}


@pytest.mark.parametrize("case", CASES)
def test_keras_layers_have_the_values_of_onnxruntime(case: str, tmp_path: Path) -> None:
    op, options = CASES[case]
    path = network(tmp_path, op, **options)
    convert(kerasviz.load(path), tmp_path / "m.keras")
    model = keras.saving.load_model(tmp_path / "m.keras")
    kind = "SimpleRNN" if op == "RNN" else op
    layers = [layer for layer in model.layers if type(layer).__name__ == kind]
    assert len(layers) == options.get("directions", 1)
    count = 1 if "zero state" in case else 3
    x = np.random.default_rng(7).normal(size=(count, 1, INPUTS, STEPS)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"x": x})[0]
    got = np.asarray(model(x.transpose(0, 2, 3, 1)))
    got = got.reshape(wanted.shape)
    np.testing.assert_allclose(got, wanted, 1e-5, 1e-5)


def test_batch_first_against_steps_first(tmp_path: Path) -> None:
    """onnxruntime does not run ``layout=1`` itself."""
    convert(kerasviz.load(network(tmp_path, "GRU", layout=1)), tmp_path / "first.keras")
    convert(kerasviz.load(network(tmp_path, "GRU")), tmp_path / "steps.keras")
    x = np.random.default_rng(7).normal(size=(3, INPUTS, STEPS, 1)).astype(np.float32)
    first, steps = (
        np.asarray(keras.saving.load_model(tmp_path / f"{name}.keras")(x))
        for name in ("first", "steps")
    )
    np.testing.assert_allclose(first.transpose(1, 2, 0, 3), steps, 1e-6)


@pytest.mark.parametrize(
    ("op", "options", "reason"),
    [
        ("LSTM", {"clip": 0.5}, "has clip, which Keras' LSTM has not"),
        ("GRU", {"activations": ["HardSigmoid", "Tanh"]}, "the activations hardsigmoid, tanh"),
        ("LSTM", {"activations": ["Sigmoid", "Tanh", "Relu"]}, "sigmoid, tanh, relu"),
        ("LSTM", {"input_forget": 1}, "input_forget"),
    ],
)
def test_what_keras_has_not_is_said(
    op: str, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = network(tmp_path, op, **options)
    with pytest.raises(ModelError, match=reason + ".*--to saved_model works"):
        convert(kerasviz.load(path), tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


def test_layers_behind_each_other(tmp_path: Path) -> None:
    path = network(tmp_path, "LSTM", direction="bidirectional", directions=2)
    model = onnx.load(path)
    nodes = [
        node("Transpose", ["Y"], ["turned"], perm=[0, 2, 1, 3]),
        node("Reshape", ["turned", "shape"], ["wide"]),
        node("GRU", ["wide", "gw", "gr"], ["", "end"], hidden_size=3),
    ]
    del model.graph.node[-1], model.graph.output[:]
    draw = np.random.default_rng(0)
    arrays = {
        "shape": np.array([0, 0, 2 * HIDDEN]),
        "gw": draw.normal(size=(1, 9, 2 * HIDDEN)).astype(np.float32),
        "gr": draw.normal(size=(1, 9, 3)).astype(np.float32),
    }
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in arrays.items())
    model.graph.output.append(onnx.ValueInfoProto(name="end"))
    path.write_bytes(model.SerializeToString())
    convert(kerasviz.load(path), tmp_path / "m.keras")
    x = draw.normal(size=(2, 1, INPUTS, STEPS)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    got = np.asarray(loaded(x.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(got, session.run(None, {"x": x})[0], 1e-5, 1e-5)
