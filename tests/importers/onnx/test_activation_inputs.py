"""The tensor before every activation function of ONNX files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx

Array = Any
acts = keras.activations

#: Operator -> attributes, opset, and the function by TensorFlow or Keras.
ONE_NODE: dict[str, tuple[dict[str, Any], int, Callable[[Any], Any]]] = {
    "Relu": ({}, 17, tf.nn.relu),
    "LeakyRelu": ({"alpha": 0.2}, 17, lambda x: tf.nn.leaky_relu(x, 0.2)),
    "Elu": ({"alpha": 0.7}, 17, lambda x: acts.elu(x, 0.7)),
    "Selu": ({}, 17, tf.nn.selu),
    "Celu": ({"alpha": 2.0}, 17, lambda x: acts.celu(x, 2.0)),
    "Softplus": ({}, 17, tf.nn.softplus),
    "Softsign": ({}, 17, tf.nn.softsign),
    "Sigmoid": ({}, 17, tf.sigmoid),
    "Tanh": ({}, 17, tf.tanh),
    "HardSwish": ({}, 17, acts.hard_silu),
    "HardSigmoid": ({"alpha": 1 / 6, "beta": 0.5}, 17, acts.hard_sigmoid),
    "ThresholdedRelu": ({"alpha": 0.5}, 17, lambda x: tf.where(x > 0.5, x, 0)),
    "Mish": ({}, 18, acts.mish),
    "Gelu": ({"approximate": "tanh"}, 20, lambda x: tf.nn.gelu(x, approximate=True)),
}

Steps = list[tuple[str, str, str]]
#: Name -> its nodes (operator, inputs, output) from c to y, and the function.
WRITTEN_OUT: dict[str, tuple[Steps, Callable[[Any], Any]]] = {
    "gelu": (
        [
            ("Div", "c root2", "a"),
            ("Erf", "a", "b"),
            ("Add", "b one", "d"),
            ("Mul", "c d", "e"),
            ("Mul", "e half", "y"),
        ],
        tf.nn.gelu,
    ),
    "gelu with its products in another order": (
        [
            ("Mul", "half c", "e"),
            ("Mul", "c root_half", "a"),
            ("Erf", "a", "b"),
            ("Add", "one b", "d"),
            ("Mul", "d e", "y"),
        ],
        tf.nn.gelu,
    ),
    "gelu by tanh": (
        [
            ("Pow", "c three", "p"),
            ("Mul", "p cubic", "q"),
            ("Add", "c q", "r"),
            ("Mul", "r root2pi", "s"),
            ("Tanh", "s", "t"),
            ("Add", "t one", "u"),
            ("Mul", "half c", "v"),
            ("Mul", "v u", "y"),
        ],
        lambda x: tf.nn.gelu(x, approximate=True),
    ),
    "gelu by tanh and products": (
        [
            ("Mul", "c c", "c2"),
            ("Mul", "c2 cubic", "q"),
            ("Add", "q one", "r"),
            ("Mul", "c r", "w"),
            ("Mul", "w root2pi", "s"),
            ("Tanh", "s", "t"),
            ("Add", "t one", "u"),
            ("Mul", "c u", "v"),
            ("Mul", "v half", "y"),
        ],
        lambda x: tf.nn.gelu(x, approximate=True),
    ),
    "quick gelu": (
        [("Mul", "c quick", "a"), ("Sigmoid", "a", "b"), ("Mul", "c b", "y")],
        lambda x: x * tf.sigmoid(1.702 * x),
    ),
    "silu": ([("Sigmoid", "c", "a"), ("Mul", "c a", "y")], tf.nn.silu),
    "silu with casts": (
        [("Cast", "c", "w"), ("Sigmoid", "w", "a"), ("Cast", "a", "n"), ("Mul", "n c", "y")],
        tf.nn.silu,
    ),
    "hard swish": (
        [
            ("Add", "c three", "a"),
            ("Clip", "a zero six", "b"),
            ("Mul", "c b", "d"),
            ("Div", "d six", "y"),
        ],
        acts.hard_silu,
    ),
    "hard swish of the relu6 first": (
        [
            ("Add", "c three", "a"),
            ("Clip", "a zero six", "b"),
            ("Mul", "b sixth", "d"),
            ("Mul", "c d", "y"),
        ],
        acts.hard_silu,
    ),
    "hard swish by a hard sigmoid": (
        [("HardSigmoid", "c", "a"), ("Mul", "c a", "y")],
        lambda x: x * tf.clip_by_value(x / 6 + 0.5, 0, 1),
    ),
    "hard sigmoid": (
        [("Add", "c three", "a"), ("Clip", "a zero six", "b"), ("Div", "b six", "y")],
        acts.hard_sigmoid,
    ),
    "mish": ([("Softplus", "c", "a"), ("Tanh", "a", "b"), ("Mul", "c b", "y")], acts.mish),
    "mish by exponentials": (
        [
            ("Exp", "c", "a"),
            ("Add", "a one", "b"),
            ("Log", "b", "d"),
            ("Tanh", "d", "e"),
            ("Mul", "e c", "y"),
        ],
        acts.mish,
    ),
    "relu6": ([("Clip", "c zero six", "y")], tf.nn.relu6),
    "leaky relu": ([("Mul", "c half", "a"), ("Max", "a c", "y")], lambda x: tf.maximum(x, x / 2)),
    "slopes": ([("PRelu", "c slopes", "y")], lambda x: tf.where(x > 0, x, x * SLOPES)),
}
SLOPES = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
CONSTANTS = {
    "root2": math.sqrt(2),
    "root_half": math.sqrt(0.5),
    "root2pi": math.sqrt(2 / math.pi),
    "cubic": 0.044715,
    "quick": 1.702,
    "sixth": 1 / 6,
    "zero": 0,
    "half": 0.5,
    "one": 1,
    "three": 3,
    "six": 6,
}


def check(
    write: Any, folder: Path, steps: list[Any], apply: Callable[[Any], Any], opset: int = 17
) -> dict[str, Any]:
    """Import a convolution, the steps and another one; only y is an activation."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        *steps,
        helper.make_node("Conv", ["y", "l"], ["z"]),
    ]
    used = {name for node in nodes for name in node.input}
    fixed = {n: np.array(v, np.float32) for n, v in CONSTANTS.items() if n in used}
    rng = np.random.default_rng(0)
    fixed |= {"k": rng.normal(size=(4, 3, 1, 1)), "l": rng.normal(size=(2, 4, 1, 1))}
    fixed = {name: array.astype(np.float32) for name, array in fixed.items()}
    if "slopes" in used:
        fixed["slopes"] = SLOPES[:, None, None]
    path = write(
        folder / "m.onnx", nodes, {"x": (np.float32, ["n", 3, "h", "w"])}, fixed, [], opset
    )
    program = read_onnx(_with_output(path, "z")).program
    found = {n: v.activation_input for n, v in program.values.items() if v.activation_input}
    assert found == {"y": "c"}
    x = 3 * rng.normal(size=(2, 5, 6, 3)).astype(np.float32)
    ours = program.compute({"x": x}, ["c", "y"])
    np.testing.assert_allclose(ours["y"], apply(ours["c"]), rtol=1e-4, atol=1e-5)
    return dict(program.values)


