"""Model files that somebody made to do harm, and one that is as it should be."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Change = Callable[[dict[str, Any]], None]


@cache
def good_keras(folder: Path) -> bytes:
    """A small network as a ``.keras`` file."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((16, 16, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, activation="softmax", name="prob"),
        ]
    )
    path = folder / "good.keras"
    model.save(path)
    return path.read_bytes()


def members(data: bytes) -> dict[str, bytes]:
    """The files in a zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file of those files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_config(data: bytes, change: Change) -> bytes:
    """A ``.keras`` file with the configuration of its layer ``conv`` changed."""
    files = members(data)
    config = json.loads(files["config.json"])
    change(config["config"]["layers"][1])
    return zipped({**files, "config.json": json.dumps(config).encode()})


def with_weights(data: bytes, write: Callable[[h5py.Group], None]) -> bytes:
    """A ``.keras`` file with something more in its weights."""
    files = members(data)
    buffer = io.BytesIO(files["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        write(file.require_group("layers/conv/vars"))
    return zipped({**files, "model.weights.h5": buffer.getvalue()})


def onnx_bytes(weight: TensorProto | None = None, *, huge: int = 0) -> bytes:
    """conv -> relu -> mean; ``huge`` adds a constant of that many numbers to the input."""
    draw = np.random.default_rng(0)
    if weight is None:
        weight = numpy_helper.from_array(draw.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["conv"]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["out"]),
    ]
    initial = [weight]
    if huge:
        initial.append(numpy_helper.from_array(np.array([huge], np.int64), "shape"))
        nodes[:0] = [
            helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros"], ["zero"], keepdims=0),
            helper.make_node("Add", ["image", "zero"], ["added"]),
        ]
        nodes[3].input[0] = "added"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4, 1, 1])
    graph = helper.make_graph(nodes, "g", [image], [out], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    return bytes(model.SerializeToString())


def external(location: str) -> TensorProto:
    """A weight that says that it is stored in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3, 3, 3])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "432")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def within_a_function(tensor: TensorProto) -> bytes:
    """A model whose function's node has a tensor as an attribute: no initializer of a graph."""
    model = onnx.ModelProto()
    model.ParseFromString(onnx_bytes())
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    body = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("c", 1, None)])
    choice = helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body)
    model.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], [choice], [helper.make_opsetid("", 13)])
    )
    return bytes(model.SerializeToString())
