from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest
from support.local_server import LocalServer, serve

from kerasviz.errors import KerasvizError, ModelError, UsageError
from kerasviz.network.input_spec import InputSpec
from kerasviz.zoo import add, cached, card, cards, fetch, labels_of
from kerasviz.zoo.cache import find_archive
from kerasviz.zoo.efficientnet_lite0 import checkpoint_path

MODEL = bytes(range(256)) * 2000
LABELS = b"dummy\nkit fox\n"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


ARCHIVE = zipped({"LICENSE": b"free", "inside/net.pb": MODEL, "names.txt": LABELS})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    files = {"/net.pb": MODEL, "/names.txt": LABELS, "/net.zip": ARCHIVE}
    with serve(LocalServer(files)) as running:
        yield running


def write_card(cache: Path, name: str, address: str, archive: bool, sha256: str = "") -> None:
    text = f"""
name = "{name}"
title = "t"
description = "d"
licence = "MIT"
sources = ["a test"]
format = "graphdef"
labels = "file:names.txt"
[[files]]
name = "net.pb"
sha256 = "{sha256 or sha(MODEL)}"
url = "{"" if archive or not address else address + "/net.pb"}"
[[files]]
name = "names.txt"
sha256 = "{sha(LABELS)}"
url = "{"" if archive or not address else address + "/names.txt"}"
"""
    if archive:
        text += f'[archive]\nname = "net.zip"\nsha256 = "{sha(ARCHIVE)}"\n'
        text += f'url = "{address}/net.zip"\n'
    (cache / "cards").mkdir(parents=True, exist_ok=True)
    (cache / "cards" / f"{name}.toml").write_text(text)


@pytest.mark.parametrize("archive", [False, True])
def test_fetch_brings_all_files(cache: Path, server: LocalServer, archive: bool) -> None:
    write_card(cache, "mine", server.address, archive)
    assert cached(card("mine")) is None
    seen: list[tuple[int, int]] = []
    path = fetch("mine", lambda *at: seen.append(at))
    assert path == cache / "networks" / "mine" / "net.pb" == cached(card("mine"))
    assert path.read_bytes() == MODEL
    assert labels_of(card("mine")) == ("dummy", "kit fox")
    assert sorted(p.name for p in path.parent.iterdir()) == ["names.txt", "net.pb"]
    assert seen[-1][0] == seen[-1][1]
    asked = len(server.asked)
    assert fetch("mine") == path
    assert len(server.asked) == asked  # what is there is not fetched again


def test_a_damaged_copy_is_not_taken_for_the_network(cache: Path, server: LocalServer) -> None:
    write_card(cache, "mine", server.address, archive=False)
    fetch("mine").write_bytes(b"rot")
    with pytest.raises(ModelError, match="damaged or another file"):
        fetch("mine")


@pytest.mark.parametrize("archive", [False, True])
def test_a_wrong_file_from_the_server_leaves_no_network(
    cache: Path, server: LocalServer, archive: bool
) -> None:
    write_card(cache, "mine", server.address, archive)
    server.files = {"/net.pb": b"x" + MODEL, "/names.txt": LABELS, "/net.zip": b"x" + ARCHIVE}
    with pytest.raises(ModelError, match=r"kerasviz models add net\..* --name mine") as caught:
        fetch("mine")
    assert sha(MODEL) in str(caught.value) or sha(ARCHIVE) in str(caught.value)
    assert cached(card("mine")) is None


def test_a_wrong_file_inside_the_right_archive(cache: Path, server: LocalServer) -> None:
    write_card(cache, "mine", server.address, archive=True, sha256="0" * 64)
    with pytest.raises(ModelError, match="expected 0000"):
        fetch("mine")
    folder = cache / "networks" / "mine"
    assert {p.name for p in folder.iterdir()} <= {"names.txt", "net.zip"}


def test_no_connection_says_which_file_to_bring(cache: Path) -> None:
    write_card(cache, "mine", "http://127.0.0.1:9", archive=True)
    with pytest.raises(ModelError, match="no connection") as caught:
        fetch("mine")
    assert "bring net.zip from http://127.0.0.1:9/net.zip and run: " in str(caught.value)
    assert str(caught.value).endswith("kerasviz models add net.zip --name mine")


def test_a_network_without_a_public_download() -> None:
    with pytest.raises(ModelError, match="no public download") as caught:
        fetch("googlenet")
    assert card("googlenet").sha256 in str(caught.value)
    assert str(caught.value).endswith("kerasviz models add googlenet.onnx --name googlenet")


