"""Channels-first networks, compared with Keras running the same weights channels last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kerasviz.importers import read
from kerasviz.importers.keras.file import program_of
from kerasviz.importers.tensorflow.program import GraphProgram

Build = Callable[[Any, Any, str, int], Any]


def classifier(layers: Any, x: Any, order: str, axis: int) -> Any:
    x = layers.Conv2D(4, 3, data_format=order, activation="relu", name="conv")(x)
    x = layers.BatchNormalization(axis=axis, name="norm")(x)
    x = layers.MaxPooling2D(2, data_format=order, name="pool")(x)
    x = layers.GlobalAveragePooling2D(data_format=order, name="mean")(x)
    return layers.Dense(4, activation="softmax", name="probs")(x)


def branches(layers: Any, x: Any, order: str, axis: int) -> Any:
    x = layers.DepthwiseConv2D(3, data_format=order, padding="same", name="depthwise")(x)
    x = layers.ReLU(6.0, name="relu6")(layers.BatchNormalization(axis=axis, name="norm")(x))
    y = layers.Conv2D(4, 1, strides=2, data_format=order, name="strided")(x)
    z = layers.AveragePooling2D(2, data_format=order, name="average")(x)
    x = layers.Concatenate(axis=axis, name="joined")([y, z])
    turned = layers.Conv2DTranspose(
        5, 3, strides=2, data_format=order, padding="same", name="turned"
    )
    return turned(x)


def flattened(layers: Any, x: Any, order: str, axis: int) -> Any:
    same = {"data_format": order, "padding": "same"}
    x = layers.Conv2D(4, 3, name="conv", **same)(x)
    x = layers.Add(name="sum")([x, layers.Conv2D(4, 3, dilation_rate=2, name="wide", **same)(x)])
    x = layers.ZeroPadding2D(((1, 2), (0, 1)), data_format=order, name="padded")(x)
    x = layers.UpSampling2D(2, data_format=order, name="up")(x)
    x = layers.Cropping2D(1, data_format=order, name="cropped")(x)
    return layers.Dense(3, name="scores")(layers.Flatten(data_format=order, name="flat")(x))


def excited(layers: Any, x: Any, order: str, axis: int) -> Any:
    x = layers.SeparableConv2D(6, 3, data_format=order, name="separable")(x)
    y = layers.GlobalAveragePooling2D(data_format=order, keepdims=True, name="mean")(x)
    y = layers.Conv2D(6, 1, data_format=order, activation="sigmoid", name="gate")(y)
    x = layers.LayerNormalization(axis=axis, name="layer_norm")(
        layers.Multiply(name="gated")([x, y])
    )
    return layers.Softmax(axis=axis, name="softmax")(x)


def as_wide_as_deep(layers: Any, x: Any, order: str, axis: int) -> Any:
    """Keras 3 adds the bias of a convolution to the width where both have the same size."""
    return layers.Conv2D(7, 3, padding="same", data_format=order, name="conv")(x)


def signal(layers: Any, x: Any, order: str, axis: int) -> Any:
    x = layers.Conv1D(4, 3, data_format=order, activation="relu", name="conv")(x)
    return layers.MaxPooling1D(2, data_format=order, name="pool")(x)


def volume(layers: Any, x: Any, order: str, axis: int) -> Any:
    x = layers.Conv3D(4, 3, data_format=order, activation="elu", name="conv")(x)
    return layers.BatchNormalization(axis=axis, name="norm")(x)


BUILDS: list[tuple[Build, tuple[int, ...]]] = [
    (classifier, (12, 9, 3)),
    (branches, (12, 14, 3)),
    (flattened, (9, 7, 3)),
    (excited, (9, 7, 3)),
    (as_wide_as_deep, (5, 7, 3)),
    (signal, (9, 3)),
    (volume, (5, 6, 7, 3)),
]


def pair(library: Any, build: Build, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return a model channels last, and one channels first with the same weights."""
    models = []
    for order, given, axis in (
        ("channels_last", shape, -1),
        ("channels_first", (shape[-1], *shape[:-1]), 1),
    ):
        image = library.Input(given, name="image")
        models.append(library.Model(image, build(library.layers, image, order, axis)))
    last, first = models
    rng = np.random.default_rng(5)
    last.set_weights([0.1 + np.abs(rng.normal(size=w.shape)) * 0.3 for w in last.get_weights()])
    first.set_weights(last.get_weights())
    return last, first


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize(("build", "shape"), BUILDS, ids=[b.__name__ for b, _ in BUILDS])
def test_numbers_of_channels_last(library: Any, build: Build, shape: tuple[int, ...]) -> None:
    last, first = pair(library, build, shape)
    ours, oracle = program_of(first), program_of(last)
    assert ours.inputs["image"].channels_first
    assert ours.inputs["image"].last_shape == (None, *shape)
    images = np.random.default_rng(1).random((2, *shape)).astype(np.float32)
    names = [name for name in oracle.values if name in ours.values]
    assert set(names) == set(oracle.values), "all taps have the same names"
    got = ours.compute({"image": images}, names)
    for name, want in oracle.compute({"image": images}, names).items():
        np.testing.assert_allclose(got[name], want, atol=1e-5, err_msg=name)
        assert ours.values[name].shape == oracle.values[name].shape, name
    own = np.moveaxis(images, -1, 1)
    (output,) = ours.outputs
    in_file = ours.compute({"image": own}, [output], channels_last=False)[output].numpy()
    wanted = last(images).numpy()
    wanted = np.moveaxis(wanted, -1, 1) if wanted.ndim > 2 else wanted
    np.testing.assert_allclose(in_file, wanted, atol=1e-5)


