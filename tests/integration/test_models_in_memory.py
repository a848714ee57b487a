"""Models in memory: loaded, rendered, saved to a file, and verified with that file to the byte."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.network.live_weights import WeightsChangedWarning
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.optvis.recipes import RECIPES
from kerasviz.rendering.request import make_requests
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store

layers = keras.layers
RECIPE = RECIPES["fast"].replace(steps=3, size=(20, 20), precision="float32")


def render_folder(net: kerasviz.Network, folder: Path, *targets: str) -> Path:
    """Render pictures of a network into a folder, as ``kerasviz render`` does."""
    parsed = parse_targets(list(targets), net)
    render_into(Store(folder, net), make_requests(net, parsed, RECIPE))
    return folder


def photos(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).random(shape, np.float32)


def trained() -> keras.Model:
    """A model after an epoch, whose batch normalization and dropout have states."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((20, 20, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", name="dense"),
        ],
        name="small",
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    fit(model)
    return model


def fit(model: Any) -> None:
    model.fit(255 * photos(8, 20, 20, 3), np.arange(8) % 3, batch_size=4, verbose=0)


def same(run_cli: Callable[..., Any], folder: Path, *words: object) -> bool:
    ended = run_cli("verify", folder, "--json", *words)
    assert ended.err == "" or ended.code == 0, ended.err
    data = json.loads(ended.out)
    results = {file["result"] for file in data["files"]}
    return bool(ended.code == 0 and data["files"]) and results == {"same"}


# -- Keras ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return trained()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: keras.Model) -> Path:
    net = kerasviz.load(model)
    folder = render_folder(net, tmp_path_factory.mktemp("memory") / "out", "conv:1", "dense:0")
    model.save(folder.parent / "saved.keras")
    model.save(folder.parent / "saved.h5")
    return folder


@pytest.mark.parametrize("file", ["saved.keras", "saved.h5"])
def test_a_trained_model_is_verified_with_its_file(run_cli: Any, folder: Path, file: str) -> None:
    assert same(run_cli, folder, "--model", folder.parent / file)


def test_a_folder_of_a_model_in_memory_asks_for_its_file(run_cli: Any, folder: Path) -> None:
    ended = run_cli("verify", folder)
    assert ended.code == 2
    assert "was made with a model in memory, small; save that model and give --model" in ended.err


def test_the_file_of_another_epoch_is_another_model(
    run_cli: Any, folder: Path, tmp_path: Path
) -> None:
    other = keras.models.load_model(folder.parent / "saved.keras")
    other.compile("sgd", "sparse_categorical_crossentropy")
    fit(other)
    other.save(tmp_path / "later.keras")
    ended = run_cli("verify", folder, "--model", tmp_path / "later.keras")
    assert ended.code == 2 and "pictures of another model, small" in ended.err


