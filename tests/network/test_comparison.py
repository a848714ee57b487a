"""Comparing a network tap by tap with onnxruntime and with Keras."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.importers import reference as references
from kerasviz.network import comparison
from kerasviz.network.comparison import relative_difference
from kerasviz.network.input_spec import preset
from kerasviz.zoo.load import model_path

Array = Any


def model(path: Path, shape: Sequence[Any] = ("N", 3, "H", "W"), wrong: str = "") -> Path:
    """conv1, relu1, conv2, pool, flat; with ``wrong``, that convolution has another weight."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "w2": rng.normal(size=(5, 4, 3, 3)).astype(np.float32),
    }
    if wrong:
        weights[wrong][1, 2, 0, 1] += 0.5
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["conv1"]),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        helper.make_node("Conv", ["relu1", "w2"], ["conv2"]),
        helper.make_node("GlobalAveragePool", ["conv2"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("flat", onnx.TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


def test_every_tap_of_a_right_import_agrees(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx")
    net = kerasviz.load(path)
    feeds = comparison.feeds_for(net, size=(9, 12), batch=2)
    found = comparison.compare(net, references.onnxruntime_reference(path), feeds)
    assert [tap.tap for tap in found.taps] == ["conv1", "relu1", "conv2", "pool", "flat"]
    assert [tap.op for tap in found.taps] == [
        "Conv",
        "Relu",
        "Conv",
        "GlobalAveragePool",
        "Flatten",
    ]
    assert found.taps[0].shape == (2, 4, 7, 10)  # the model's own layout
    assert found.first_off is None
    assert found.largest.error <= 1e-5
    assert found.against == "onnxruntime"


@pytest.mark.parametrize(("weight", "first"), [("w1", "conv1"), ("w2", "conv2")])
def test_first_tap_that_is_off_is_where_the_fault_is(
    tmp_path: Path, weight: str, first: str
) -> None:
    """The reference runs a file in which one weight of one convolution is another."""
    net = kerasviz.load(model(tmp_path / "m.onnx"))
    other = model(tmp_path / "wrong.onnx", wrong=weight)
    feeds = comparison.feeds_for(net, size=(9, 12))
    found = comparison.compare(net, references.onnxruntime_reference(other), feeds)
    assert found.first_off is not None
    assert found.first_off.tap == first
    before = [tap.error for tap in found.taps if tap.tap < first and tap.tap.startswith("conv")]
    assert all(error <= 1e-5 for error in before)
    assert found.taps[-1].error > 1e-4


def test_tolerance_decides(tmp_path: Path) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx"))
    reference = references.onnxruntime_reference(model(tmp_path / "wrong.onnx", wrong="w2"))
    feeds = comparison.feeds_for(net, size=(9, 12))
    assert comparison.compare(net, reference, feeds, tolerance=1e6).first_off is None
    assert comparison.compare(net, reference, feeds, tolerance=1e-4).first_off is not None


def test_missing_numbers_are_off(tmp_path: Path) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx"))
    feeds = comparison.feeds_for(net, size=(9, 12))

    def damaged(feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        found = net.program.compute(feeds, names, channels_last=False)
        arrays = {name: np.array(tensor) for name, tensor in found.items()}
        arrays["relu1"][0, 0, 0, 0] = np.nan
        arrays["pool"] = arrays["pool"][:, :3]
        del arrays["conv2"]
        return arrays

    found = comparison.compare(net, comparison.Reference("damaged", damaged), feeds)
    by_name = {tap.tap: tap for tap in found.taps}
    assert found.first_off is by_name["relu1"]
    assert by_name["relu1"].error == np.inf
    assert by_name["pool"].note == "shape [1, 5, 1, 1] instead of [1, 3, 1, 1]"
    assert found.skipped == ("conv2",)


def test_external_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model(tmp_path / "m.onnx")
    loaded = onnx.load(path)
    onnx.save(loaded, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    net = kerasviz.load(path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # they lie beside the model, not here
    found = comparison.compare(
        net, references.onnxruntime_reference(path), comparison.feeds_for(net, size=(9, 12))
    )
    assert found.first_off is None


def test_file_that_onnxruntime_cannot_run(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx")
    net = kerasviz.load(path)
    path.write_bytes(
        model(tmp_path / "b.onnx").read_bytes().replace(b"GlobalAveragePool", b"G" * 17)
    )
    with pytest.raises(ModelError, match="cannot be run by onnxruntime") as caught:
        comparison.compare(
            net, references.onnxruntime_reference(path), comparison.feeds_for(net, size=(9, 9))
        )
    assert "\n" not in str(caught.value)


def test_missing_onnxruntime_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'kerasviz\[check\]'"):
        references.onnxruntime_reference(tmp_path / "m.onnx")


# -- Keras -----------------------------------------------------------------------------------


def keras_file(path: Path) -> Path:
    inputs = keras.layers.Input((None, None, 3), name="image")
    inner = keras.Sequential(
        [keras.layers.Input((None, None, 4)), keras.layers.Conv2D(5, 3, name="conv2")], name="block"
    )
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = inner(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    keras.Model(inputs, keras.layers.Dense(3, name="logits")(x)).save(path)
    return path


def test_layers_of_keras_agree(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "m.keras")
    net = kerasviz.load(path)
    reference = references.reference_for(net, path)
    assert reference.name == "keras"
    found = comparison.compare(net, reference, comparison.feeds_for(net, size=(9, 12), batch=2))
    names = [tap.tap for tap in found.taps]
    assert {"conv1", "norm", "block/conv2", "pool", "logits"} <= set(names)
    assert found.first_off is None, found.first_off
    assert found.taps[names.index("conv1")].shape == (2, 7, 10, 4)


def test_first_wrong_layer_of_keras_is_named(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "m.keras")
    net = kerasviz.load(path)
    changed = keras.saving.load_model(path)
    layer = changed.get_layer("norm")
    layer.moving_variance.assign(layer.moving_variance * 4.0)
    changed.save(path)
    found = comparison.compare(
        net, references.keras_reference(path), comparison.feeds_for(net, size=(9, 12))
    )
    assert found.first_off is not None
    assert found.first_off.tap == "norm"


def test_calls_of_the_layers_are_put_back(tmp_path: Path) -> None:
    from kerasviz.importers.keras.layers import LayerResults

    loaded = keras.saving.load_model(keras_file(tmp_path / "m.keras"))
    with LayerResults(loaded) as results:
        loaded(np.zeros((1, 9, 9, 3), np.float32))
    assert results.found["logits"].shape == (1, 3)
    assert "call" not in vars(loaded.get_layer("conv1"))


# -- which reference -------------------------------------------------------------------------


def test_reference_follows_the_format(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx")
    net = kerasviz.load(path)
    assert references.reference_for(net, path).name == "onnxruntime"
    assert references.reference_for(net, path, "onnxruntime").name == "onnxruntime"
    with pytest.raises(UsageError, match="against onnxruntime only"):
        references.reference_for(net, path, "keras")


def test_formats_without_a_reference() -> None:
    from support import tiny

    with pytest.raises(UsageError, match="only ONNX and Keras files"):
        references.reference_for(tiny.network(), Path("tiny"))
    with pytest.raises(UsageError, match="no model file"):
        model_path("efficientnet-lite0")


# -- the numbers -----------------------------------------------------------------------------


def test_difference_is_relative_to_the_largest_entry() -> None:
    theirs = np.array([1.0, -200.0, 3.0], np.float32)
    ours = theirs + np.array([0, 0, 2], np.float32)
    assert relative_difference(ours, theirs) == pytest.approx(0.01)
    assert relative_difference(theirs, theirs) == 0
    assert relative_difference(np.array([0.0]), np.array([0.0])) == 0
    assert relative_difference(np.array([], np.float32), np.array([], np.float32)) == 0


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([np.inf, 1.0], [np.inf, 1.0], 0.0),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
        ([np.nan, 1.0], [np.inf, 1.0], np.inf),
        ([np.nan, 1.0], [0.0, 1.0], np.inf),
        ([True, False], [True, True], 1.0),
        ([True, False], [True, False], 0.0),
        ([2**40, 3], [2**40, 3], 0.0),
        ([np.nan], [np.nan], 0.0),
    ],
)
def test_differences_of_special_numbers(ours: Any, theirs: Any, wanted: float) -> None:
    assert relative_difference(np.array(ours), np.array(theirs)) == wanted


def test_unsigned_numbers_do_not_wrap() -> None:
    found = relative_difference(np.array([1], np.uint8), np.array([2], np.uint8))
    assert found == 0.5


def test_texts() -> None:
    ours = np.array([b"a", b"b"], object)
    assert relative_difference(ours, np.array(["a", "b"], object)) == 0
    assert relative_difference(ours, np.array(["a", "c"], object)) == 1


# -- the input -------------------------------------------------------------------------------


def test_random_images_fill_the_range_of_the_description(tmp_path: Path) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx"), input_spec=preset("byte"))
    image = comparison.feeds_for(net, size=(40, 30), batch=2)["x"]
    assert image.shape == (2, 3, 40, 30)
    assert image.dtype == np.float32
    assert 0 <= image.min() < 5
    assert 250 < image.max() <= 255
    again = comparison.feeds_for(net, size=(40, 30), batch=2)["x"]
    np.testing.assert_array_equal(image, again)
    assert not np.array_equal(image, comparison.feeds_for(net, size=(40, 30), batch=2, seed=1)["x"])


def test_sizes_of_the_file_win(tmp_path: Path) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx", (1, 3, 8, 10)))
    assert comparison.feeds_for(net)["x"].shape == (1, 3, 8, 10)
    assert comparison.feeds_for(net, size=(8, 10))["x"].shape == (1, 3, 8, 10)
    with pytest.raises(UsageError, match="takes images of 8x10 only"):
        comparison.feeds_for(net, size=(9, 9))


def test_other_inputs_get_numbers_of_their_types() -> None:
    from support import tiny

    from kerasviz.network.program import Port

    net = tiny.network()
    ports = {
        "image": Port("image", tf.uint8, (None, 8, 8, 3)),
        "tokens": Port("tokens", tf.int64, (None, None)),
        "flag": Port("flag", tf.bool, ()),
        "state": Port("state", tf.float32, (2, None, 4)),
    }

    class Other:
        inputs = ports
        values: ClassVar = {}
        outputs = ()
        module_kinds: ClassVar = {}

    net = replace(net, program=Other())  # type: ignore[arg-type]
    feeds = comparison.feeds_for(net, batch=3)
    assert feeds["image"].shape == (3, 8, 8, 3)
    assert feeds["image"].max() > 1
    assert feeds["tokens"].shape == (3, comparison.LENGTH)
    assert set(np.unique(feeds["tokens"])) <= {0, 1}
    assert feeds["flag"].dtype == bool
    assert feeds["state"].shape == (2, comparison.LENGTH, 4)
    ports["words"] = Port("words", tf.string, (1,))
    with pytest.raises(UsageError, match=r"'words'.*--data"):
        comparison.feeds_for(net)


def test_data_by_names(tmp_path: Path) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx"))
    given = np.random.default_rng(0).normal(size=(2, 3, 9, 9))
    np.savez(tmp_path / "data.npz", x=given)
    feeds = comparison.read_feeds(net, tmp_path / "data.npz")
    np.testing.assert_array_equal(feeds["x"], given.astype(np.float32))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.zeros((1, 3, 9, 9))}, "no array for input 'x'"),
        ({"x": np.zeros((1, 3, 9, 9)), "y": np.zeros(1)}, "no input 'y'; inputs: x"),
        ({"x": np.zeros((1, 4, 9, 9))}, r"takes \['any', 3, 'any', 'any'\], given \[1, 4, 9, 9\]"),
        ({"x": np.zeros((3, 9, 9))}, "given"),
    ],
)
def test_data_that_does_not_fit(tmp_path: Path, arrays: dict[str, Array], words: str) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx"))
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(UsageError, match=words):
        comparison.read_feeds(net, tmp_path / "data.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no file", "npy"])
def test_data_that_cannot_be_read(tmp_path: Path, content: Any) -> None:
    net = kerasviz.load(model(tmp_path / "m.onnx"))
    path = tmp_path / "data.npz"
    if content == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros((1, 3, 9, 9)))
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is not an \.npz file"):
        comparison.read_feeds(net, path)
    with pytest.raises(UsageError):
        comparison.read_feeds(net, tmp_path / "missing.npz")