def test_gradient() -> None:
    last, first = pair(tf_keras, classifier, (12, 9, 3))
    program = program_of(first)
    images = tf.constant(np.random.default_rng(1).random((2, 12, 9, 3)).astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        ours = tf.reduce_sum(program.compute({"image": images}, ["probs"])["probs"] ** 2)
        theirs = tf.reduce_sum(last(images) ** 2)
    got, want = tape.gradient(ours, images), tape.gradient(theirs, images)
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def test_transposes_of_the_file_cost_nothing() -> None:
    """The network takes images channels last and turns them around for its convolutions."""
    image = keras.Input((9, 8, 3), name="image")
    x = keras.layers.Permute((3, 1, 2))(image)
    x = keras.layers.Conv2D(4, 3, data_format="channels_first", name="conv")(x)
    program = program_of(keras.Model(image, keras.layers.Permute((2, 3, 1), name="back")(x)))
    assert not program.inputs["image"].channels_first
    assert program.values["back"].shape == (None, 7, 6, 4)
    feed = {"image": np.ones((1, 9, 8, 3), np.float32)}
    traced = tf.function(lambda: program.compute(feed, ["back"]), autograph=False)
    operations = traced.get_concrete_function().graph.get_operations()
    assert not any(operation.type == "Transpose" for operation in operations)


def test_loop_over_channels_first_images(tmp_path: Path) -> None:
    kernel = np.random.default_rng(2).normal(size=(3, 3, 3, 3)).astype(np.float32)

    def serve(images: Any) -> Any:
        def step(i: Any, x: Any) -> tuple[Any, Any]:
            return i + 1, tf.nn.conv2d(x, kernel, 1, "SAME", data_format="NCHW") * 0.1

        return {"y": tf.while_loop(lambda i, x: i < 2, step, [0, images])[1]}

    module = tf.Module()
    module.serve = tf.function(serve, [tf.TensorSpec([None, 3, 6, 5], name="images")])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    program = read(tmp_path / "m").program
    assert isinstance(program, GraphProgram)
    images = np.random.default_rng(1).random((2, 6, 5, 3)).astype(np.float32)
    want = images
    for _ in range(2):
        want = tf.nn.conv2d(want, kernel, 1, "SAME").numpy() * 0.1
    feed = {"images": np.moveaxis(images, -1, 1)}
    got = program.compute(feed, ["y"], channels_last=False)["y"]
    np.testing.assert_allclose(got, np.moveaxis(want, -1, 1), atol=1e-5)
