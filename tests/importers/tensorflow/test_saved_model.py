"""SavedModel folders, compared with TensorFlow running their signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError
from kerasviz.importers import read
from kerasviz.network.taps import TapTable


def random(*shape: int) -> Any:
    return np.random.default_rng(3).random(shape).astype(np.float32)


def randomized(model: Any) -> Any:
    """Batch normalization and biases with numbers that are not those of a fresh layer."""
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.uniform(0.0, 0.3, w.shape) for w in model.get_weights()])
    return model


def test_exported_by_keras(tmp_path: Path) -> None:
    layers = keras.layers
    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(image)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Conv2D(8, 3, groups=4, padding="same", name="grouped")(x)  # jit-compiled by Keras
    x = layers.ReLU(max_value=6, name="act")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = randomized(keras.Model(image, layers.Dense(5, activation="softmax", name="prob")(x)))
    model.export(tmp_path / "saved", verbose=False)
    imported = read(tmp_path / "saved")
    program = imported.program
    assert imported.format == "saved_model"
    assert list(program.inputs) == ["image"]
    assert program.inputs["image"].shape == (None, None, None, 3)
    x = random(2, 17, 12, 3)
    want = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"](
        image=tf.constant(x)
    )
    assert list(program.outputs) == list(want)
    got = program.compute({"image": x}, program.outputs)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], atol=1e-6)
    with tf.GradientTape(persistent=True) as tape:
        images = tf.constant(x)
        tape.watch(images)
        score = tf.reduce_sum(program.compute({"image": images}, program.outputs)["output_0"] ** 2)
        target = tf.reduce_sum(model(images) ** 2)
    gradient, oracle = tape.gradient(score, images), tape.gradient(target, images)
    assert np.abs(gradient - oracle).max() <= 1e-5 * np.abs(oracle).max()
    taps = TapTable(program.values)
    relu6 = [value for value in program.values.values() if value.op == "Relu6"]
    assert len(relu6) == 1
    assert taps[relu6[0].name + "_pre_relu"].channels == 8
    soft = program.values[taps["output_0"].name]
    assert soft.op == "Softmax"
    assert program.values[str(soft.softmax_input)].shape == (None, 5)
    assert all("StatefulPartitionedCall/" not in name[:24] for name in program.values)


class Two(tf.Module):
    """A module whose signatures are not called serving_default."""

    def __init__(self) -> None:
        self.kernel = tf.Variable(random(3, 3, 3, 4), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def features(self, images: Any) -> Any:
        return {"map": tf.nn.relu(tf.nn.conv2d(images, self.kernel, 2, "SAME") - 3.0)}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def mean(self, images: Any) -> Any:
        features = self.features(images)["map"]
        return {"b": tf.reduce_mean(features, [1, 2]), "a": tf.reduce_max(features, [1, 2])}


def test_only_signature_is_taken(tmp_path: Path) -> None:
    module = Two()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"pooled": module.mean})
    program = read(tmp_path / "m").program
    x = random(3, 9, 8, 3)
    got = program.compute({"images": x}, ["a", "b"])
    want = module.mean(x)
    for name in ("a", "b"):
        np.testing.assert_allclose(got[name], want[name], atol=1e-6)
    assert sorted(program.outputs) == ["a", "b"]


def test_several_signatures_are_listed(tmp_path: Path) -> None:
    module = Two()
    signatures = {"pooled": module.mean, "features": module.features}
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
    with pytest.raises(ModelError, match=r"serving_default.*pooled") as error:
        read(tmp_path / "m")
    assert "features" in str(error.value)


def test_no_signature(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"))
    with pytest.raises(ModelError, match="it has none"):
        read(tmp_path / "m")


def test_of_tensorflow_1(tmp_path: Path) -> None:
    kernel = random(3, 3, 3, 4)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 12, 9, 3], name="x")
        weights = tf.compat.v1.get_variable("kernel", initializer=kernel, use_resource=False)
        with tf.compat.v1.name_scope("layer1"):
            y = tf.nn.relu(tf.nn.conv2d(x, weights, 1, "VALID") - 2.0, name="act")
        z = tf.reduce_mean(y, [1, 2], name="mean")
        session.run(tf.compat.v1.global_variables_initializer())
        folder = str(tmp_path / "m")
        tf.compat.v1.saved_model.simple_save(session, folder, {"pixels": x}, {"scores": z})
        image = random(2, 12, 9, 3)
        want = session.run([y, z], {x: image})
    program = read(tmp_path / "m").program
    assert program.inputs["pixels"].shape == (None, 12, 9, 3)
    got = program.compute({"pixels": image}, ["layer1/act", "scores"])
    np.testing.assert_allclose(got["layer1/act"], want[0], atol=1e-5)
    np.testing.assert_allclose(got["scores"], want[1], atol=1e-5)
    assert TapTable(program.values)["layer1"].name == "layer1/act"


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
def test_truncated(tmp_path: Path, part: str) -> None:
    module = Two()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"pooled": module.mean})
    file = tmp_path / "m" / part
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelError, match="not a SavedModel that can be read") as error:
        read(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_weights_that_are_not_numbers(tmp_path: Path) -> None:
    module = Two()
    module.kernel[0, 0, 0, 0].assign(np.inf)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"pooled": module.mean})
    with pytest.raises(ModelError, match="NaN or infinite"):
        read(tmp_path / "m")


def test_signature_is_chosen_by_name(tmp_path: Path) -> None:
    module = Two()
    signatures = {"pooled": module.mean, "features": module.features}
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
    with pytest.raises(ModelError, match="--signature NAME"):
        read(tmp_path / "m")
    program = read(tmp_path / "m", signature="features").program
    x = random(2, 9, 8, 3)
    want = module.features(x)["map"]
    np.testing.assert_allclose(program.compute({"images": x}, ["map"])["map"], want, atol=1e-6)
    with pytest.raises(UsageError, match="no signature 'feature'; it has features, pooled, "):
        read(tmp_path / "m", signature="feature")


def test_signature_is_for_saved_models_only(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    with pytest.raises(UsageError, match=r"m\.keras is no SavedModel"):
        read(tmp_path / "m.keras", signature="serving_default")


class Called(tf.Module):
    """A module without signatures, whose call was traced for training too."""

    def __init__(self) -> None:
        self.kernel = tf.Variable(random(3, 3, 3, 4), name="kernel")

    @tf.function
    def __call__(self, image: Any, training: bool = False) -> Any:
        return tf.nn.relu(tf.nn.conv2d(image, self.kernel, 2, "SAME")) * (2.0 if training else 1.0)


def test_without_signatures_the_call_for_inference_is_read(tmp_path: Path) -> None:
    module = Called()
    x = random(2, 9, 8, 3)
    module(tf.constant(x), training=True)
    want = module(tf.constant(x))
    tf.saved_model.save(module, str(tmp_path / "m"))
    program = read(tmp_path / "m").program
    got = program.compute({"image": x}, program.outputs)
    np.testing.assert_allclose(got["output"], want, atol=1e-6)


def test_endpoint_of_keras(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((9, 8, 3)), keras.layers.Conv2D(3, 3)])
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name in ("serve", "features"):
        archive.add_endpoint(name, model.call, [tf.TensorSpec([None, 9, 8, 3])])
    archive.write_out(tmp_path / "m", verbose=False)
    x = random(2, 9, 8, 3)
    for program in (
        read(tmp_path / "m").program,
        read(tmp_path / "m", signature="features").program,
    ):
        (got,) = program.compute(dict.fromkeys(program.inputs, x), program.outputs).values()
        np.testing.assert_allclose(got, model(x), atol=1e-6)


def test_nameless_activation_is_called_after_its_convolution(tmp_path: Path) -> None:
    def serve(images: Any) -> Any:
        x = tf.nn.conv2d(images, tf.ones([1, 1, 3, 4]), 1, "SAME", name="conv")
        y = tf.nn.relu(tf.nn.bias_add(x, [1.0, -9.0, 3.0, 0.0]))
        return {"a": y, "b": tf.nn.relu(x - 1.0)}

    module = tf.Module()
    module.serve = tf.function(serve, [tf.TensorSpec([None, 4, 5, 3], name="images")])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    taps = TapTable(read(tmp_path / "m").program.values)
    assert taps["conv.relu"].name == taps["Relu"].name == taps["a"].name
    assert taps["b"].name == "Relu_1"
