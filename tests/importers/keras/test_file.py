"""Keras models, files and in memory, compared with Keras at every layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kerasviz.errors import ModelError
from kerasviz.importers import read
from kerasviz.importers.keras.file import program_of
from kerasviz.network.program import Kernels, Program
from kerasviz.network.taps import TapTable

layers = keras.layers


def random(*shape: int, seed: int = 3) -> Any:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def randomized(model: Any) -> Any:
    """Give every weight, statistics included, a number that no fresh layer has."""
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.uniform(-0.3, 0.3, w.shape) for w in model.get_weights()])
    return model


def sequential() -> Any:
    return randomized(
        keras.Sequential(
            [
                keras.Input((20, 13, 3)),
                layers.Conv2D(6, 3, strides=2, activation="relu", name="conv"),
                layers.BatchNormalization(name="bn"),
                layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise"),
                layers.ReLU(max_value=6, name="relu6"),
                layers.MaxPooling2D(name="pool"),
                layers.Flatten(name="flat"),
                layers.Dropout(0.5, name="drop"),
                layers.Dense(7, activation="softmax", name="prob"),
            ]
        )
    )


def branched() -> Any:
    """Branches, a nested model in a nested model, a layer used twice, an operation."""
    inner = keras.Sequential(
        [keras.Input((None, None, 4)), layers.Conv2D(5, 3, activation="relu", name="conv")],
        name="inner",
    )
    start = keras.Input((None, None, 3))
    outer = keras.Model(start, inner(layers.Conv2D(4, 1, name="first")(start)), name="outer")
    image = keras.Input((None, None, 3), name="image")
    nested = outer(image)
    plain = layers.Conv2D(2, 3, name="plain")(image)
    active = layers.Activation("relu", name="active")(plain)
    joined = layers.Concatenate(name="mixed")([nested, active])
    same = layers.Conv2D(7, 3, padding="same", activation="tanh", name="same")
    x = same(same(joined)) * 2.0
    x = layers.Add(name="residual")([x, joined])
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return randomized(keras.Model(image, layers.Dense(4, name="logits")(x)))


def agree(got: Any, want: Any, name: str = "") -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, name
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max(), name


def gradients(program: Program, model: Any, name: str, oracle: Any, images: Any) -> None:
    image = tf.constant(images)
    feed = next(iter(program.inputs))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        got = tf.reduce_sum(program.compute({feed: image}, [name])[name] ** 2)
        want = tf.reduce_sum(oracle(image, training=False) ** 2)
    agree(tape.gradient(got, image), tape.gradient(want, image), name)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_sequential_files(tmp_path: Path, suffix: str) -> None:
    model = sequential()
    model.save(tmp_path / f"m.{suffix}")
    imported = read(tmp_path / f"m.{suffix}")
    program = imported.program
    assert imported.format == suffix
    (port,) = program.inputs.values()
    assert port.shape == (None, 20, 13, 3)
    x = random(2, 20, 13, 3)
    names = [layer.name for layer in model.layers]
    taps = keras.Model(model.inputs[0], [layer.output for layer in model.layers])
    found = program.compute({port.name: x}, names)
    for name, want in zip(names, taps(x), strict=True):
        agree(found[name], want, name)
    assert program.outputs == ("prob",)
    gradients(program, model, "prob", model, x)


def test_listed_values_of_a_sequential_model() -> None:
    program = program_of(sequential())
    assert list(program.values) == [
        *("conv_pre_relu", "conv", "bn", "depthwise", "relu6", "pool", "flat"),
        *("prob_pre_softmax", "prob"),
    ]
    values = program.values
    assert (values["conv"].op, values["conv"].shape) == ("Conv2D", (None, 9, 6, 6))
    assert values["conv"].relu_input == "conv_pre_relu"
    assert values["relu6"].relu_input == "depthwise"
    assert values["prob"].softmax_input == "prob_pre_softmax"
    assert values["flat"].shape == (None, 72)
    assert "drop" in values["flat"].aliases  # nothing happens in it at inference
    x = random(2, 20, 13, 3)
    names = ["conv", "conv_pre_relu", "prob", "prob_pre_softmax"]
    found = program.compute({next(iter(program.inputs)): x}, names)
    agree(found["conv"], np.maximum(found["conv_pre_relu"], 0))
    assert np.min(found["conv_pre_relu"]) < 0
    agree(found["prob"], tf.nn.softmax(found["prob_pre_softmax"]))


def test_branches_and_nested_models(tmp_path: Path) -> None:
    model = branched()
    model.save(tmp_path / "m.keras")
    program = read(tmp_path / "m.keras").program
    assert list(program.inputs) == ["image"]
    assert program.inputs["image"].shape == (None, None, None, 3)
    outer = model.get_layer("outer")
    first, inner = outer.get_layer("first"), outer.get_layer("inner")
    x = random(3, 15, 12, 3)
    same = model.get_layer("same")
    nested = outer(x)
    mixed = tf.concat([nested, tf.nn.relu(model.get_layer("plain")(x))], -1)
    wants = {
        "outer/first": first(x),
        "outer/inner/conv": inner(first(x)),
        "outer": nested,
        "outer/inner": nested,
        "plain": model.get_layer("plain")(x),
        "active": tf.nn.relu(model.get_layer("plain")(x)),
        "mixed": mixed,
        "same": same(mixed),
        "same_1": same(same(mixed)),
        "residual": same(same(mixed)) * 2 + mixed,
        "logits": model(x),
    }
    found = program.compute({"image": x}, list(wants))
    for name, want in wants.items():
        agree(found[name], want, name)
    taps = TapTable(program.values)
    assert taps["first"].name == "outer/first"  # no other path ends so
    assert taps["mixed"].channels == 7
    assert taps["mixed_pre_relu"].parts == ("outer/inner/conv_pre_relu", "plain")
    assert program.values["mixed"].parts == ("outer/inner/conv", "active")
    sub = keras.Model(model.input, model.get_layer("mixed").output)
    gradients(program, model, "mixed", sub, x)


def test_the_model_itself_is_left_as_it_was() -> None:
    model = branched()
    before = [set(vars(layer)) for layer in model._flatten_layers()]
    program = program_of(model)
    assert [set(vars(layer)) for layer in model._flatten_layers()] == before
    x = random(1, 9, 9, 3)
    want = program.compute({"image": x}, ["logits"])["logits"]
    model.set_weights([w * 0 for w in model.get_weights()])
    agree(program.compute({"image": x}, ["logits"])["logits"], want)  # weights as they were


def test_rows_do_not_depend_on_each_other() -> None:
    program = program_of(branched())
    x = random(3, 11, 9, 3)
    whole = program.compute({"image": x}, ["logits"])["logits"]
    for row in range(3):
        one = program.compute({"image": x[row : row + 1]}, ["logits"])["logits"]
        agree(one[0], whole[row])


def test_traced_in_a_function_without_variables() -> None:
    program = program_of(branched())
    seen = []

    def spy(x: Any) -> Any:
        seen.append(x)
        return tf.nn.relu(x)

    @tf.function
    def compute(x: Any) -> Any:
        return program.compute({"image": x}, ["active"], kernels=Kernels(relu=spy))["active"]

    graph = compute.get_concrete_function(tf.TensorSpec([None, None, None, 3])).graph
    ops = [operation.type for operation in graph.get_operations()]
    assert ops.count("Conv2D") == 1
    assert not graph.variables
    assert len(seen) == 1


class Twice(layers.Layer):
    """A custom layer with sublayers and a ReLU of its own."""

    def __init__(self, filters: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = layers.Conv2D(filters, 3, padding="same", name="inside")

    def build(self, shape: Any) -> None:
        self.conv.build(shape)

    def call(self, x: Any) -> Any:
        return tf.nn.relu(self.conv(x) - 0.5) * 2.0

    def get_config(self) -> Any:
        return {**super().get_config(), "filters": self.filters}


class Own(keras.Model):
    """A subclassed model with a list of layers and two outputs."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.stem = layers.Conv2D(4, 3, activation="relu", name="stem")
        self.blocks = [Twice(4, name="one"), Twice(4, name="two")]

    def call(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return {"map": x, "mean": tf.reduce_mean(x, [1, 2])}


def test_subclassed_model(tmp_path: Path) -> None:
    model = Own()
    model(random(2, 14, 10, 3))
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"needs Own.*--import MODULE.*custom_objects") as error:
        read(tmp_path / "m.keras")
    assert "\n" not in str(error.value)
    custom = {"Own": Own, "Twice": Twice}
    program = read(tmp_path / "m.keras", custom_objects=custom).program
    x = random(3, 14, 10, 3)
    (feed,) = program.inputs
    assert len(program.outputs) == 2
    found = program.compute({feed: x}, ["stem", "one/inside", "one", "two", "one/Relu"])
    agree(found["stem"], model.stem(x))
    agree(found["one/inside"], model.blocks[0].conv(model.stem(x)))
    agree(found["one/Relu"] * 2.0, found["one"])
    agree(found["two"], model(x)["map"])
    taps = TapTable(program.values)
    agree(
        np.maximum(program.compute({feed: x}, [taps["one/Relu_pre_relu"].name]).popitem()[1], 0),
        found["one/Relu"],
    )


