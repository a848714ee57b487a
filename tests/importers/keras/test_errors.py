"""Files of the Keras 2 era: what Keras 3 reads, and what it leaves to Keras 2."""

from __future__ import annotations

import base64
import json
import marshal
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from kerasviz.errors import ModelError
from kerasviz.importers import read
from kerasviz.network.taps import TapTable

layers = keras.layers


def random(*shape: int, seed: int = 3) -> Any:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def randomized(model: Any) -> Any:
    """Give every weight, statistics included, a number that no fresh layer has."""
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.uniform(-0.3, 0.3, w.shape) for w in model.get_weights()])
    return model


def agree(got: Any, want: Any, name: str = "") -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, name
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max(), name


def old_h5(path: Path, model: Any, entries: list[dict[str, Any]], name: str) -> None:
    """Write a functional model as Keras 2 did: its own config, the weights of ``model``."""
    model.save(path)
    config = {
        "class_name": name,
        "config": {
            "name": "old",
            "layers": entries,
            "input_layers": [["image", 0, 0]],
            "output_layers": [["prob", 0, 0]],
        },
    }
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        for attrs in (file.attrs, file["model_weights"].attrs):
            attrs["keras_version"] = b"2.4.0"
            attrs["backend"] = b"tensorflow"


def entry(kind: str, name: str, after: list[str], **config: Any) -> dict[str, Any]:
    nodes = [[[source, 0, 0, {}] for source in after]] if after else []
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "dtype": "float32", **config},
        "inbound_nodes": nodes,
    }


def old_layers(depthwise: str, **extra: Any) -> tuple[Any, list[dict[str, Any]]]:
    image = keras.Input((16, 11, 3), name="image")
    x = layers.Conv2D(6, 3, activation="relu", name="conv")(image)
    y = layers.BatchNormalization(name="bn")(x)
    z = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    x = layers.Concatenate(name="joined")([x, layers.ReLU(6.0, name="relu6")(z)])
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(image, layers.Dense(5, activation="softmax", name="prob")(x))
    entries = [
        entry("InputLayer", "image", [], batch_input_shape=[None, 16, 11, 3], sparse=False),
        entry(
            "Conv2D",
            "conv",
            ["image"],
            filters=6,
            kernel_size=[3, 3],
            activation="relu",
            padding="valid",
            kernel_initializer={
                "class_name": "GlorotUniform",
                "config": {"seed": None},
            },
        ),
        entry("BatchNormalization", "bn", ["conv"], axis=[3], momentum=0.99, epsilon=0.001),
        entry(depthwise, "depthwise", ["bn"], kernel_size=[3, 3], padding="same", **extra),
        entry("ReLU", "relu6", ["depthwise"], max_value=6.0, negative_slope=0.0, threshold=0.0),
        entry("Concatenate", "joined", ["conv", "relu6"], axis=-1),
        entry("GlobalAveragePooling2D", "mean", ["joined"], data_format="channels_last"),
        entry("Dense", "prob", ["mean"], units=5, activation="softmax", use_bias=True),
    ]
    return randomized(model), entries


@pytest.mark.parametrize("name", ["Model", "Functional"])
def test_h5_of_keras_2(tmp_path: Path, name: str) -> None:
    model, entries = old_layers("DepthwiseConv2D")
    old_h5(tmp_path / "old.h5", model, entries, name)
    program = read(tmp_path / "old.h5").program
    x = random(2, 16, 11, 3)
    names = ["conv", "bn", "depthwise", "relu6", "joined", "prob"]
    taps = keras.Model(model.input, [model.get_layer(n).output for n in names])
    found = program.compute({"image": x}, names)
    for n, want in zip(names, taps(x), strict=True):
        agree(found[n], want, n)
    assert TapTable(program.values)["joined_pre_relu"].parts == ("conv_pre_relu", "depthwise")


def test_what_only_keras_2_reads(tmp_path: Path) -> None:
    """``groups`` of a depthwise convolution, which Keras 2 wrote and Keras 3 refuses."""
    model, entries = old_layers("DepthwiseConv2D", groups=1)
    old_h5(tmp_path / "old.h5", model, entries, "Functional")
    program = read(tmp_path / "old.h5").program
    x = random(2, 16, 11, 3)
    agree(program.compute({"image": x}, ["prob"])["prob"], model(x))
    assert program.values["conv"].relu_input == "conv_pre_relu"


