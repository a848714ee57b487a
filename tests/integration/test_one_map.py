"""One map for all: commands, pages and Python agree on the main layers of any network."""

from __future__ import annotations

import json
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
from kerasviz.atlas.definition import Atlas
from kerasviz.export.tf_serving.settings import usual_taps
from kerasviz.figures.layout.layers import map_layers
from kerasviz.network.input_spec import preset
from kerasviz.network.main_layers import main_layers
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.optvis.recipes import recipe
from kerasviz.service.description import describe_layers

Run = Callable[..., Any]


def _weights(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).normal(0, 0.3, shape).astype(np.float32)


def _saved(path: Path, nodes: list[Any], constants: dict[str, Any], outputs: list[str]) -> Path:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", [image], values, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def transformer(folder: Path) -> tuple[Path, list[str]]:
    """Two blocks over a class token and 4 x 4 patches, with PyTorch's scopes."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "patch"], ["p"], "/embed/proj/Conv", strides=[4, 4]),
        node("Reshape", ["p", "rows"], ["r"], "/embed/Reshape"),
        node("Transpose", ["r"], ["t"], "/embed/Transpose", perm=[0, 2, 1]),
        node("ReduceMean", ["t"], ["m"], "/embed/Mean", axes=[1]),
        node("Concat", ["m", "t"], ["x0"], "/embed/Concat", axis=1),
    ]
    constants = {
        "patch": _weights(8, 3, 4, 4),
        "rows": np.array([0, 8, 16]),
        "head": _weights(8, 3),
        "first": np.array(0),
    }
    for k in range(2):
        scope = f"/blocks/blocks.{k}"
        nodes += [
            node("MatMul", [f"x{k}", f"w{k}"], [f"a{k}"], f"{scope}/mlp/fc1/MatMul"),
            node("Relu", [f"a{k}"], [f"b{k}"], f"{scope}/mlp/act/Relu"),
            node("MatMul", [f"b{k}", f"v{k}"], [f"c{k}"], f"{scope}/mlp/fc2/MatMul"),
            node("Add", [f"c{k}", f"x{k}"], [f"x{k + 1}"], f"{scope}/Add"),
        ]
        constants |= {f"w{k}": _weights(8, 16), f"v{k}": _weights(16, 8)}
    nodes += [
        node("Gather", ["x2", "first"], ["class"], "/Gather", axis=1),
        node("Gemm", ["class", "head"], ["logits"], "/head/Gemm"),
    ]
    path = _saved(folder / "transformer.onnx", nodes, constants, ["logits"])
    return path, ["embed", "blocks.0", "blocks.1"]


def detector(folder: Path) -> tuple[Path, list[str]]:
    """Convolutions with SiLU, a skip to a late layer, and a head of anchors."""
    node = helper.make_node
    nodes, constants, source = [], {}, "image"
    for k, (width, inside) in enumerate([(6, 3), (8, 6), (8, 8)]):
        scope = f"/model.{k}"
        nodes += [
            node("Conv", [source, f"w{k}"], [f"c{k}"], f"{scope}/conv/Conv", pads=[1, 1, 1, 1]),
            node("Sigmoid", [f"c{k}"], [f"g{k}"], f"{scope}/act/Sigmoid"),
            node("Mul", [f"c{k}", f"g{k}"], [f"s{k}"], f"{scope}/act/Mul"),
        ]
        constants[f"w{k}"] = _weights(width, inside, 3, 3)
        source = f"s{k}"
    nodes += [
        node("Concat", ["s0", "s2"], ["joined"], "/model.3/Concat", axis=1),
        node("Conv", ["joined", "d"], ["boxes"], "/model.4/cv2/Conv"),
        node("Conv", ["joined", "e"], ["scores"], "/model.4/cv3/Conv"),
        node("Concat", ["boxes", "scores"], ["both"], "/model.4/Concat", axis=1),
        node("Reshape", ["both", "flat"], ["output0"], "/model.4/Reshape"),
    ]
    constants |= {
        "d": _weights(4, 14, 1, 1),
        "e": _weights(5, 14, 1, 1),
        "flat": np.array([0, 9, -1]),
    }
    path = _saved(folder / "detector.onnx", nodes, constants, ["output0"])
    return path, [f"model.{k}" for k in range(5)]


def application(folder: Path) -> tuple[Path, list[str]]:
    """A Keras network of the names that applications have."""
    x = image = keras.Input((16, 16, 3))
    for k in (1, 2):
        y = keras.layers.Conv2D(6, 3, padding="same", name=f"block{k}_1_conv")(x)
        y = keras.layers.BatchNormalization(name=f"block{k}_1_bn")(y)
        y = keras.layers.Activation("relu", name=f"block{k}_1_relu")(y)
        y = keras.layers.Conv2D(6, 3, padding="same", name=f"block{k}_2_conv")(y)
        x = keras.layers.Conv2D(6, 1, name=f"block{k}_0_conv")(x)
        x = keras.layers.Add(name=f"block{k}_add")([x, y])
        x = keras.layers.Activation("relu", name=f"block{k}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    keras.Model(image, keras.layers.Dense(3, name="logits")(x)).save(folder / "own.keras")
    return folder / "own.keras", ["block1", "block2"]


def frozen(folder: Path) -> tuple[Path, list[str]]:
    """A frozen graph of TensorFlow 1, with name scopes."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 16, 16, 3], name="image")
        for name in ("Mixed_3b", "Mixed_4a"):
            with tf.name_scope(f"Net/{name}"):
                branches = []
                for branch in range(2):
                    with tf.name_scope(f"Branch_{branch}"):
                        w = tf.constant(_weights(3, 3, x.shape[-1], 4))
                        branches.append(tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME")))
                x = tf.concat(branches, 3, name="concat")
        tf.identity(tf.reduce_mean(x, [1, 2]) @ tf.constant(_weights(8, 3)), name="logits")
    (folder / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "frozen.pb", ["Net/Mixed_3b", "Net/Mixed_4a"]


@pytest.mark.parametrize("make", [transformer, detector, application, frozen])
def test_all_agree_on_the_main_layers(
    make: Callable[[Path], tuple[Path, list[str]]], run_cli: Run, tmp_path: Path
) -> None:
    path, expected = make(tmp_path)
    net = kerasviz.load(path, input_spec=preset("unit"))
    assert list(net.main_taps) == expected == main_layers(net)
    taps = {net.taps[name].name for name in expected}
    listed = json.loads(run_cli("taps", path, "--json").out)
    assert listed["main"] == expected
    assert expected[0].rpartition("/")[2] in run_cli("taps", path).out
    # Targets, an atlas, an export, a figure and the page of a service.
    assert len(parse_targets([f"{name}:0" for name in expected], net)) == len(expected)
    atlas = Atlas.of(net, (), recipe("fast").replace(size=(16, 16)))
    assert [net.taps[name].name for name in atlas.taps] == [net.taps[n].name for n in expected]
    assert {net.taps[name].name for name in usual_taps(net)} >= taps
    placed, _ = map_layers(["conv2d0", "mixed4a", "mixed5b"], net)
    assert {net.taps[name].name for name in placed.values()} <= taps
    page = [layer["name"] for layer in describe_layers(net) if layer["main"]]
    assert [name for name in page if name in expected] == expected


@pytest.mark.parametrize("make", [transformer, frozen])
def test_commands_agree_on_the_main_layers(
    make: Callable[[Path], tuple[Path, list[str]]],
    run_cli: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path, expected = make(tmp_path)
    options = ("--preprocess", "unit", "--size", "16", "--steps", "2")
    planned = run_cli("atlas", path, "--plan", *options, "--out", "atlas")
    assert planned.code == 0, planned.err
    assert all(name in planned.out for name in expected)
    targets = [f"{name}:0" for name in expected]
    rendered = run_cli("render", path, *targets, *options, "--out", "out", "--json")
    assert rendered.code == 0, rendered.err
    assert [p["target"] for p in json.loads(rendered.out)["pictures"]] == targets
    figures = run_cli("figures", "hero", "--list", "--model", path, *options)
    assert figures.code == 0, figures.err