def test_custom_layer_in_h5(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 9, 1)), Twice(name="twice")])
    model.save(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"m\.h5 needs Twice"):
        read(tmp_path / "m.h5")
    program = read(tmp_path / "m.h5", custom_objects={"Twice": Twice}).program
    x = random(2, 8, 9, 1)  # grey
    agree(program.compute({next(iter(program.inputs)): x}, ["twice"])["twice"], model(x))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_lambda_only_if_trusted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    keras.Sequential([keras.Input((4, 4, 3)), layers.Lambda(lambda x: x * 3, name="by3")]).save(
        path
    )
    with pytest.raises(ModelError, match=r"Lambda.*--unsafe.*unsafe=True") as error:
        read(path)
    assert "\n" not in str(error.value)
    program = read(path, unsafe=True).program
    x = random(1, 4, 4, 3)
    agree(program.compute({next(iter(program.inputs)): x}, ["by3"])["by3"], x * 3)


def test_several_inputs() -> None:
    image = keras.Input((6, 5, 3), name="image")
    extra = keras.Input((4,), name="extra")
    x = layers.GlobalAveragePooling2D()(image)
    model = keras.Model(
        {"image": image, "extra": extra},
        layers.Dense(2, name="out")(layers.Concatenate()([x, extra])),
    )
    program = program_of(model)
    assert {n: p.shape for n, p in program.inputs.items()} == {
        "image": (None, 6, 5, 3),
        "extra": (None, 4),
    }
    x, e = random(2, 6, 5, 3), random(2, 4, seed=8)
    got = program.compute({"image": x, "extra": e}, ["out"])["out"]
    agree(got, model({"image": x, "extra": e}))


