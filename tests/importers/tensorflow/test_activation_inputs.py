"""The tensor before every activation function of TensorFlow graphs and Keras models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasviz.importers import read
from kerasviz.importers.keras.file import program_of
from kerasviz.importers.tensorflow.program import program_over

ACTIVATIONS = [
    *("celu", "elu", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
    *("leaky_relu", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu"),
    *("soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus"),
    *("swish", "tanh", "tanh_shrink"),
]
RELUS = ("relu", "relu6")
X = 3 * np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)


def test_every_activation_of_a_keras_layer(tmp_path: Path) -> None:
    image = y = keras.Input((5, 6, 3), name="image")
    for name in ACTIVATIONS:
        y = keras.layers.Conv2D(3, 1, activation=name, name=f"c_{name}")(y)
        y = keras.layers.Rescaling(3.0, 0.1, name=f"r_{name}")(y)
    path = tmp_path / "m.keras"
    keras.Model(image, y).save(path)
    program = read(path).program
    before = {n: v.activation_input for n, v in program.values.items() if v.activation_input}
    suffixes = {n: "_pre_relu" if n in RELUS else "_pre_activation" for n in ACTIVATIONS}
    assert before == {f"c_{n}": f"c_{n}{suffix}" for n, suffix in suffixes.items()}
    numbers = program.compute({"image": X}, [*before, *before.values()])
    for name in ACTIVATIONS:
        source = numbers[str(before[f"c_{name}"])]
        wanted = getattr(keras.activations, name)(source)
        np.testing.assert_allclose(numbers[f"c_{name}"], wanted, rtol=1e-5, atol=1e-6)
        assert (program.values[f"c_{name}"].relu_input is not None) == (name in RELUS)


LAYERS: dict[str, Callable[[], Any]] = {
    "gelu by tanh": lambda: keras.layers.Activation(
        lambda x: keras.activations.gelu(x, approximate=True), name="y"
    ),
    "quick gelu": lambda: keras.layers.Activation(
        lambda x: x * keras.ops.sigmoid(1.702 * x), name="y"
    ),
    "elu": lambda: keras.layers.ELU(alpha=0.5, name="y"),
    "leaky relu": lambda: keras.layers.LeakyReLU(negative_slope=0.2, name="y"),
    "prelu": lambda: keras.layers.PReLU(
        keras.initializers.RandomUniform(0.1, 0.6, seed=1), shared_axes=[1, 2], name="y"
    ),
    "relu6": lambda: keras.layers.ReLU(max_value=6.0, name="y"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_that_are_activations(kind: str) -> None:
    layer = LAYERS[kind]()
    image = keras.Input((5, 6, 3), name="image")
    y = layer(keras.layers.Conv2D(4, 1, name="c")(image))
    program = program_of(keras.Model(image, keras.layers.Conv2D(2, 1, name="z")(y)))
    found = {n: v.activation_input for n, v in program.values.items() if v.activation_input}
    assert found == {"y": "c"}
    numbers = program.compute({"image": X}, ["c", "y"])
    np.testing.assert_allclose(numbers["y"], layer(numbers["c"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "apply",
    [
        *(tf.nn.gelu, lambda x: tf.nn.gelu(x, approximate=True), tf.nn.silu, tf.nn.crelu),
        lambda x: x * tf.nn.relu6(x + 3) / 6,
        lambda x: x * tf.tanh(tf.math.softplus(x)),
        lambda x: tf.maximum(x, 0.1 * x),
        lambda x: 0.5 * x * tf.math.erfc(-x * 0.7071067811865475),
    ],
)
def test_a_graph_of_tensorflow(apply: Callable[[Any], Any]) -> None:
    def run(x: Any) -> Any:
        y = tf.identity(apply(tf.identity(3 * x, name="before")), name="after")
        return tf.reduce_sum(y, -1)

    traced = tf.function(run, autograph=False).get_concrete_function(
        tf.TensorSpec([None, 5, 6, 3], tf.float32, name="x")
    )
    (image,), (total,) = traced.inputs, traced.outputs
    program = program_over(traced.graph, {"x": image}, {"sum": total})
    found = {n: v.activation_input for n, v in program.values.items() if v.activation_input}
    if apply is tf.nn.crelu:  # the ReLU of a concatenation of x and -x
        (source,) = found.values()
        assert program.values[str(source)].shape == (None, 5, 6, 6)
        return
    ((name, source),) = found.items()
    numbers = program.compute({"x": X}, [name, str(source), "before", "after"])
    np.testing.assert_array_equal(numbers[str(source)], numbers["before"])
    np.testing.assert_array_equal(numbers[name], numbers["after"])
    np.testing.assert_allclose(numbers[name], apply(numbers[str(source)]), rtol=1e-5, atol=1e-6)
