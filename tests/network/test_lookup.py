"""Taps by what stands beside them: attention heads and weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model
from support import tokens

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.lookup import attention_heads, tap_of_weight


@pytest.mark.parametrize(
    ("tap", "heads"),
    [
        ("joined", ("joined", 2)),
        ("query", ("query", 2)),
        ("projected", ("joined", 2)),
        ("added", None),
        ("block", None),
        ("patches", None),
        ("mean", None),
    ],
)
def test_heads_are_where_they_are_joined_or_split(tap: str, heads: tuple[str, int] | None) -> None:
    assert attention_heads(tokens.network(), tap) == heads


def weighted(folder: Path) -> kerasviz.Network:
    """A network of an ONNX file whose weights are transposed, shared and converted."""
    draw = np.random.default_rng(0)
    arrays = {
        "stem.weight": draw.normal(size=(6, 3, 2, 2)),
        "a.fc1.weight": draw.normal(size=(8, 6)),
        "a.fc1.bias": draw.normal(size=8),
        "a.fc2.weight": draw.normal(size=(8, 8)).astype(np.float16),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "stem.weight"], ["conv"], strides=[2, 2]),
        node("GlobalAveragePool", ["conv"], ["pooled"]),
        node("Flatten", ["pooled"], ["flat"]),
        node("Transpose", ["a.fc1.weight"], ["turned"], perm=[1, 0]),
        node("MatMul", ["flat", "turned"], ["product"]),
        node("Add", ["product", "a.fc1.bias"], ["hidden"]),
        node("Identity", ["a.fc1.bias"], ["a.fc2.bias"]),
        node("Cast", ["a.fc2.weight"], ["wide"], to=TensorProto.FLOAT),
        node("Gemm", ["hidden", "wide", "a.fc2.bias"], ["out"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 8, 10])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 8])],
        [
            numpy_helper.from_array(a if a.dtype == np.float16 else a.astype(np.float32), name)
            for name, a in arrays.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save_model(model, folder / "w.onnx")
    return kerasviz.load(str(folder / "w.onnx"))


@pytest.mark.parametrize(
    ("weight", "tap"),
    [
        ("stem.weight", "conv"),
        ("a.fc1.weight", "product"),
        ("fc1.bias", "hidden"),
        ("a.fc2.weight", "out"),
        ("fc2.bias", "out"),
    ],
)
def test_weights_of_an_onnx_file(tmp_path: Path, weight: str, tap: str) -> None:
    assert tap_of_weight(weighted(tmp_path), weight) == tap


def test_weights_of_layers_and_modules_are_their_outputs() -> None:
    assert tap_of_weight(tokens.detector(), "row/kernel") == "row"
    assert tap_of_weight(tokens.network(), "block.fc1.bias") == "hidden"


def test_unknown_weights_are_explained(tmp_path: Path) -> None:
    net = weighted(tmp_path)
    with pytest.raises(UsageError, match=r"unknown weight 'a.fc3.weight'; near: .*a\.fc1\.weight"):
        tap_of_weight(net, "a.fc3.weight")
    with pytest.raises(UsageError, match="unknown weight ''"):
        tap_of_weight(net, "")
    with pytest.raises(UsageError, match="several taps use it; name one: logits, extra"):
        tap_of_weight(tokens.network(), "shared")
    with pytest.raises(UsageError, match="detector: its file names no weights"):
        tap_of_weight(tokens.detector(), "line.weight")
