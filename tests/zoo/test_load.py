from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.io.download import sha256_of
from kerasviz.network.input_spec import InputSpec, preset
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.recorded import recorded_source
from kerasviz.zoo import add, card, cards
from kerasviz.zoo.load import load
from kerasviz.zoo.model_source import ModelSource


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="prob")(x))


@pytest.fixture
def file(tmp_path: Path, model: keras.Model) -> Path:
    model.save(tmp_path / "tiny.keras")
    return tmp_path / "tiny.keras"


def test_a_file_becomes_a_network(file: Path, model: keras.Model) -> None:
    net = load(file, input_spec=preset("inception"))
    assert net.identity.name == "tiny" and net.identity.source == str(file)
    assert net.identity.format == "keras"
    assert net.identity.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert net.labels == () and net.main_taps == ("conv",)
    images = np.random.default_rng(0).random((2, 9, 12, 3), np.float32)
    found = net.activations(images, ["prob"])["prob"]
    np.testing.assert_allclose(found, model(images * 2 - 1), atol=1e-6)


def test_a_folder_becomes_a_network(tmp_path: Path, model: keras.Model) -> None:
    model.export(tmp_path / "saved", verbose=False)
    net = load(str(tmp_path / "saved"))
    assert net.identity.format == "saved_model"
    assert net.identity.sha256 == sha256_of(tmp_path / "saved")
    assert net.input_spec is None


def test_a_users_network_by_name_and_by_file(file: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog, hound\n")
    add(file, "my-net", input_spec=preset("caffe"), labels=tmp_path / "names.txt")
    for source in ("my-net", file):  # the file is known by its checksum
        net = load(source)
        assert net.name == "my-net" and net.identity.source == str(source)
        assert net.input_spec == preset("caffe")
        assert net.class_index("hound") == net.class_index("1") == 1
    assert load("my-net", input_spec=preset("unit")).input_spec == preset("unit")


def test_the_card_wins_over_the_file_and_the_argument_over_both(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    model = keras.Model(image, keras.layers.Conv2D(4, 3, name="conv")(x))
    model.save(tmp_path / "scaled.keras")
    assert load(tmp_path / "scaled.keras").input_spec.range == (0, 255)  # the file says it
    add(tmp_path / "scaled.keras", "scaled", input_spec=InputSpec(scale=127.0))
    assert load("scaled").input_spec.range == (0, 127)
    assert load("scaled", input_spec=preset("unit")).input_spec.range == (0, 1)


def test_a_damaged_copy_is_refused(file: Path) -> None:
    copy = add(file, "my-net")
    copy.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ModelError, match="is damaged"):
        load("my-net")


@pytest.mark.parametrize("name", ["inceptionv1", "googlenet", "resnet50"])
def test_a_network_that_is_not_here_yet(name: str) -> None:
    with pytest.raises(UsageError, match=f"kerasviz models fetch {name}$"):
        load(name)


def test_neither_a_file_nor_a_name() -> None:
    with pytest.raises(UsageError) as caught:
        load("efficientnet-lite")
    line = str(caught.value)
    assert line.startswith("no file and no zoo network 'efficientnet-lite'; near: ")
    assert "efficientnet-lite0" in line and "\n" not in line


def test_an_archive_is_to_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inception5h.zip").write_bytes(b"")
    monkeypatch.setattr(
        "kerasviz.zoo.load.sha256_of", lambda path: card("inceptionv1").archive.sha256
    )
    with pytest.raises(UsageError, match=r"models add .*inception5h.zip --name inceptionv1"):
        load(tmp_path / "inception5h.zip")


def test_models_win_over_names_but_stray_folders_do_not(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vgg16").mkdir()  # perhaps the pictures of an earlier run
    with pytest.raises(UsageError, match="models fetch vgg16"):
        load("vgg16")
    model.export(tmp_path / "vgg19", verbose=False)
    assert load("vgg19").identity.format == "saved_model"


def test_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_text("hello")
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "net.onnx")
    assert "\n" not in str(caught.value)


def test_a_shared_network_is_known_by_its_checksum(models_folder: Path) -> None:
    net = load(models_folder / "googlenet.onnx")
    assert (net.name, net.identity.format) == ("googlenet", "onnx")
    assert net.input_spec == card("googlenet").input
    assert net.taps["mixed4a"].name == "inception_4a/output"
    assert net.taps["mixed4a_pre_relu"].channels == 512
    assert net.taps["mixed3b_5x5_bottleneck"].name == "inception_3b/5x5_reduce"
    assert net.main_taps == card("googlenet").main_taps
    assert net.require_logits().name == "loss3/classifier"
    assert net.class_index("goldfish") == 1 and net.labels[963].startswith("pizza")


def test_the_embedded_network() -> None:
    net = kerasviz.load("efficientnet-lite0")
    assert net.identity.format == "zoo"
    assert net.identity.sha256 == cards()["efficientnet-lite0"].sha256
    assert net.main_taps == card("efficientnet-lite0").main_taps
    assert net.taps["block3b"].channels == 40
    assert net.taps["block3b_expand_pre_relu"].channels == 240
    assert net.fixed_size == (None, None)
    assert net.require_logits().name == "logits"
    assert net.class_index("Egyptian cat") == 285 and net.class_index("espresso") == 967


def test_the_signature_that_was_chosen_is_remembered(tmp_path: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec([None, 5, 4, 3], name="images")
    signatures = {
        "half": tf.function(lambda images: {"half": images / 2}, [spec]),
        "twice": tf.function(lambda images: {"twice": images * 2}, [spec]),
    }
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
    net = load(tmp_path / "m", signature="twice", input_spec=InputSpec())
    images = np.ones((1, 5, 4, 3), np.float32)
    np.testing.assert_array_equal(net.run({"images": images}, ["twice"])["twice"], images * 2)
    record = network_provenance(net)
    assert record["signature"] == "twice"
    again = recorded_source(ModelSource(str(tmp_path / "m")), record).load()
    assert again.identity == net.identity
    half = ModelSource(str(tmp_path / "m"), signature="half")
    again = recorded_source(half, record).load()
    assert again.identity.signature == "half"
    assert "signature" not in network_provenance(load("efficientnet-lite0"))
    with pytest.raises(UsageError, match="no SavedModel"):
        load("efficientnet-lite0", signature="twice")
