"""Short names from the scopes of PyTorch exports, on graphs written as its exporters do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import kerasviz
from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.aliases import (
    ModulePath,
    first_names,
    module_path,
    place_of,
    places_of,
    short_names,
)
from kerasviz.importers.onnx.graph import Node
from kerasviz.network.taps import TapTable

Write = Callable[..., Path]


def node(name: str, *inputs: str, output: str = "") -> Node:
    """A node of ``torch.onnx.export``: its output is called after it, its operator is the end."""
    op = name.rsplit("/", 1)[-1].split("_")[0]
    return Node(name, op, "", 17, inputs, (output or f"{name}_output_0",), {})


def dynamo(scopes: Sequence[str], op: str, *inputs: str, output: str) -> Node:
    """A node of an export with ``dynamo=True``: the scopes stand in its metadata."""
    props = {"pkg.torch.onnx.name_scopes": repr(list(scopes))}
    return Node(f"node_{output}", op, "", 18, inputs, (output,), {}, metadata=props)


def block(path: str, before: str, *, downsample: bool = False) -> list[Node]:
    """A residual block of ResNet-18: two convolutions, the ReLU module called twice."""
    at = lambda name: f"{path}/{name}"  # noqa: E731
    out = lambda name: f"{path}/{name}_output_0"  # noqa: E731
    nodes = [
        node(at("conv1/Conv"), before),
        node(at("relu/Relu"), out("conv1/Conv")),
        node(at("conv2/Conv"), out("relu/Relu")),
    ]
    way = before
    if downsample:
        nodes.append(node(at("downsample/downsample.0/Conv"), before))
        way = out("downsample/downsample.0/Conv")
    nodes.append(node(at("Add"), out("conv2/Conv"), way))
    nodes.append(node(at("relu_1/Relu"), out("Add")))
    return nodes


def resnet() -> list[Node]:
    nodes = [node("/conv1/Conv", "input"), node("/relu/Relu", "/conv1/Conv_output_0")]
    last = nodes[-1].outputs[0]
    for stage in (1, 2):
        for index in (0, 1):
            down = stage == 2 and index == 0
            nodes += block(f"/layer{stage}/layer{stage}.{index}", last, downsample=down)
            last = nodes[-1].outputs[0]
    nodes.append(node("/avgpool/GlobalAveragePool", last))
    nodes.append(node("/Flatten", nodes[-1].outputs[0]))
    nodes.append(node("/fc/Gemm", nodes[-1].outputs[0], output="output"))
    return nodes


def test_scopes_of_modules_with_numbers() -> None:
    assert module_path(["layer3", "layer3.0", "conv1"]) == "layer3.0.conv1"
    assert module_path(["model.2", "m.0", "cv1", "conv"]) == "model.2.m.0.cv1.conv"
    assert module_path(["features", "features.1", "conv", "conv.0", "conv.0.0"]) == (
        "features.1.conv.0.0"
    )
    assert module_path(["attention", "attention", "query"]) == "attention.attention.query"
    assert module_path(["layer1", "layer10"]) == "layer1.layer10"


def test_residual_network() -> None:
    names = short_names(resnet(), ["output"])
    inside = "/layer2/layer2.0"
    assert names[f"{inside}/conv1/Conv_output_0"] == ("layer2.0.conv1",)
    assert names[f"{inside}/relu/Relu_output_0"] == ("layer2.0.relu",)
    assert names[f"{inside}/relu_1/Relu_output_0"] == ("layer2.0.relu_1", "layer2.0")
    assert names[f"{inside}/Add_output_0"] == ("layer2.0.Add",)
    assert names[f"{inside}/downsample/downsample.0/Conv_output_0"] == (
        "layer2.0.downsample.0",
        "layer2.0.downsample",
    )
    assert names["/layer1/layer1.1/relu_1/Relu_output_0"] == (
        "layer1.1.relu_1",
        "layer1.1",
        "layer1",
    )
    assert names["/conv1/Conv_output_0"] == ("conv1",)
    assert names["/Flatten_output_0"] == ("Flatten",)
    assert names["output"] == ("fc",)  # by the name of its node


def test_module_that_is_called_again_in_its_own_scope() -> None:
    nodes = [
        node("/block/relu/Relu", "x"),
        node("/block/conv/Conv", "/block/relu/Relu_output_0"),
        node("/block/relu/Relu_1", "/block/conv/Conv_output_0"),
    ]
    names = short_names(nodes, ["/block/relu/Relu_1_output_0"])
    assert names["/block/relu/Relu_output_0"] == ("block.relu",)
    assert names["/block/relu/Relu_1_output_0"] == ("block.relu_1", "block")


def test_counted_name_never_replaces_a_scope_of_that_name() -> None:
    nodes = [
        node("/relu/Relu", "x"),
        node("/relu/Relu_1", "/relu/Relu_output_0", output="a"),
        node("/relu_1/Relu", "a", output="b"),
        node("/out/Add", "/relu/Relu_output_0", "b", output="y"),
    ]
    nodes.insert(3, node("/Neg", "a", output="c"))
    names = short_names(nodes, ["y", "c"])
    assert names["b"] == ("relu_1",)
    assert "relu_1" not in names.get("a", ())


def test_result_of_a_module_of_several_nodes_is_the_last() -> None:
    """A linear layer is MatMul and Add; a GELU is five nodes."""
    nodes = [
        node("/mlp/fc/MatMul", "x"),
        node("/mlp/fc/Add", "/mlp/fc/MatMul_output_0"),
        node("/mlp/act/Div", "/mlp/fc/Add_output_0"),
        node("/mlp/act/Erf", "/mlp/act/Div_output_0"),
        node("/mlp/act/Mul", "/mlp/fc/Add_output_0", "/mlp/act/Erf_output_0"),
    ]
    names = short_names(nodes, ["/mlp/act/Mul_output_0"])
    assert names["/mlp/fc/Add_output_0"] == ("mlp.fc",)
    assert names["/mlp/fc/MatMul_output_0"] == ("mlp.fc.MatMul",)
    assert names["/mlp/act/Mul_output_0"] == ("mlp.act", "mlp")
    assert names["/mlp/act/Erf_output_0"] == ("mlp.act.Erf",)


def test_module_with_two_results_has_no_name_of_its_own() -> None:
    nodes = [
        node("/neck/up/Conv", "x"),
        node("/neck/down/Conv", "x"),
        node("/head/Add", "/neck/up/Conv_output_0", "/neck/down/Conv_output_0", output="y"),
    ]
    names = short_names(nodes, ["y"])
    assert "neck" not in [name for given in names.values() for name in given]
    assert names["/neck/up/Conv_output_0"] == ("neck.up",)


def test_numbers_of_shapes_are_no_results() -> None:
    nodes = [
        node("/body/conv/Conv", "x"),
        node("/body/Shape", "/body/conv/Conv_output_0"),
        node("/body/Gather", "/body/Shape_output_0", "k"),
        node("/Reshape", "/body/conv/Conv_output_0", "/body/Gather_output_0", output="y"),
    ]
    assert short_names(nodes, ["y"])["/body/conv/Conv_output_0"] == ("body.conv", "body")


def test_names_that_are_there_already_are_not_given() -> None:
    names = short_names(resnet(), ["output"], taken=["layer2.0.conv1", "fc"])
    assert "/layer2/layer2.0/conv1/Conv_output_0" not in names or (
        "layer2.0.conv1" not in names["/layer2/layer2.0/conv1/Conv_output_0"]
    )
    assert "fc" not in names.get("output", ())


@pytest.mark.parametrize(
    ("name", "output"),
    [("Conv_0", "495"), ("", "495"), ("conv1/7x7_s2", "conv1/7x7_s2_1"), ("a//b", "//y"), ("", "")],
)
def test_names_without_scopes_are_left_alone(name: str, output: str) -> None:
    plain = Node(name, "Conv", "", 9, ("x",), (output,), {})
    assert place_of(plain) is None
    assert short_names([plain], [output]) == {}


def test_scope_is_read_from_the_output_where_the_node_has_no_name() -> None:
    bare = Node("", "Conv", "", 9, ("x",), ("/stem/conv/Conv_output_0",), {})
    assert place_of(bare) == ModulePath(("stem", "stem.conv"), "Conv")


def test_export_with_scopes_in_the_metadata() -> None:
    first, again = ["", "layer1", "layer1.0"], ["", "layer1", "layer1.0"]
    nodes = [
        dynamo([*first, "layer1.0.conv1", "conv2d"], "Conv", "x", output="conv2d"),
        dynamo([*first, "layer1.0.relu", "relu"], "Relu", "conv2d", output="relu"),
        dynamo([*first, "add"], "Add", "relu", "x", output="add_1"),
        dynamo([*again, "layer1.0.relu@1", "relu_1"], "Relu", "add_1", output="relu_9"),
        dynamo(["", "fc", "linear"], "Gemm", "relu_9", output="y"),
    ]
    names = short_names(nodes, ["y"])
    assert names["conv2d"] == ("layer1.0.conv1",)
    assert names["relu"] == ("layer1.0.relu",)
    assert names["add_1"] == ("layer1.0.add",)
    assert names["relu_9"] == ("layer1.0.relu_1", "layer1.0", "layer1")
    assert names["y"] == ("fc",)


def test_export_with_a_namespace_only() -> None:
    where = (
        ": net.Net/layer1: torch.nn.modules.container.Sequential/layer1.0: torch.nn.modules.conv."
        "Conv2d/conv2d: aten.conv2d.default"
    )
    found = Node("n", "Conv", "", 18, ("x",), ("y",), {}, metadata={"namespace": where})
    assert place_of(found) == ModulePath(("layer1", "layer1.0"), "conv2d")


@pytest.mark.parametrize("text", ["[", "3", "[1, 2]", "__import__('os')", "[]"])
def test_damaged_metadata_is_no_scope(text: str) -> None:
    props = {"pkg.torch.onnx.name_scopes": text}
    assert place_of(Node("n", "Conv", "", 18, ("x",), ("y",), {}, metadata=props)) is None


def test_taps_of_a_file_are_found_by_short_names(write: Write, tmp_path: Path) -> None:
    """Through the importer: short names, their pre-activations, and the long ones still there."""
    weights = np.random.default_rng(0).normal(size=(4, 4, 3, 3)).astype(np.float32)
    nodes: list[Any] = []
    for plain in block("/layer3/layer3.0", "x"):
        inputs = [*plain.inputs, "w"] if plain.op == "Conv" else list(plain.inputs)
        pads = {"pads": [1, 1, 1, 1]} if plain.op == "Conv" else {}
        nodes.append(
            helper.make_node(plain.op, inputs, list(plain.outputs), name=plain.name, **pads)
        )
    last = nodes[-1].output[0]
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["495"], name="GlobalAveragePool_9"))
    path = write(
        tmp_path / "m.onnx", nodes, {"x": (np.float32, [1, 4, 8, 8])}, {"w": weights}, ["495"]
    )
    taps = TapTable(read_onnx(path).program.values)
    inside = "/layer3/layer3.0"
    assert taps["layer3.0.conv1"].name == f"{inside}/conv1/Conv_output_0"
    assert taps["layer3.0"].name == taps["layer3"].name == last
    assert taps["layer3.0_pre_relu"].name == f"{inside}/Add_output_0"
    assert taps["layer3.0.relu_pre_relu"].name == f"{inside}/conv1/Conv_output_0"
    assert taps[f"{inside}/conv1/Conv"].name == f"{inside}/conv1/Conv_output_0"
    assert taps["495"].name == "495"
    assert taps["495"].aliases == ("GlobalAveragePool_9",)


def test_metadata_of_a_file_is_read(write: Write, tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["x"], ["relu"], name="node_relu")],
        {"x": (np.float32, [1, 4, 8, 8])},
    )
    model = onnx.load(path)
    entry = model.graph.node[0].metadata_props.add()
    entry.key, entry.value = "pkg.torch.onnx.name_scopes", "['', 'stem.act', 'relu']"
    onnx.save(model, path)
    assert read_onnx(path).program.values["relu"].aliases == ("node_relu", "stem.act")


def test_the_first_of_joined_names_stands_for_the_last_value_that_has_it() -> None:
    """As in files that TensorFlow Lite made smaller and tf2onnx converted."""
    nodes = [
        Node("net/relu/Relu;net/conv/Conv2D", "Conv", "", 13, ("x",), ("a",), {}),
        Node("net/relu/Relu;net/conv/Conv2D__37", "Transpose", "", 13, ("a",), ("b",), {}),
        Node("", "Concat", "", 13, ("b",), ("net/stack;net/stack_Concat__9:0",), {}),
        Node("net/bn/Mul;net/bn/Mul2", "Mul", "", 13, ("b",), ("c",), {}),
        Node("net/bn/Mul;net/bn/Mul3", "Add", "", 13, ("c",), ("d",), {}),
        Node("net/plain", "Add", "", 13, ("d",), ("e",), {}),
    ]
    assert first_names(nodes, {"net/plain"}) == {
        "net/relu/Relu": "a",
        "net/stack": "net/stack;net/stack_Concat__9:0",
        "net/bn/Mul": "d",
    }
    assert "net/stack" not in first_names(nodes, {"net/stack"})
    assert places_of(nodes)["a"] == ModulePath(("net", "net/relu"), "Relu")


def test_values_of_joined_names_are_found_by_the_first(tmp_path: Path) -> None:
    """They are main layers by it, too."""
    joined, concatenated = "net/relu/Relu;net/conv/Conv2D", "net/cat;net/cat1"
    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], [joined], name=joined, pads=[1] * 4),
        helper.make_node("Concat", [joined, "x"], [concatenated], name=concatenated, axis=1),
        helper.make_node("Concat", [concatenated, "x"], ["y"], name="y", axis=1),
    ]
    x, y = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, 8, 8])
        for name, channels in (("x", 3), ("y", 8))
    )
    graph = helper.make_graph(nodes, "g", [x], [y], [weights])
    path = tmp_path / "joined.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    net = kerasviz.load(str(path), preprocess="unit")
    assert net.main_taps == ("net/cat", "y")
    assert net.taps["net/relu/Relu"].name == joined and net.taps["net/cat"].name == concatenated
