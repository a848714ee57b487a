"""Loops and branches, compared with TensorFlow running the functions themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.importers.tensorflow.program import GraphProgram, program_over

KERNEL = np.random.default_rng(7).normal(size=(3, 3, 3, 3)).astype(np.float32) * 0.3
IMAGES = np.random.default_rng(3).random((2, 5, 6, 3)).astype(np.float32)


def conv(x: Any) -> Any:
    return tf.nn.relu(tf.nn.conv2d(x, KERNEL, 1, "SAME"))


def read(function: Callable[[Any], Any], dtype: Any = tf.float32) -> GraphProgram:
    spec = tf.TensorSpec([None, None, None, 3], dtype, name="x")
    traced = tf.function(function, autograph=False).get_concrete_function(spec)
    return program_over(traced.graph, {"x": traced.inputs[0]}, {"y": traced.outputs[0]})


def gradient(function: Callable[[Any], Any], images: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.reduce_sum(function(images) ** 2)
    return tape.gradient(score, images)


def standardized(x: Any) -> Any:
    return conv(tf.map_fn(tf.image.per_image_standardization, x))


def nested(x: Any) -> Any:
    def outer(i: Any, a: Any) -> tuple[Any, Any]:
        steps = lambda j, b: (j + 1, b * 0.9 + conv(b))  # noqa: E731
        return i + 1, tf.while_loop(lambda j, b: j < i + 1, steps, [0, a])[1]

    return tf.while_loop(lambda i, a: i < 2, outer, [0, x])[1]


def growing(x: Any) -> Any:
    shapes = [tf.TensorShape([]), tf.TensorShape([None, None, None, 3])]
    doubled = lambda i, a: (i + 1, tf.concat([a, a * 0.5], 1))  # noqa: E731
    return tf.while_loop(lambda i, a: i < 2, doubled, [0, x], shape_invariants=shapes)[1]


def branch_in_a_loop(x: Any) -> Any:
    def step(i: Any, a: Any) -> tuple[Any, Any]:
        return i + 1, tf.cond(i % 2 == 0, lambda: conv(a), lambda: a + x)

    return tf.while_loop(lambda i, a: i < 3, step, [0, x])[1]


def cases(x: Any) -> Any:
    number = tf.cast(tf.reduce_sum(x), tf.int32) % 4  # 3 is the last branch too
    return tf.switch_case(number, [lambda: conv(x), lambda: x * 2, lambda: x**3])


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "map_fn": standardized,
    "scan": lambda x: tf.scan(lambda a, i: a * 0.5 + i, x, initializer=tf.zeros_like(x[0])),
    "until a sum": lambda x: tf.while_loop(
        lambda a: tf.reduce_sum(a) < 500, lambda a: [a * 2], [x]
    )[0],
    "nested": nested,
    "growing": growing,
    "cond": lambda x: tf.cond(tf.reduce_mean(x) > 0.5, lambda: conv(x), lambda: x * 2),
    "branch in a loop": branch_in_a_loop,
    "switch_case": cases,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name: str) -> None:
    function = FUNCTIONS[name]
    program = read(function)

    def ours(x: Any) -> Any:
        return program.compute({"x": x}, ["y"])["y"]

    for images in (tf.constant(IMAGES), tf.constant(IMAGES[:1, :, :4] * 1.3)):
        np.testing.assert_allclose(ours(images), function(images), atol=1e-6)
        oracle = gradient(function, images)
        scale = np.abs(oracle).max()
        traced = tf.function(lambda x: gradient(ours, x), autograph=False)
        assert np.abs(gradient(ours, images) - oracle).max() <= 1e-5 * scale
        assert np.abs(traced(images) - oracle).max() <= 1e-5 * scale


def test_inside_of_another_loop() -> None:
    """Steps of an optimization are functions in a loop; lists must keep their known shapes."""
    program = read(standardized)

    @tf.function(autograph=False)
    def step(x: Any) -> Any:
        free = tf.raw_ops.PlaceholderWithDefault(input=x, shape=[None, None, None, 3])
        return x + gradient(lambda y: program.compute({"x": y}, ["y"])["y"], free)

    @tf.function(autograph=False)
    def steps(x: Any) -> Any:
        after = lambda i, x: (i + 1, tf.ensure_shape(step(x), x.shape))  # noqa: E731
        return tf.while_loop(lambda i, x: i < 2, after, [0, x])[1]

    want = tf.constant(IMAGES)
    for _ in range(2):
        want = want + gradient(standardized, want)
    got = steps(tf.constant(IMAGES))
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def test_rows_of_a_map_do_not_know_of_each_other() -> None:
    program = read(standardized)
    both = program.compute({"x": IMAGES}, ["y"])["y"]
    for row in range(2):
        alone = program.compute({"x": IMAGES[row : row + 1]}, ["y"])["y"]
        np.testing.assert_allclose(both[row], alone[0], atol=1e-6)


def test_a_branch_that_is_always_taken_is_read_in_place() -> None:
    program = read(lambda x: tf.cond(tf.constant(True), lambda: conv(x), lambda: x * 2))
    assert any(value.op == "Conv2D" for value in program.values.values())
    np.testing.assert_allclose(program.compute({"x": IMAGES}, ["y"])["y"], conv(IMAGES), atol=1e-6)


def test_other_numbers_than_float32() -> None:
    program = read(lambda x: tf.scan(lambda a, i: a * i, x), tf.float64)
    wide = IMAGES.astype(np.float64)
    got = program.compute({"x": wide}, ["y"])["y"]
    np.testing.assert_allclose(got, np.multiply.accumulate(wide, 0), rtol=1e-12)


def test_what_stands_before_a_loop_that_cannot_be_run_is_kept() -> None:
    state = tf.Variable(0.0)

    def counted(x: Any) -> Any:
        before = tf.nn.relu(x)
        step = lambda i, a: (i + 1, a + state.assign_add(1.0))  # noqa: E731
        behind = tf.while_loop(lambda i, a: i < 2, step, [0, before])[1]
        return tf.identity(before), behind

    spec = tf.TensorSpec([None, None, None, 3], name="x")
    traced = tf.function(counted, autograph=False).get_concrete_function(spec)
    outputs = dict(zip(("before", "behind"), traced.outputs, strict=True))
    program = program_over(traced.graph, {"x": traced.inputs[0]}, outputs)
    assert list(program.outputs) == ["before"]
    got = program.compute({"x": IMAGES - 0.5}, ["before"])["before"]
    np.testing.assert_array_equal(got, np.maximum(IMAGES - 0.5, 0))
