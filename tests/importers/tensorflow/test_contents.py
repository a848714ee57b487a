from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasviz.importers.keras.file import program_of
from kerasviz.importers.tensorflow.program import program_over


def checksum(function: Callable[..., Any], shape: tuple[int | None, ...] = (None, 5)) -> str:
    traced = tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec(shape, tf.float32)
    )
    program = program_over(traced.graph, {"x": traced.inputs[0]}, {"y": traced.outputs[0]})
    return program.contents()


W = np.arange(15, dtype=np.float32).reshape(5, 3)


def test_names_and_order_of_nodes_do_not_count() -> None:
    def one(x: tf.Tensor) -> tf.Tensor:
        a = tf.identity(tf.matmul(x, W), "inner")
        b = tf.exp(x[:, :3])
        return tf.add(a, b, name="sum")

    def other(x: tf.Tensor) -> tf.Tensor:
        b = tf.exp(x[:, :3])
        a = tf.matmul(x, W)
        return tf.add(a, b, name="sum")

    assert checksum(one) == checksum(other)


@pytest.mark.parametrize(
    "changed",
    [
        lambda x: tf.nn.relu(x @ W) + 2,  # another constant
        lambda x: tf.nn.relu(x @ (W + 1e-6)) + 1,  # another weight
        lambda x: tf.nn.relu6(x @ W) + 1,  # another operation
        lambda x: tf.nn.relu(x @ W + 1),  # another order
        lambda x: 1 - tf.nn.relu(x @ W),
        lambda x: tf.nn.relu(tf.matmul(x, W.T.copy(), transpose_b=True)) + 1,  # another attribute
    ],
)
def test_another_computation_has_another_checksum(changed: Callable[..., Any]) -> None:
    def usual(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x @ W) + 1

    assert checksum(usual) == checksum(usual) != checksum(changed)


def test_the_body_of_a_loop_counts() -> None:
    def looped(factor: float, rounds: int) -> str:
        def function(x: tf.Tensor) -> tf.Tensor:
            return tf.while_loop(lambda i, _: i < rounds, lambda i, y: (i + 1, factor * y), (0, x))[
                1
            ]

        return checksum(function)

    assert looped(2.0, 3) == looped(2.0, 3)
    assert len({looped(2.0, 3), looped(3.0, 3), looped(2.0, 4)}) == 3


def test_the_branches_of_a_condition_count() -> None:
    def branched(value: float) -> str:
        def function(x: tf.Tensor) -> tf.Tensor:
            return tf.cond(tf.reduce_sum(x) > 0, lambda: x + value, lambda: x)

        return checksum(function)

    assert branched(1.0) == branched(1.0) != branched(2.0)


def test_the_order_of_inputs_counts() -> None:
    def two(swapped: bool) -> str:
        def function(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
            return b - a if swapped else a - b

        spec = tf.TensorSpec((None, 2), tf.float32)
        traced = tf.function(function).get_concrete_function(spec, spec)
        inputs = dict(zip("ab", traced.inputs, strict=True))
        return program_over(traced.graph, inputs, {"y": traced.outputs[0]}).contents()

    assert two(False) == two(False) != two(True)


def test_names_of_layers_count_without_the_numbers_that_keras_adds() -> None:
    def model(*names: str | None) -> str:
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(2, activation="relu", name=name) for name in names]
        return program_of(keras.Sequential([keras.Input((3,)), *layers])).contents()

    assert model(None, None) == model(None, None)  # dense_7, dense_8
    assert model("a", "b") == model("a", "b") != model("b", "a")
    assert model("dense", "dense_1") == model(None, None)


def test_a_run_before_does_not_change_it() -> None:
    """Constants that a run computes are kept with those of the file."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization()]
    program = program_of(keras.Sequential([keras.Input((9, 7, 3)), *layers]))
    before = program.contents()
    feeds = {name: tf.zeros([1, 9, 7, 3]) for name in program.inputs}
    program.compute(feeds, list(program.values))
    assert program.contents() == before