def test_grouped_and_transposed_convolutions() -> None:
    image = keras.Input((9, 7, 4))
    x = layers.Conv2D(8, 3, groups=2, activation="relu", name="grouped")(image)
    x = layers.Conv2DTranspose(3, 3, strides=2, name="up")(x)
    x = layers.UpSampling2D(interpolation="bilinear", name="resized")(x)
    x = layers.LeakyReLU(name="leaky")(layers.LayerNormalization(name="ln")(x))
    x = layers.SeparableConv2D(4, 3, activation="silu", name="separable")(x)
    model = randomized(keras.Model(image, layers.PReLU(name="prelu", shared_axes=[1, 2])(x)))
    program = program_of(model)
    x = random(2, 9, 7, 4)
    names = [layer.name for layer in model.layers[1:]]
    taps = keras.Model(model.input, [layer.output for layer in model.layers[1:]])
    found = program.compute({next(iter(program.inputs)): x}, names)
    for name, want in zip(names, taps(x), strict=True):
        agree(found[name], want, name)
    assert program.values["grouped"].shape == (None, 7, 5, 8)  # though Keras hides it in a call
    gradients(program, model, "prelu", model, x)


def test_weights_that_are_not_numbers(tmp_path: Path) -> None:
    model = sequential()
    kernel = model.get_layer("conv").kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 2, np.nan, kernel))
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"m\.keras: weight \S*conv\S* holds NaN"):
        read(tmp_path / "m.keras")


def test_never_built() -> None:
    with pytest.raises(ModelError, match="no input shape; call it once"):
        program_of(Own())


def test_weights_only(tmp_path: Path) -> None:
    sequential().save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ModelError, match=r"m\.weights\.h5 holds weights without"):
        read(tmp_path / "m.weights.h5")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"m.{suffix}"
    sequential().save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ModelError, match="truncated") as error:
        read(path)
    assert "\n" not in str(error.value)


def test_damaged_configuration(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", '{"module": "keras", "class_name": ')
    with pytest.raises(ModelError, match=r"m\.keras") as error:
        read(tmp_path / "m.keras")
    assert "\n" not in str(error.value)


def test_other_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ModelError, match=r"Keras runs on jax.*KERAS_BACKEND=tensorflow"):
        program_of(sequential())


