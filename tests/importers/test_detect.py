"""Formats are told by content; what is no model is refused in one line that says the way out."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from kerasviz.errors import ModelError
from kerasviz.importers import read
from kerasviz.importers.detect import kind_of


def onnx_bytes() -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 4])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model: onnx.ModelProto = helper.make_model(graph, producer_name="test")
    return bytes(model.SerializeToString())


def graphdef_bytes() -> bytes:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
        tf.nn.relu(x + tf.constant(np.ones([4, 4, 3], np.float32)), name="y")
    return bytes(graph.as_graph_def().SerializeToString())


def zip_bytes(path: Path, *names: str) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "{}" * 100)
    return path.read_bytes()


def test_kinds(tmp_path: Path) -> None:
    kinds = {
        "onnx": onnx_bytes(),
        "graphdef": graphdef_bytes(),
        "keras": zip_bytes(tmp_path / "zip", "metadata.json", "config.json", "model.weights.h5"),
        "h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }
    for kind, content in kinds.items():
        for suffix in (".onnx", ".pb", ".h5", ""):  # says nothing
            path = tmp_path / f"model{suffix}"
            path.write_bytes(content)
            assert kind_of(path) == kind
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    assert kind_of(folder) == "saved_model"


def safetensors() -> bytes:
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "m.onnx is empty"),
        (b"hello, this is text\n", "m.onnx is a text file, not a model"),
        ("grüße\n".encode() * 2000, "m.onnx is a text file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(60), "TensorFlow Lite.*no gradients"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", r"PyTorch.*torch\.onnx\.export"),
        (pickle.dumps({"a": 1}), r"pickle.*torch\.onnx\.export"),
        (safetensors(), "safetensors"),
        (bytes(range(256)) * 8, "no known format"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x00", "no known format"),
        (b"\x08\x01\x12\x03abc", "part of a SavedModel; give its folder"),
    ],
)
def test_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as error:
        read(path)
    assert "\n" not in str(error.value)


def test_pytorch_zip(tmp_path: Path) -> None:
    zip_bytes(tmp_path / "net.pth", "archive/data.pkl", "archive/data/0")
    with pytest.raises(ModelError, match=r"net\.pth is a PyTorch checkpoint.*torch\.onnx\.export"):
        read(tmp_path / "net.pth")


def test_other_zip(tmp_path: Path) -> None:
    zip_bytes(tmp_path / "a.zip", "readme.txt")
    with pytest.raises(ModelError, match=r"zip file without config\.json"):
        read(tmp_path / "a.zip")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no such file: .*nothing\.onnx"):
        read(tmp_path / "nothing.onnx")
    with pytest.raises(ModelError, match=r"folder without saved_model\.pb"):
        read(tmp_path)


@pytest.mark.parametrize("make", [onnx_bytes, graphdef_bytes])
def test_every_truncation_of_a_protobuf_is_noticed(tmp_path: Path, make: Any) -> None:
    content = make()
    path = tmp_path / "m.pb"
    refused = 0
    for length in range(1, len(content)):
        path.write_bytes(content[:length])
        try:
            kind_of(path)
        except ModelError as error:
            refused += 1
            assert "\n" not in str(error)
    # Only a cut exactly between two outermost fields looks like a whole file.
    assert refused >= 0.9 * len(content)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="truncated"):
        read(path)


def test_truncated_zip(tmp_path: Path) -> None:
    content = zip_bytes(tmp_path / "m.keras", "config.json", "model.weights.h5")
    (tmp_path / "m.keras").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ModelError, match=r"m\.keras is a truncated \.keras"):
        read(tmp_path / "m.keras")


def test_truncated_hdf5(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(1000)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ModelError, match=r"m\.h5 is a truncated HDF5 file"):
        read(path)