def _with_output(path: Path, name: str) -> Path:
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("op", ONE_NODE)
def test_one_node(op: str, write: Any, tmp_path: Path) -> None:
    attributes, opset, apply = ONE_NODE[op]
    step = helper.make_node(op, ["c"], ["y"], **attributes)
    values = check(write, tmp_path, [step], apply, opset)
    assert values["y"].relu_input == ("c" if op == "Relu" else None)


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_written_out(name: str, write: Any, tmp_path: Path) -> None:
    steps, apply = WRITTEN_OUT[name]
    extra = {"Cast": {"to": 1}, "HardSigmoid": {"alpha": 1 / 6}}
    nodes = [
        helper.make_node(op, inputs.split(), [output], **extra.get(op, {}))
        for op, inputs, output in steps
    ]
    values = check(write, tmp_path, nodes, apply)
    clips = {n: v.relu_input for n, v in values.items() if v.op == "Clip"}
    assert all(clips.values())  # switched as before, although no activation of its own


@pytest.mark.parametrize(("op", "beta"), [("QuickGelu", 1.702), ("Gelu", None)])
def test_fused_by_onnxruntime(op: str, beta: float | None, write: Any, tmp_path: Path) -> None:
    attributes = {"alpha": beta} if beta else {}
    step = helper.make_node(op, ["c"], ["y"], domain="com.microsoft", **attributes)
    check(write, tmp_path, [step], (lambda x: x * tf.sigmoid(beta * x)) if beta else tf.nn.gelu)


def test_a_bias_inside_of_an_operator_hides_its_input(write: Any, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("BiasGelu", ["t", "b"], ["y"], domain="com.microsoft"),
    ]
    fixed = {"k": np.ones((4, 3, 1, 1), np.float32), "b": np.ones(4, np.float32)}
    inputs = {"x": (np.float32, ["n", 3, "h", "w"])}
    values = read_onnx(write(tmp_path / "m.onnx", nodes, inputs, fixed)).program.values
    assert values["y"].activation_input is None