def test_the_embedded_network_needs_no_fetching(cache: Path) -> None:
    assert fetch("efficientnet-lite0") == checkpoint_path()
    assert sha(checkpoint_path().read_bytes()) == card("efficientnet-lite0").sha256
    assert checkpoint_path().stat().st_size == card("efficientnet-lite0").size
    assert not cache.exists()


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match="near: googlenet"):
        fetch("googlenett")


def test_the_file_of_a_card_is_added(cache: Path, models_folder: Path) -> None:
    path = add(models_folder / "squeezenet1_1.onnx", "squeezenet1_1")
    assert path == cache / "networks" / "squeezenet1_1" / "squeezenet1_1.onnx"
    assert sha(path.read_bytes()) == card("squeezenet1_1").sha256
    assert fetch("squeezenet1_1") == path
    assert not (cache / "cards").exists()


def test_another_file_than_the_cards_is_refused(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "googlenet.onnx"
    file.write_bytes(MODEL)
    with pytest.raises(UsageError, match=f"is not googlenet: its SHA-256 is {sha(MODEL)}"):
        add(file, "googlenet")
    with pytest.raises(UsageError, match=r"is not resnet50: expected resnet50\.keras"):
        add(file, "resnet50")
    with pytest.raises(UsageError, match="is installed with kerasviz"):
        add(file, "efficientnet-lite0")
    with pytest.raises(UsageError, match="own input and labels"):
        add(file, "googlenet", input_spec=InputSpec())
    assert not cache.exists()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    model = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, activation="relu")]
    )
    model.save(tmp_path / "tiny.keras")
    return tmp_path / "tiny.keras"


def test_a_new_network_gets_a_card_of_its_own(cache: Path, tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog, hound\n")
    spec = InputSpec(scale=255.0, mean=(1.5, 2.5, 3.5), channel_order="bgr", source="--mean")
    path = add(tiny, "my-net", input_spec=spec, labels=tmp_path / "classes.txt", licence='"MIT"')
    one = cards()["my-net"]
    assert path == cached(one) and path.read_bytes() == tiny.read_bytes()
    assert one.input == spec
    assert (one.format, one.licence, one.sha256) == ("keras", '"MIT"', sha(tiny.read_bytes()))
    assert labels_of(one) == ("cat", "dog, hound")
    assert add(tiny, "my-net") == path  # again, without labels
    assert labels_of(card("my-net")) == () and card("my-net").input is None


def test_a_folder_is_added_and_replaced(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"1")
    path = add(folder, "mine")
    first = card("mine").sha256
    (folder / "variables" / "data").write_bytes(b"2")
    assert add(folder, "mine") == path
    assert (path / "variables" / "data").read_bytes() == b"2"
    assert card("mine").sha256 != first
    assert [p.name for p in path.parent.iterdir()] == ["saved"]


def test_what_is_no_model_is_not_added(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "readme.onnx").write_text("not a network")
    with pytest.raises(ModelError):
        add(tmp_path / "readme.onnx", "mine")
    with pytest.raises(UsageError, match="no such file"):
        add(tmp_path / "missing.onnx", "mine")
    with pytest.raises(UsageError, match="cannot be the name"):
        add(tmp_path / "readme.onnx", "../mine")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in the way").write_text("")
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "in the way"))
    with pytest.raises(KerasvizError, match="cannot write"):
        add(tiny, "mine")


def test_a_keras_application_is_added_from_its_weights(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(weights: object, input_tensor: object) -> keras.Model:
        x = keras.layers.Conv2D(4, 3, name="conv")(input_tensor)
        model = keras.Model(input_tensor, x)
        if weights is not None:
            model.load_weights(weights)
        return model

    monkeypatch.setattr(keras.applications, "MobileNetV2", small)
    model = small(None, keras.Input((None, None, 3)))
    model.save(tmp_path / "weights_tf_dim_ordering.h5")
    path = add(tmp_path / "weights_tf_dim_ordering.h5", "mobilenetv2")
    assert path == cache / "networks" / "mobilenetv2" / "mobilenetv2.keras"
    again = keras.saving.load_model(path, compile=False)
    assert (again.get_weights()[0] == model.get_weights()[0]).all()
    assert fetch("mobilenetv2") == path
    assert add(path, "mobilenetv2") == path  # a .keras file, even its own copy
    model.save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(UsageError, match="as Keras downloads them"):
        add(tmp_path / "some.weights.h5", "mobilenetv2")


def test_an_archive_is_known_by_its_checksum() -> None:
    assert find_archive(card("inceptionv1").archive.sha256).name == "inceptionv1"
    assert find_archive("0" * 64) is None
