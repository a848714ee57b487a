"""Frozen TensorFlow 1 graphs as Keras files, compared with TensorFlow running the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.inception5h import session_run

import kerasviz
from kerasviz.errors import ModelError
from kerasviz.export import convert

raw = tf.raw_ops


def numbers(*shape: int, seed: int = 0) -> Any:
    return tf.constant(np.random.default_rng(seed).normal(0, 0.3, shape), tf.float32)


def frozen(build: Callable[[Any], Any], *, free: bool = False) -> Any:
    """A graph: a convolution to 6 channels, then ``build``, then the node ``out``."""
    with tf.Graph().as_default() as graph:
        size = [None, None] if free else [9, 13]
        x = tf.compat.v1.placeholder(tf.float32, [None, *size, 3], name="input")
        stem = tf.nn.conv2d(x, numbers(3, 3, 3, 6, seed=1), 1, "SAME", name="stem")
        tf.identity(build(stem), name="out")
    return graph.as_graph_def()


def rows(x: Any) -> Any:
    return tf.reshape(x, [-1, 9 * 13, 6])


def rows_of_images(x: Any) -> Any:
    """Flattened as tf.slim did."""
    images = raw.StridedSlice(
        input=tf.shape(x), begin=[0], end=[1], strides=[1], shrink_axis_mask=1
    )
    return raw.Reshape(tensor=x, shape=raw.Pack(values=[images, -1]))


def classifier(x: Any) -> Any:
    """The classifier of tf.slim."""
    logits = tf.nn.conv2d(tf.reduce_mean(x, [1, 2], keepdims=True), numbers(1, 1, 6, 5), 1, "SAME")
    logits = tf.squeeze(logits, [1, 2])
    return tf.reshape(tf.nn.softmax(tf.reshape(logits, [-1, 5])), tf.shape(logits))


def normalized(x: Any) -> Any:
    found = raw.FusedBatchNorm(
        x=x,
        scale=numbers(6, seed=2),
        offset=numbers(6, seed=3),
        mean=numbers(6, seed=4),
        variance=tf.abs(numbers(6, seed=5)) + 0.1,
        epsilon=1e-3,
        is_training=False,
    )
    return found[0]


def channels(x: Any) -> Any:
    return raw.Concat(concat_dim=3, values=[x, tf.nn.relu(x), tf.abs(x)])


CASES: dict[str, Callable[[Any], Any]] = {
    "concat": channels,
    "concat from the end": lambda x: raw.Concat(concat_dim=-2, values=[x, tf.nn.relu(x)]),
    "gather": lambda x: raw.Gather(params=tf.transpose(x, [3, 0, 1, 2]), indices=[3, 1]),
    "batch product": lambda x: raw.BatchMatMul(x=rows(x), y=rows(x), adj_x=True),
    "typed batch product": lambda x: raw.BatchMatMulV3(
        x=rows(x), y=rows(x), adj_y=True, Tout=tf.float32
    ),
    "sum": lambda x: raw.AddN(inputs=[x, tf.nn.relu(x), tf.abs(x)]),
    "clip": lambda x: raw.ClipByValue(t=x, clip_value_min=-0.2, clip_value_max=0.3),
    "reverse": lambda x: raw.ReverseV2(tensor=x, axis=[2, 3]),
    "largest": lambda x: tf.cast(raw.ArgMax(input=x, dimension=3), tf.float32),
    "smallest": lambda x: tf.cast(raw.ArgMin(input=x, dimension=1), tf.float32),
    "old bias": lambda x: raw.BiasAddV1(
        value=tf.nn.conv2d(x, numbers(2, 3, 6, 4), 2, "VALID"), bias=numbers(4, seed=2)
    ),
    "LRN": lambda x: raw.LRN(input=x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.75),
    "normalization": normalized,
    "flattened": rows_of_images,
    "classifier": classifier,
}


@pytest.mark.parametrize("case", CASES)
def test_operations(tmp_path: Path, case: str) -> None:
    definition = frozen(CASES[case])
    (tmp_path / "m.pb").write_bytes(definition.SerializeToString())
    net = kerasviz.load(tmp_path / "m.pb")
    convert(net, tmp_path / "m.keras")
    x = np.random.default_rng(1).normal(size=(3, 9, 13, 3)).astype(np.float32)
    wanted = session_run(definition, x, ["out"])["out"]
    found = np.asarray(keras.saving.load_model(tmp_path / "m.keras")(x))
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda x: raw.Cumsum(x=x, axis=3, name="sums"), "TensorFlow's Cumsum has no counterpart"),
        (
            lambda x: raw.ResizeBilinear(images=x, size=[18, 26], name="sums"),
            "TensorFlow's ResizeBilinear resizes with corners in place",
        ),
        (
            lambda x: tf.add(x, raw.Fill(dims=tf.shape(x), value=2.0), name="sums"),
            "TensorFlow's Fill fills a tensor of a free size",
        ),
    ],
)
def test_what_keras_does_not_have_is_named(tmp_path: Path, build: Any, words: str) -> None:
    definition = frozen(build, free=True)
    (tmp_path / "m.pb").write_bytes(definition.SerializeToString())
    net = kerasviz.load(tmp_path / "m.pb")
    with pytest.raises(ModelError) as caught:
        convert(net, tmp_path / "m.keras")
    line = str(caught.value)
    assert line.startswith("tap '") and words in line and "\n" not in line
    assert line.endswith("--to saved_model works")
    assert [p.name for p in tmp_path.iterdir()] == ["m.pb"]
    made = convert(net, tmp_path / "m")  # as it says
    assert made.difference is not None and made.difference <= 1e-5