def test_folder(tmp_path: Path) -> None:
    model = sequential()
    model.save(tmp_path / "m", zipped=False)
    imported = read(tmp_path / "m")
    assert imported.format == "keras"
    (name,) = imported.program.inputs
    x = random(2, *(n or 19 for n in model.input_shape[1:]))
    (output,) = imported.program.outputs
    agree(imported.program.compute({name: x}, [output])[output], model(x))
    weights = tmp_path / "m" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:700])
    with pytest.raises(ModelError, match=r"m is damaged or truncated.*truncated file"):
        read(tmp_path / "m")


def test_folder_with_a_lambda(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((8, 8, 3)), layers.Lambda(lambda x: x * 2.0)]).save(
        tmp_path / "m", zipped=False
    )
    with pytest.raises(ModelError, match=r"Lambda.*--unsafe"):
        read(tmp_path / "m")
    read(tmp_path / "m", unsafe=True)


def recurrent(library: Any) -> Any:
    image = library.Input((5, 6, 6, 2), name="image")
    own = library.layers
    x = own.TimeDistributed(own.Conv2D(3, 3), name="each")(image)
    x = own.ConvLSTM2D(3, 3, return_sequences=True, name="convlstm")(x)
    x = own.Reshape((5, 12), name="rows")(x)
    x = own.LSTM(4, return_sequences=True, name="lstm")(own.Masking(name="masked")(x))
    x = own.Bidirectional(own.GRU(3), name="both")(x)
    return library.Model(image, own.Dense(2, name="scores")(x))


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_recurrent_layers(library: Any) -> None:
    model = recurrent(library)
    program = program_of(model)
    x = random(2, 5, 6, 6, 2)
    x[0, 3:] = 0
    names = ["each", "convlstm", "rows", "lstm", "both", "scores"]
    own = library.Model(model.input, [model.get_layer(name).output for name in names])
    found = program.compute({"image": x}, names)
    for name, want in zip(names, own(x), strict=True):
        agree(found[name], want, name)
    with tf.GradientTape(persistent=True) as tape:
        images = tf.constant(x)
        tape.watch(images)
        score = tf.reduce_sum(program.compute({"image": images}, ["scores"])["scores"] ** 2)
        wanted = tf.reduce_sum(model(images) ** 2)
    agree(tape.gradient(score, images), tape.gradient(wanted, images))


def test_mask_that_a_layer_sets_itself() -> None:
    image = tf_keras.Input((6, 3), name="image")
    x = tf_keras.layers.Masking(0.0, name="masked")(image)
    model = tf_keras.Model(image, tf_keras.layers.SimpleRNN(4, name="rnn")(x))
    x = random(2, 6, 3)
    x[0, 3:] = 0
    agree(program_of(model).compute({"image": x}, ["rnn"])["rnn"], model(x))


@pytest.mark.parametrize("kind", ["convolution", "recurrent", "embedding"])
def test_a_program_follows_the_weights_if_asked(kind: str) -> None:
    """A compiled function computes with the weights of its run; a usual program keeps its own."""
    keras.utils.set_random_seed(4)
    layers = keras.layers
    parts = {
        "convolution": [layers.Conv2D(3, 3), layers.BatchNormalization(), layers.ReLU()],
        "recurrent": [layers.Reshape((35, 3)), layers.GRU(4)],
        "embedding": [layers.Embedding(9, 5), layers.Flatten(), layers.Dense(2)],
    }[kind]
    shape, dtype = ((6,), "int32") if kind == "embedding" else ((7, 5, 3), "float32")
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *parts])
    rng = np.random.default_rng(1)
    x = tf.constant(
        rng.integers(0, 9, (2, *shape)) if dtype == "int32" else rng.random((2, *shape))
    )
    x = tf.cast(x, dtype)

    def compiled(program: Any) -> Any:
        (name,) = program.inputs
        last = program.outputs[0]
        return tf.function(lambda x: program.compute({name: x}, [last])[last], autograph=False)

    follows, keeps = compiled(program_of(model, follows=True)), compiled(program_of(model))
    before = model(x)
    agree(follows(x), before)
    agree(keeps(x), before)
    for weight in model.weights:
        weight.assign(weight + 0.1 * rng.random(weight.shape))
    assert np.abs(model(x) - before).max() > 1e-3
    agree(follows(x), model(x))
    agree(keeps(x), before)
