"""Images of whole numbers in TensorFlow graphs, fed as floats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import kerasviz

KERNEL = np.random.default_rng(0).standard_normal((3, 3, 3, 4)).astype(np.float32)


def saved(path: Path, head: Callable[[Any], Any], shape: list[int | None], dtype: Any) -> Any:
    """A SavedModel that turns images into floats by ``head``, and TensorFlow's function for it."""

    def serve(image: Any) -> Any:
        return {"conv": tf.nn.conv2d(head(image), KERNEL, 1, "SAME", name="conv")}

    module = tf.Module()
    spec = tf.TensorSpec(shape, dtype, name="image")
    module.serve = tf.function(serve, input_signature=[spec])
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return tf.saved_model.load(str(path)).signatures["serving_default"]


def as_float(x: Any) -> Any:
    return tf.cast(x, tf.float32) / 255


HEADS: dict[str, Callable[[Any], Any]] = {
    "cast": as_float,
    "colours": lambda x: as_float(x[..., ::-1]),
    "stack": lambda x: as_float(tf.stack(tf.unstack(x, axis=3)[::-1], 3)),
    "offset": lambda x: tf.cast(tf.cast(x, tf.int32) - 128, tf.float32) / 128,
    "bilinear": lambda x: tf.image.resize(x, [10, 12]) / 255,
    "nearest": lambda x: as_float(tf.image.resize(x, [18, 14], "nearest")),
    "padded": lambda x: as_float(tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], constant_values=9)),
    "aspect": lambda x: tf.image.resize_with_pad(x, 12, 12) / 255,
    "shape": lambda x: as_float(tf.reshape(x, [tf.shape(x)[0], *tf.unstack(tf.shape(x)[1:3]), 3])),
    "mask": lambda x: tf.where(x > 100, as_float(x), 0.0),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dtype", [tf.uint8, tf.int32])
def test_floats_and_whole_numbers_give_the_same(head: str, dtype: Any, tmp_path: Path) -> None:
    if head == "bilinear" and dtype == tf.int32:
        dtype = tf.int16
    own = saved(tmp_path / "m", HEADS[head], [None, None, None, 3], dtype)
    net = kerasviz.load(tmp_path / "m")
    port = net.image_port
    assert port.dtype == dtype and port.as_floats
    pixels = np.random.default_rng(1).integers(0, 256, (2, 9, 7, 3)).astype(np.int32)
    wanted = own(image=tf.cast(pixels, dtype))["conv"]
    np.testing.assert_allclose(
        net.run({"image": tf.cast(pixels, dtype)}, ["conv"])["conv"], wanted, atol=1e-5
    )
    feed = tf.constant(pixels, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(feed)
        found = net.program.compute({"image": feed}, ["conv"])["conv"]
        score = tf.reduce_sum(found[..., 2])
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    direction = tf.random.stateless_normal(feed.shape, [1, 2])
    slope = tf.reduce_sum(tape.gradient(score, feed) * direction)
    moved = net.program.compute({"image": feed + 0.1 * direction}, ["conv"])["conv"][..., 2]
    np.testing.assert_allclose((tf.reduce_sum(moved) - score) / 0.1, slope, rtol=0.02, atol=0.05)


@pytest.mark.parametrize(
    "head", [lambda x: as_float(x // 2), lambda x: as_float(tf.bitwise.bitwise_and(x, 15))]
)
def test_other_arithmetic_stays_in_whole_numbers(head: Any, tmp_path: Path) -> None:
    own = saved(tmp_path / "m", head, [None, None, None, 3], tf.uint8)
    net = kerasviz.load(tmp_path / "m")
    assert not net.image_port.as_floats
    pixels = np.random.default_rng(1).integers(0, 256, (1, 9, 7, 3), np.uint8)
    found = net.activations(pixels / np.float32(255), ["conv"])["conv"]
    np.testing.assert_allclose(found, own(image=tf.constant(pixels))["conv"], atol=1e-2)
    with pytest.raises(kerasviz.KerasvizError, match="no gradient to the image"):
        kerasviz.render(net, "conv:1", steps=1, size=16, precision="float32")


def test_an_image_without_a_batch(tmp_path: Path) -> None:
    own = saved(tmp_path / "m", lambda x: as_float(x)[None], [None, None, 3], tf.uint8)
    net = kerasviz.load(tmp_path / "m")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 9, 12, 3), np.uint8)
    found = net.activations(pixels / np.float32(255), ["conv"])["conv"]
    wanted = np.concatenate([own(image=tf.constant(x))["conv"] for x in pixels])
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_free_number_of_axes_is_that_of_the_convolution(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, None, name="input")
        tf.reduce_mean(tf.nn.conv2d(x, KERNEL, 1, "SAME", name="conv"), [1, 2], name="pool")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    net = kerasviz.load(tmp_path / "m.pb")
    assert net.image_port.shape == (None, None, None, 3)
    assert net.taps["conv"].shape == (None, None, None, 4) and net.taps["pool"].shape == (None, 4)
