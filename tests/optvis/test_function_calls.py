"""What a user's function may return, and the line where it returns something else."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.function_calls import function_images, function_scores
from kerasviz.optvis.python_function import PythonFunction

X = np.random.default_rng(0).normal(size=(3, 5, 7, 2)).astype(np.float32)


def scores(f, **inputs):
    """The scores of X as a loop computes them: in a graph."""
    function = PythonFunction.of(f)
    traced = tf.function(lambda t: function_scores(function, t), autograph=False)
    return traced(inputs or {"x": X1}).numpy()


X1 = tf.constant(X)


def mean(x):
    return tf.reduce_mean(x, [1, 2, 3])


GOOD = {
    "a mean": lambda t: mean(t["x"]),
    "another type": lambda t: tf.cast(mean(t["x"]), tf.float64),
    "a tf.function": tf.function(lambda t: mean(t["x"])),
    "a py_function": lambda t: tf.py_function(mean, [t["x"]], tf.float32),
    "an unknown length": lambda t: tf.boolean_mask(mean(t["x"]), tf.shape(t["x"])[:1] > [0, 0, 0]),
}


@pytest.mark.parametrize("f", GOOD.values(), ids=GOOD)
def test_scores(f) -> None:
    assert np.allclose(scores(f), X.mean((1, 2, 3)), atol=1e-6)


@tf.function
def unknown_tap(t):
    return mean(t["y"])


@tf.function
def failing(t):
    return tf.matmul(t["x"], tf.zeros([3, 3]))


BAD = {
    "no result": (lambda t: None, r"returned None \(no return\?\); expected scores \[3\]"),
    "a number": (lambda t: 1.0, "returned a float, no tensor"),
    "a list": (lambda t: [mean(t["x"])], "returned a list, no tensor"),
    "one score": (lambda t: tf.reduce_mean(t["x"]), r"returned a tensor \[\]; expected scores"),
    "scores of channels": (lambda t: tf.reduce_mean(t["x"], [1, 2]), r"a tensor \[3, 2\]; exp"),
    "whole numbers": (lambda t: tf.argmax(mean(t["x"])[:, None], 1), "returned int64 numbers"),
    "a constant": (lambda t: tf.zeros([3]), "has no gradient"),
    "rounded": (lambda t: tf.round(mean(t["x"])), "has no gradient"),
    "NumPy": (lambda t: np.mean(t["x"], axis=(1, 2, 3)), "uses NumPy, which has no gradient"),
    "numpy()": (lambda t: mean(t["x"].numpy()), "uses NumPy, which has no gradient"),
    "numpy_function": (
        lambda t: tf.numpy_function(lambda a: a.mean((1, 2, 3)), [t["x"]], tf.float32),
        "has no gradient",
    ),
    "another tap": (lambda t: mean(t["y"]), r"asks for the tap 'y'; its taps=\[...\] are x$"),
    "another tap in a tf.function": (unknown_tap, r"'unknown_tap' asks for the tap 'y'; its taps"),
    "another key": (lambda t: {}["a"], "raised KeyError: 'a'"),
    "an error": (lambda t: 1 / 0, "raised ZeroDivisionError: division by zero"),
    "an error in a tf.function": (failing, "'failing' raised ValueError: Dimensions must be eq"),
    "a new layer": (
        lambda t: tf.keras.layers.Dense(1)(tf.reduce_mean(t["x"], [1, 2]))[:, 0],
        "makes a variable, as a new layer does; make it once, outside",
    ),
    "a new variable": (lambda t: mean(t["x"]) * tf.Variable(1.0), "makes a variable"),
    "no argument": (lambda: 0, "raised TypeError: .*takes 0 positional arguments"),
    "if": (lambda t: mean(t["x"]) if tf.reduce_mean(t["x"]) > 0 else 0, "take tf.where in place"),
}


@pytest.mark.parametrize(("f", "line"), BAD.values(), ids=BAD)
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_errors_are_one_line_that_names_the_function(f, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        scores(f)
    assert str(caught.value).startswith("function '") and "\n" not in str(caught.value)


def test_one_input_may_have_no_gradient() -> None:
    two = scores(
        lambda t: mean(t["x"]) + tf.reduce_mean(tf.round(t["y"]), [1]), x=X1, y=X1[..., 0, 0]
    )
    assert two.shape == (3,)


def images(f, x=X1):
    function = PythonFunction.of(f)
    traced = tf.function(lambda *args: function_images(function, *args), autograph=False)
    return traced(x, tf.constant([4, 5, 6]), tf.constant([1, 1, 2])).numpy()


def test_images_may_change_their_size_and_know_seeds_and_steps() -> None:
    found = images(
        lambda x, seeds, step: x[:, 1:] * tf.cast(seeds * step, x.dtype)[:, None, None, None]
    )
    assert np.array_equal(found, X[:, 1:] * np.array([4, 5, 12], np.float32)[:, None, None, None])


BAD_IMAGES = {
    "no seeds": (lambda x: x, "raised TypeError"),
    "fewer channels": (lambda x, seeds, step: x[..., :1], r"expected images \[3, height, width, 2"),
    "one image": (lambda x, seeds, step: x[0], r"returned a tensor \[5, 7, 2\]; expected images"),
    "no gradient": (lambda x, seeds, step: tf.round(x), "has no gradient"),
    "an unknown size": (
        lambda x, seeds, step: tf.slice(x, [0, 0, 0, 0], [3, step[0], 7, 2]),
        r"returned a tensor \[3, \?, 7, 2\], whose size is unknown",
    ),
}


@pytest.mark.parametrize(("f", "line"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_errors_of_transforms_are_one_line(f, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        images(f)
    assert str(caught.value).startswith("function 'lambda' ") and "\n" not in str(caught.value)