def test_keras_2_runs_no_code_of_the_file(tmp_path: Path) -> None:
    """Keras 2 would run a Lambda layer of an h5 file whatever it is told."""
    model, entries = old_layers("DepthwiseConv2D", groups=1)
    code = marshal.dumps((lambda x: x * 1.0).__code__)
    function = [base64.b64encode(code).decode(), None, None]
    kind = {"function_type": "lambda", "output_shape_type": "raw", "output_shape": None}
    entries[4] = entry("Lambda", "relu6", ["depthwise"], function=function, **kind)
    old_h5(tmp_path / "old.h5", model, entries, "Functional")
    with pytest.raises(ModelError, match=r"Lambda.*--unsafe"):
        read(tmp_path / "old.h5")
    program = read(tmp_path / "old.h5", unsafe=True).program
    assert "relu6" in TapTable(program.values)


def test_keras_2_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    model, entries = old_layers("DepthwiseConv2D", groups=1)
    old_h5(tmp_path / "old.h5", model, entries, "Functional")
    with pytest.raises(ModelError, match="pip install tf_keras") as error:
        read(tmp_path / "old.h5")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_layer_that_keras_3_dropped(tmp_path: Path, suffix: str) -> None:
    own = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((6, 7, 3), name="image"),
            own.LocallyConnected2D(4, 3, activation="relu", name="local"),
            own.Flatten(name="flat"),
        ]
    )
    model.save(tmp_path / f"face.{suffix}")
    program = read(tmp_path / f"face.{suffix}").program
    x = random(2, 6, 7, 3)
    (name,) = program.inputs
    agree(program.compute({name: x}, ["flat"])["flat"], model(x))
    assert program.values["local"].relu_input == "local_pre_relu"


class Doubled(tf_keras.layers.Layer):
    """A layer of Keras 2 that only its owner has."""

    def call(self, x: Any) -> Any:
        return x * 2.0


class Patch(tf_keras.layers.Layer):
    """A layer that takes patches of one size."""

    def call(self, x: Any) -> Any:
        return x


class Strict(tf_keras.layers.Layer):
    """The same layer as its module has it later."""

    def call(self, x: Any) -> Any:
        raise ValueError("the patch must be 7 x 7")


def test_unknown_layer_of_keras_2(tmp_path: Path) -> None:
    tf_keras.Sequential([tf_keras.Input((4, 4, 3)), Doubled(name="two")]).save(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"needs Doubled.*--import MODULE"):
        read(tmp_path / "m.h5")
    program = read(tmp_path / "m.h5", custom_objects={"Doubled": Doubled}).program
    (name,) = program.inputs
    x = random(1, 4, 4, 3)
    np.testing.assert_array_equal(program.compute({name: x}, ["two"])["two"], x * 2)


def test_reason_of_keras_2(tmp_path: Path) -> None:
    tf_keras.Sequential([tf_keras.Input((4, 4, 3)), Patch(name="patch")]).save(tmp_path / "m.h5")
    with pytest.raises(
        ModelError, match=r"'patch' .*|\"patch\".*: the patch must be 7 x 7"
    ) as error:
        read(tmp_path / "m.h5", custom_objects={"Patch": Strict})
    assert "\n" not in str(error.value) and "the patch must be 7 x 7" in str(error.value)


class Crop(keras.layers.Layer):
    """A layer that Keras reads and cannot run."""

    def call(self, x: Any) -> Any:
        raise ValueError("the patch must be 7 x 7\nand not smaller")

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Wide(keras.layers.Layer):
    """A layer whose shape Keras finds out by a call."""

    def call(self, x: Any) -> Any:
        return layers.Conv2D(3, 9)(x)


def test_reason_of_keras_3_when_it_runs(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    keras.Model(image, Crop(name="crop")(image)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"Crop\.call\(\): the patch must be 7 x 7$"):
        read(tmp_path / "m.keras", custom_objects={"Crop": Crop})


def test_reason_of_keras_3_when_it_reads(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    keras.Model(image, Crop(name="crop")(image)).save(tmp_path / "m.keras")
    with pytest.raises(
        ModelError, match=r"Computed output size would be zero or negative"
    ) as error:
        read(tmp_path / "m.keras", custom_objects={"Crop": Wide})
    assert "nor by Keras 2" not in str(error.value), "Keras 3 itself saved the file"
