"""Hostile model files: what is refused before Keras or TensorFlow see it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.hostile import (
    external,
    good_keras,
    members,
    onnx_bytes,
    with_config,
    with_weights,
    within_a_function,
    zipped,
)

from kerasviz.errors import ModelError
from kerasviz.service.uploads.screening import screen

MOST = 2**20


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return good_keras(tmp_path_factory.mktemp("good"))


def refusal(folder: Path, data: bytes) -> str:
    """Why a file is refused."""
    path = folder / "model"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        screen(path, MOST)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 500
    return line


def test_networks_as_they_should_be_are_let_in(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "model"
    for data, kind in ((good, "keras"), (onnx_bytes(), "onnx")):
        path.write_bytes(data)
        assert screen(path, MOST) == kind


def test_only_onnx_and_keras_are_taken(tmp_path: Path, good: bytes) -> None:
    assert "h5" in refusal(tmp_path, members(good)["model.weights.h5"])
    assert "pickle" in refusal(tmp_path, b"\x80\x04\x95rest of a pickle")
    assert "text" in refusal(tmp_path, b"import os")
    graph = b"\x0a\x06\x0a\x01a\x12\x01b"
    assert "graphdef" in refusal(tmp_path, graph)


# -- ONNX ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "weights", "a/../../b", ""])
def test_weights_in_another_file_are_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights").write_bytes(bytes(432))
    assert "another file" in refusal(tmp_path, onnx_bytes(external(location)))
    assert "another file" in refusal(tmp_path, within_a_function(external(location)))


def test_a_cut_onnx_file_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path, onnx_bytes()[:-20])


# -- the archive ---------------------------------------------------------------------------------


def test_a_zip_bomb_is_refused(tmp_path: Path, good: bytes) -> None:
    files = {**members(good), "config.json": bytes(20 * MOST)}
    bomb = zipped(files, zipfile.ZIP_DEFLATED)
    assert len(bomb) < MOST / 10
    assert "unpacks to" in refusal(tmp_path, bomb)


def test_a_zip_file_that_lies_about_its_sizes_unpacks_to_no_more(
    tmp_path: Path, good: bytes
) -> None:
    files = {**members(good), "metadata.json": b" " * 20 * MOST}
    bomb = bytearray(zipped(files, zipfile.ZIP_DEFLATED))
    size = (20 * MOST).to_bytes(4, "little")
    assert bomb.count(size) == 2  # before the member, and in the directory
    files["config.json"] = b" " * 20 * MOST
    lying = zipped(files, zipfile.ZIP_DEFLATED).replace(size, (5000).to_bytes(4, "little"))
    refusal(tmp_path, lying)


@pytest.mark.parametrize(
    "name", ["../../evil.py", "/etc/cron.d/evil", "assets/vocabulary.txt", "a\\..\\b", "x" * 5000]
)
def test_other_files_in_the_archive_are_refused(tmp_path: Path, good: bytes, name: str) -> None:
    assert "holds" in refusal(tmp_path, zipped({**members(good), name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "twice"
    path.write_bytes(good)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", b"{}")
    assert "once" in refusal(tmp_path, path.read_bytes())


@pytest.mark.parametrize("config", [b"{", b"\xff", b"[" * 100_000, b"", b"NaN" * 3])
def test_a_configuration_that_is_none_is_refused(
    tmp_path: Path, good: bytes, config: bytes
) -> None:
    assert "config.json" in refusal(tmp_path, zipped({**members(good), "config.json": config}))


# -- what layers there are -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module", "registered"),
    [
        ("Lambda", "keras.layers", None),
        ("__lambda__", "builtins", None),
        ("TFSMLayer", "keras.layers", None),
        ("TorchModuleWrapper", "keras.layers", None),
        ("StringLookup", "keras.layers", None),
        ("TFOpLambda", "keras.layers", None),
        ("system", "os", None),
        ("Popen", "subprocess", None),
        ("function", "os", None),
        ("get_file", "keras.utils", None),
        ("get_file", "keras.src.utils.file_utils", None),
        ("load_model", "keras.saving", None),
        ("Dense", "kerasevil.layers", None),
        ("Own", None, "package>Own"),
        ("Own", "keras.layers", "package>Own"),
    ],
)
def test_what_is_no_plain_layer_is_refused(
    tmp_path: Path, good: bytes, name: str, module: str | None, registered: str | None
) -> None:
    def replaced(layer: dict[str, Any]) -> None:
        layer.update(class_name=name, module=module, registered_name=registered)

    def deeper(layer: dict[str, Any]) -> None:
        own = {"class_name": name, "module": module, "registered_name": registered, "config": {}}
        layer["config"]["activation"] = {"kept": [own]}

    for change in (replaced, deeper):
        line = refusal(tmp_path, with_config(good, change))
        assert name in line


# -- the weights ---------------------------------------------------------------------------------


def test_weights_that_lead_elsewhere_are_refused(tmp_path: Path, good: bytes) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(432))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)

    def raw(group: h5py.Group) -> None:
        group.create_dataset("x", (3,), "f4", external=[(str(secret), 0, 432)])

    def linked(group: h5py.Group) -> None:
        group["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")

    def soft(group: h5py.Group) -> None:
        group["x"] = h5py.SoftLink("/layers/conv")

    def virtual(group: h5py.Group) -> None:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (3,))
        group.create_virtual_dataset("x", layout)

    for write, word in ((raw, "file"), (linked, "link"), (soft, "link"), (virtual, "file")):
        assert word in refusal(tmp_path, with_weights(good, write)), write


def test_weights_that_grow_are_refused(tmp_path: Path, good: bytes) -> None:
    def packed(group: h5py.Group) -> None:
        group.create_dataset("x", data=np.zeros(10**6), compression="gzip", chunks=(10**5,))

    def empty(group: h5py.Group) -> None:
        group.create_dataset("x", (10**6, 10**6), "f4")  # of which nothing is stored

    def words(group: h5py.Group) -> None:
        group.create_dataset("x", data=["word"], dtype=h5py.string_dtype())

    expected = ((packed, "plain numbers"), (empty, "more than it does"), (words, "plain numbers"))
    for write, word in expected:
        assert word in refusal(tmp_path, with_weights(good, write)), write


def test_groups_that_hold_one_another_end(tmp_path: Path, good: bytes) -> None:
    def circle(group: h5py.Group) -> None:
        group["again"] = group.parent

    path = tmp_path / "circle"
    path.write_bytes(with_weights(good, circle))
    assert screen(path, MOST) == "keras"


def test_the_config_that_keras_writes_is_what_is_looked_at(good: bytes) -> None:
    """The changed place of the tests above is one that Keras reads."""
    layer = json.loads(members(good)["config.json"])["config"]["layers"][1]
    assert (layer["class_name"], layer["module"]) == ("Conv2D", "keras.layers")
