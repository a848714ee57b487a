"""The known activation functions, against those of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasviz.importers.activation_functions import COMPUTE, FUNCTIONS, POINTS, is_activation

KERAS: dict[str, Callable[[Any], Any]] = {
    "gelu_tanh": lambda x: keras.activations.gelu(x, approximate=True),
    "hard_sigmoid_of_keras_2": lambda x: tf.clip_by_value(0.2 * x + 0.5, 0, 1),
    "hard_swish": keras.activations.hard_silu,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_that_of_keras(name: str) -> None:
    apply = KERAS.get(name) or getattr(keras.activations, name)
    wanted = np.asarray(apply(tf.constant(POINTS, tf.float64)))
    np.testing.assert_allclose(FUNCTIONS[name](POINTS), wanted, rtol=1e-6, atol=1e-6)
    assert is_activation(wanted)
    assert not is_activation(wanted, slope=0.3)


@pytest.mark.parametrize(
    "apply",
    [
        lambda x: keras.activations.elu(x, 0.4),
        lambda x: keras.activations.celu(x, 2.5),
        lambda x: keras.activations.leaky_relu(x, 0.2),
        lambda x: x * tf.sigmoid(1.702 * x),
        lambda x: x * tf.sigmoid(x),
    ],
)
def test_functions_with_a_parameter(apply: Callable[[Any], Any]) -> None:
    assert is_activation(np.asarray(apply(tf.constant(POINTS, tf.float64))))


@pytest.mark.parametrize("slope", [0.3, -0.3])
def test_a_prelu_has_a_slope_for_each_channel(slope: float) -> None:
    values = np.where(POINTS > 0, POINTS, slope * POINTS)
    assert is_activation(values, slope=0.3)
    assert not is_activation(values, slope=0.7)


@pytest.mark.parametrize(
    "values",
    [
        POINTS,
        POINTS + 1e-6,
        -POINTS,
        0.5 * POINTS,
        np.abs(POINTS),
        POINTS**2,
        np.maximum(POINTS, 1e-6),
        np.zeros_like(POINTS),
        np.ones_like(POINTS),
        np.log(np.abs(POINTS)) * np.inf,
        2 * FUNCTIONS["sigmoid"](POINTS),
        FUNCTIONS["gelu"](POINTS + 0.1),
        POINTS > 0,
        np.float64(0.5),
    ],
)
def test_other_functions_are_none(values: Any) -> None:
    assert not is_activation(np.asarray(values))


@pytest.mark.parametrize(
    ("name", "apply"),
    [
        ("Erf", tf.math.erf),
        ("Erfc", tf.math.erfc),
        ("Expm1", tf.math.expm1),
        ("Log1p", lambda x: tf.math.log1p(tf.abs(x))),
        ("Rsqrt", lambda x: tf.math.rsqrt(tf.abs(x))),
        ("Softplus", tf.math.softplus),
        ("Selu", tf.nn.selu),
    ],
)
def test_an_operation_is_that_of_tensorflow(name: str, apply: Callable[[Any], Any]) -> None:
    x = np.abs(POINTS) if name in ("Log1p", "Rsqrt") else POINTS
    wanted = apply(tf.constant(POINTS, tf.float64))
    np.testing.assert_allclose(COMPUTE[name]({}, x), wanted, rtol=1e-6, atol=1e-12)
