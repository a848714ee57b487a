"""``kerasviz check``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from kerasviz.cli.check import REFERENCES
from kerasviz.importers.onnx import registry
from kerasviz.importers.onnx.layout import LayoutTensor, TensorValue
from kerasviz.network import comparison

Run = Callable[..., Any]


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["conv"], ["gate"]),
        helper.make_node("Mul", ["conv", "gate"], ["swish"]),
        helper.make_node("Tanh", ["swish"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["N", 4, "H", "W"])],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def wrong_sigmoid(monkeypatch: pytest.MonkeyPatch) -> None:
    """A converter that is a little wrong."""
    entries = registry._TABLE[("", "Sigmoid")]

    def wrong(entry: Any) -> Any:
        def convert(call: registry.Call) -> TensorValue:
            right = entry.convert(call)
            return LayoutTensor(right.tensor * 1.001, right.channels_last)

        return replace(entry, convert=convert)

    monkeypatch.setitem(registry._TABLE, ("", "Sigmoid"), [wrong(entry) for entry in entries])


def test_all_taps_agree(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("check", onnx_file, "--size", "10x12", "--batch", 2)
    header, *rows, last = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert header.split() == ["tap", "op", "shape", "difference"]
    assert [row.split()[0] for row in rows] == ["conv", "gate", "swish", "out"]  # the graph's order
    assert rows[0].split()[1:3] == ["Conv", "2x4x10x12"]
    assert last.startswith("4 taps agree with onnxruntime within 0.0001; largest difference ")


@pytest.mark.usefixtures("wrong_sigmoid")
def test_first_wrong_tap_is_named(run_cli: Run, onnx_file: Path) -> None:
    """The fault is in the gate; what comes after is off too, what comes before is not."""
    ended = run_cli("check", onnx_file, "--size", 10)
    *_, last = ended.out.splitlines()
    assert ended.code == 1
    assert last.startswith("3 of 4 taps are off by more than 0.0001; the first is gate [Sigmoid]")
    rows = {line.split()[0]: line.split() for line in ended.out.splitlines()[1:-1]}
    assert rows["conv"][-1] != "off"
    assert rows["gate"][-1] == rows["swish"][-1] == rows["out"][-1] == "off"
    assert float(rows["gate"][3]) == pytest.approx(1e-3, rel=0.05)


@pytest.mark.usefixtures("wrong_sigmoid")
def test_tolerance(run_cli: Run, onnx_file: Path) -> None:
    assert run_cli("check", onnx_file, "--size", 10, "--tolerance", "0.01").code == 0
    assert run_cli("check", onnx_file, "--size", 10, "--tolerance", "1e-4").code == 1


@pytest.mark.usefixtures("wrong_sigmoid")
def test_json(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("check", onnx_file, "--size", 10, "--json")
    data = json.loads(ended.out)
    assert ended.code == 1
    assert data["first_off"] == "gate"
    assert data["against"] == "onnxruntime"
    assert data["inputs"] == {"x": [1, 3, 10, 10]}
    assert [tap["name"] for tap in data["taps"]] == ["conv", "gate", "swish", "out"]
    assert data["taps"][1]["difference"] == pytest.approx(1e-3, rel=0.05)
    assert data["largest"] >= data["taps"][1]["difference"]
    assert data["not_compared"] == []


def test_data_of_a_file(run_cli: Run, onnx_file: Path) -> None:
    np.savez("in.npz", x=np.random.default_rng(0).normal(size=(3, 3, 5, 7)))
    data = json.loads(run_cli("check", onnx_file, "--data", "in.npz", "--json").out)
    assert data["inputs"] == {"x": [3, 3, 5, 7]}
    assert data["first_off"] is None
    both = run_cli("check", onnx_file, "--data", "in.npz", "--size", 9)
    assert both.code == 2
    assert "--data brings its own" in both.err


def test_keras_file(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("check", model_file, "--against", "keras", "--size", 20)
    assert ended.code == 0, ended.out
    assert "agree with keras" in ended.out.splitlines()[-1]
    rows = [line.split()[0] for line in ended.out.splitlines()[1:]]
    assert [name for name in rows if name in ("conv1", "conv2", "prob")] == [
        "conv1",
        "conv2",
        "prob",
    ]


def test_by_onnx_tf(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("check", onnx_file, "--importer", "onnx-tf", "--size", "8x9")
    assert ended.code == 0, ended.err
    assert "4 taps agree with onnxruntime" in ended.out


def test_wrong_reference(run_cli: Run, onnx_file: Path, model_file: Path) -> None:
    for path, against in ((onnx_file, "keras"), (model_file, "onnxruntime")):
        ended = run_cli("check", path, "--against", against)
        assert ended.code == 2
        assert len(ended.err.splitlines()) == 1
    assert run_cli("check", "efficientnet-lite0").code == 2


def test_missing_onnxruntime(
    run_cli: Run, onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ended = run_cli("check", onnx_file)
    assert ended.code == 2
    assert ended.err == (
        "kerasviz: error: checking an ONNX file needs onnxruntime; "
        "run: pip install 'kerasviz[check]'\n"
    )


def test_choices_are_those_of_the_library() -> None:
    assert comparison.AGAINST == REFERENCES