def test_other_versions_are_named_as_a_reason(
    folder: Path, tmp_path: Path, model: keras.Model
) -> None:
    folder = Path(shutil.copytree(folder, tmp_path / "copy"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["network"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    net = kerasviz.load(model)
    with pytest.raises(UsageError) as refused:
        kerasviz.verify(folder, net)
    assert "or other versions" not in str(refused.value)
    for environment in manifest["environments"].values():
        environment["keras"] = "3.0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    line = f"or other versions read it otherwise: keras: recorded 3.0, here {keras.__version__}$"
    with pytest.raises(UsageError, match=line):
        kerasviz.verify(folder, net)


def test_the_command_continues_a_folder_of_a_model_in_memory(
    run_cli: Any, folder: Path, tmp_path: Path
) -> None:
    file = folder.parent / "saved.keras"
    folder = Path(shutil.copytree(folder, tmp_path / "copy"))
    options = ("--recipe", "fast", "--steps", 3, "--size", 20, "--precision", "float32")
    ended = run_cli("render", file, "conv:1", *options, "--out", folder)
    assert ended.out.startswith("nothing to do: 1 picture is complete"), ended.err
    ended = run_cli("render", file, "conv:2", *options, "--out", folder)
    assert ended.code == 0
    assert same(run_cli, folder)  # which now knows the file


def test_the_same_object_again_is_the_same_network(folder: Path, model: keras.Model) -> None:
    results, _ = kerasviz.verify(folder, kerasviz.load(model))
    assert {result.result for result in results} == {"same"}


def test_a_picture_is_made_again_from_its_file(
    folder: Path, model: keras.Model, tmp_path: Path
) -> None:
    from kerasviz.io.images import decode
    from kerasviz.rendering.again import RecordedStore

    file = next(folder.glob("conv-1*.png"))
    recorded = decode(file.read_bytes())[1]
    net = kerasviz.load(folder.parent / "saved.keras")
    assert RecordedStore(tmp_path, net, file, recorded).network == recorded["network"]


def test_files_keep_their_checksum_and_records(folder: Path) -> None:
    net = kerasviz.load(folder.parent / "saved.keras")
    assert (
        "checksum" not in kerasviz.render(net, "conv:0", steps=1, size=20).provenance[0]["network"]
    )
    assert net.identity.sha256 != net.identity.contents()  # type: ignore[misc]


def test_facts_of_the_model_and_words_of_the_command(model: keras.Model) -> None:
    net = kerasviz.load(model)
    assert net.input_spec is not None and net.input_spec.scale == 255.0
    assert net.origins["input"] == "Rescaling layer of the model"
    named = kerasviz.load(model, preprocess="torchvision", labels=["a", "b", "c"])
    assert named.input_spec == kerasviz.load(model, preprocess="torchvision").input_spec
    assert named.input_spec is not None and named.input_spec.std == (0.229, 0.224, 0.225)
    assert named.labels == ("a", "b", "c") and named.class_index("b") == 1
    numbers = kerasviz.load(model, mean=(104, 117, 123), std=58, channel_order="bgr").input_spec
    assert numbers is not None
    assert (numbers.scale, numbers.mean, numbers.std) == (255.0, (104.0, 117.0, 123.0), (58.0,))
    assert numbers.channel_order == "bgr"
    alone = kerasviz.load(model, channel_order="bgr").input_spec
    assert alone is not None and (alone.scale, alone.channel_order) == (255.0, "bgr")
    with pytest.raises(UsageError, match="not both"):
        kerasviz.load(model, preprocess="unit", input_spec=kerasviz.InputSpec())
    with pytest.raises(UsageError, match="4 names for 3 classes"):
        kerasviz.load(model, labels=["a", "b", "c", "d"])


def test_training_after_the_load_is_told_once_and_changes_nothing() -> None:
    model = trained()
    net = kerasviz.load(model)
    images = photos(2, 20, 20, 3)
    before = net.activations(images, ["dense"])["dense"].numpy()
    shown = kerasviz.render(net, "conv:1", steps=2, size=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error", WeightsChangedWarning)
        net.activations(images, ["dense"])
    fit(model)
    line = "the weights of small have changed since load; load it again to see them"
    with pytest.warns(WeightsChangedWarning, match=f"^{line}$") as told:
        again = kerasviz.render(net, "conv:1", steps=2, size=20)
        after = net.activations(images, ["dense"])["dense"].numpy()
    assert len([w for w in told if w.category is WeightsChangedWarning]) == 1
    np.testing.assert_array_equal(after, before)  # the network is a snapshot
    np.testing.assert_array_equal(again.images, shown.images)
    assert again.provenance == shown.provenance
    new = kerasviz.load(model)
    assert new.identity.sha256 != net.identity.sha256
    values = new.activations(images, ["dense"])["dense"]
    np.testing.assert_allclose(values, model(images * 255), atol=1e-6)
    assert abs(values - before).numpy().max() > 1e-4


def test_activations_alone_tell_it_too() -> None:
    model = trained()
    net = kerasviz.load(model).with_channel_order("bgr")
    model.layers[1].kernel.assign_add(tf.ones_like(model.layers[1].kernel))
    with pytest.warns(WeightsChangedWarning):
        net.activations(photos(1, 20, 20, 3), ["dense"])


def test_the_model_stays_as_it_was_and_can_be_freed() -> None:
    import gc
    import weakref

    model = trained()
    images = photos(2, 20, 20, 3)
    before = model.predict(images, verbose=0)
    net = kerasviz.load(model)
    assert all("call" not in vars(layer) for layer in model.layers)
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    net.activations(images, ["dense"])


class Doubled(layers.Layer):
    """A custom layer, as a notebook defines one in ``__main__``."""

    def call(self, x: Any) -> Any:
        return 2 * x


class Subclassed(keras.Model):
    """A subclassed model, which is called once."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.conv = layers.Conv2D(3, 3, activation="gelu", name="conv")
        self.heads = [layers.Dense(2, name="left"), layers.Dense(2, name="right")]

    def call(self, x: Any) -> Any:
        pooled = keras.ops.mean(self.conv(x), axis=(1, 2))
        return self.heads[0](pooled) + self.heads[1](pooled)


def subclassed() -> keras.Model:
    model = Subclassed(name="subclassed")
    model(photos(1, 20, 20, 3))
    return model


def nested_twice() -> keras.Model:
    a = keras.Input((20, 20, 3))
    inner = keras.Model(a, layers.Conv2D(3, 3, padding="same", name="conv")(a) + a, name="inner")
    b = keras.Input((20, 20, 3))
    middle = keras.Model(b, layers.ReLU(name="relu")(inner(b)), name="middle")
    c = keras.Input((20, 20, 3))
    pooled = layers.GlobalAveragePooling2D(name="pool")(middle(c))
    return keras.Model(c, layers.Dense(2, name="head")(pooled), name="outer")


def two_inputs() -> keras.Model:
    image, age = keras.Input((20, 20, 3), name="image"), keras.Input((2,), name="age")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, name="conv")(image))
    joined = layers.Concatenate()([pooled, layers.Dense(2)(age)])
    return keras.Model([image, age], layers.Dense(2, name="head")(joined), name="two")


def mixed() -> keras.Model:
    policy = "mixed_bfloat16"
    conv = layers.Conv2D(3, 3, activation="relu", name="conv", dtype=policy)
    pool = layers.GlobalAveragePooling2D(dtype=policy)
    return keras.Sequential([keras.Input((20, 20, 3)), conv, pool], name="mixed")


def with_custom_layer() -> keras.Model:
    conv = layers.Conv2D(3, 3, name="conv")
    parts = [keras.Input((20, 20, 3)), conv, Doubled(), layers.GlobalMaxPooling2D()]
    return keras.Sequential(parts, name="custom")


def recurrent() -> keras.Model:
    parts = [layers.Conv2D(3, 5, 4, name="conv"), layers.Reshape((16, 3)), layers.LSTM(4)]
    return keras.Sequential([keras.Input((20, 20, 3)), *parts], name="recurrent")


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (subclassed, "conv:1"),
        (nested_twice, "middle/relu:1"),
        (two_inputs, "conv:1"),
        (mixed, "conv:1"),
        (with_custom_layer, "doubled:1"),
        (recurrent, "conv:1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_models_of_all_kinds_are_verified(
    make: Callable[[], keras.Model], target: str, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(2)
    model = make()
    net = kerasviz.load(model, preprocess="unit")
    folder = render_folder(net, tmp_path / "out", target)
    model.save(tmp_path / "saved.keras")
    own = {"Doubled": Doubled, "Subclassed": Subclassed}
    loaded = kerasviz.load(tmp_path / "saved.keras", custom_objects=own, preprocess="unit")
    results, _ = kerasviz.verify(folder, loaded)
    assert [result.result for result in results] == ["same"]


class Unnamed(keras.Model):
    """A subclassed model whose layers Keras names, in the order in which layers are made."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.first, self.second = layers.Conv2D(3, 3), layers.Conv2D(2, 3)

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))


def test_names_that_keras_numbers_anew_are_told(tmp_path: Path) -> None:
    model = Unnamed(name="unnamed")
    model(photos(1, 20, 20, 3))
    net = kerasviz.load(model, preprocess="unit")
    folder = render_folder(net, tmp_path / "out", f"{model.second.name}:1")
    model.save(tmp_path / "saved.keras")
    own = {"Unnamed": Unnamed}
    for _ in range(2):  # the names of the first are no names of the second
        loaded = kerasviz.load(tmp_path / "saved.keras", custom_objects=own, preprocess="unit")
    line = (
        r"^unknown tap 'conv2d_\d+'; near: .*numbers the layers .* anew in each process: name them"
    )
    with pytest.raises(UsageError, match=line):
        kerasviz.verify(folder, loaded)


def test_what_has_no_numbers_says_how_to_give_them() -> None:
    net = kerasviz.load(nested_twice())
    with pytest.raises(UsageError, match=r"^outer: the model does not say .* load it with preproc"):
        kerasviz.render(net, "middle/relu:1", steps=1, size=20)


def test_an_atlas_asks_for_a_file(model: keras.Model) -> None:
    from kerasviz.atlas.definition import Atlas

    with pytest.raises(UsageError, match="read small from a file; save the model and load that"):
        Atlas.of(kerasviz.load(model), ["conv"], RECIPE)


class Several(keras.Model):
    """A subclassed model of an image and numbers, in a mapping or in a list."""

    def __init__(self, keys: list[Any], **options: Any):
        super().__init__(**options)
        self.keys = keys
        self.conv, self.head = layers.Conv2D(2, 3, name="conv"), layers.Dense(2, name="head")

    def call(self, x: Any) -> Any:
        image, numbers = (x[key] for key in self.keys)
        return keras.ops.mean(self.conv(image), axis=(1, 2)) + self.head(numbers)


def test_a_subclassed_model_of_several_inputs() -> None:
    image, numbers = photos(2, 20, 20, 3), photos(2, 4)
    for keys, given in (
        (["image", "age"], {"image": image, "age": numbers}),
        ([0, 1], [image, numbers]),
    ):
        model = Several(keys, name="several")
        wanted = model(given)
        net = kerasviz.load(model, preprocess="unit")
        feeds = dict(zip(net.program.inputs, (image, numbers), strict=True))
        (result,) = net.run(feeds).values()
        np.testing.assert_allclose(result, wanted, atol=1e-6)
        assert net.activations(image, ["conv"])["conv"].shape == (2, 18, 18, 2)
    assert list(net.program.inputs) == ["input_0", "input_1"]


def test_a_model_that_was_never_called_says_so() -> None:
    line = "^model never has no input shape; call it once on a batch of images first"
    with pytest.raises(ModelError, match=line):
        kerasviz.load(Subclassed(name="never"))


def test_a_model_of_keras_2(tmp_path: Path) -> None:
    legacy = pytest.importorskip("tf_keras")
    old = legacy.layers
    parts = [
        old.Rescaling(1 / 255),
        old.Conv2D(4, 3, activation="relu", name="conv"),
        old.BatchNormalization(),
        old.Dropout(0.3),
        old.GlobalAveragePooling2D(),
        old.Dense(3),
    ]
    model = legacy.Sequential([legacy.Input((20, 20, 3)), *parts], name="legacy")
    model.compile("sgd", legacy.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model)
    net = kerasviz.load(model)
    assert net.input_spec is not None and net.input_spec.scale == 255.0
    folder = render_folder(net, tmp_path / "out", "conv:1")
    model.save(tmp_path / "saved.keras")
    results, _ = kerasviz.verify(folder, kerasviz.load(tmp_path / "saved.keras"))
    assert [result.result for result in results] == ["same"]
    fit(model)
    with pytest.warns(WeightsChangedWarning):
        net.activations(photos(1, 20, 20, 3), ["conv"])


# -- ONNX ----------------------------------------------------------------------------------------


def proto(quantized: bool = False) -> onnx.ModelProto:
    rng = np.random.default_rng(5)
    weights = {"w": rng.normal(size=(6, 3, 3, 3)).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], name="conv")]
    if quantized:
        weights |= {
            "codes": rng.integers(-99, 99, (6, 3, 3, 3)).astype(np.int8),
            "scale": np.float32(0.02),
        }
        del weights["w"]
        nodes.insert(0, helper.make_node("DequantizeLinear", ["codes", "scale"], ["w"]))
    nodes += [
        helper.make_node("Relu", ["c"], ["relu"], name="relu"),
        helper.make_node("ReduceMean", ["relu"], ["y"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "my graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 20, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 6])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key, entry.value = "names", "{0: 'a', 1: 'b', 2: 'c', 3: 'd', 4: 'e', 5: 'f'}"
    return model


def save_external(model: onnx.ModelProto, path: Path) -> Path:
    options: dict[str, Any] = {"save_as_external_data": True, "size_threshold": 0}
    onnx.save(model, path, location="weights.bin", **options)
    return path


@pytest.mark.parametrize("quantized", [False, True])
def test_a_proto_is_verified_with_its_files(run_cli: Any, tmp_path: Path, quantized: bool) -> None:
    model = proto(quantized)
    before = model.SerializeToString(deterministic=True)
    net = kerasviz.load(model, preprocess="unit")
    assert (net.name, net.labels[:2]) == ("my_graph", ("a", "b"))
    folder = render_folder(net, tmp_path / "out", "relu:2")
    assert model.SerializeToString(deterministic=True) == before
    onnx.save(model, tmp_path / "one.onnx")
    assert same(run_cli, folder, "--model", tmp_path / "one.onnx")
    two = save_external(model, tmp_path / "two.onnx")
    assert same(run_cli, folder, "--model", two)


def test_external_data_that_were_not_loaded(tmp_path: Path, monkeypatch: Any) -> None:
    file = save_external(proto(), tmp_path / "a.onnx")
    known = kerasviz.load(proto()).identity.sha256
    model = onnx.load(file, load_external_data=False)
    with pytest.raises(ModelError, match=r"'weights.bin' is not in .*onnx.load.*or give folder="):
        kerasviz.load(model)
    assert kerasviz.load(model, folder=tmp_path).identity.sha256 == known
    monkeypatch.chdir(tmp_path)
    assert kerasviz.load(model).identity.sha256 == known
    assert kerasviz.load(onnx.load(file)).identity.sha256 == known
    assert model.graph.initializer[0].data_location == TensorProto.EXTERNAL  # as it was


def test_an_empty_proto_is_refused() -> None:
    with pytest.raises(ModelError, match="no graph with outputs"):
        kerasviz.load(onnx.ModelProto())


# -- TensorFlow ----------------------------------------------------------------------------------


class Module(tf.Module):
    """A module of TensorFlow, with a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(photos(3, 3, 3, 4))

    @tf.function(input_signature=[tf.TensorSpec([None, 20, 20, 3])])
    def __call__(self, x: Any) -> Any:
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x - 0.5, self.kernel, 1, "SAME")), [1, 2])


def test_a_module_and_what_was_loaded_of_it(run_cli: Any, tmp_path: Path) -> None:
    module = Module()
    net = kerasviz.load(module, preprocess="unit")
    folder = render_folder(net, tmp_path / "out", "Relu:1")
    tf.saved_model.save(module, tmp_path / "saved")
    assert same(run_cli, folder, "--model", tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    again = kerasviz.load(loaded, preprocess="unit")
    assert again.identity.sha256 == net.identity.sha256
    module.kernel.assign_add(photos(3, 3, 3, 4))
    with pytest.warns(WeightsChangedWarning):
        net.activations(photos(1, 20, 20, 3), ["Relu"])


def test_a_module_without_a_function_is_refused() -> None:
    with pytest.raises(ModelError, match="no function that takes tensors"):
        kerasviz.load(tf.Module())
