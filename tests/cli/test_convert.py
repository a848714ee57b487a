"""``kerasviz convert``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

Run = Callable[..., Any]


@pytest.fixture
def onnx_file() -> Path:
    """model.onnx in the present folder: a convolution and a ReLU, for 8x8 images, named a,b."""
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["conv"]),
            helper.make_node("Relu", ["conv"], ["a,b"]),
            helper.make_node("Flatten", ["a,b"], ["flat"]),
        ],
        "model",
        [helper.make_tensor_value_info("image", 1, [1, 3, 8, 8])],
        [onnx.ValueInfoProto(name="flat")],
        [numpy_helper.from_array(weights, "w")],
    )
    path = Path("model.onnx")
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_keras_file(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("convert", onnx_file, "out/made.keras", "--taps", "conv,conv_pre_relu")
    assert ended.code == 2
    assert "conv_pre_relu" in ended.err
    ended = run_cli("convert", onnx_file, "out/made.keras", "--taps", "conv", "--taps", "a,b")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("out/made.keras: Keras file, ")
    assert lines[1].split(maxsplit=2) == ["input", "image", "[any, 8, 8, 3]"]
    assert [line.split()[1] for line in lines[2:5]] == ["flat", "conv", "a,b"]
    assert "checked" in lines[-1]
    assert Path("out/made.keras").is_file()
    assert run_cli("taps", "out/made.keras").code == 0


def test_saved_model_and_json(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("convert", onnx_file, "made", "--taps", "conv, flat", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["kind"] == "saved_model"
    assert found["layout"] == "own"
    assert found["inputs"] == {"image": [None, 3, 8, 8]}
    assert found["outputs"] == {"flat": [None, 144], "conv": [None, 4, 6, 6]}
    assert found["difference"] < 1e-5
    assert Path("made/saved_model.pb").is_file()


def test_layout_and_size(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli(
        "convert", onnx_file, "made", "--size", "9x12", "--layout", "channels-last", "--json"
    )
    assert json.loads(ended.out)["inputs"] == {"image": [None, 9, 12, 3]}
    ended = run_cli("convert", onnx_file, "free", "--size", "any", "--json")
    assert json.loads(ended.out)["inputs"] == {"image": [None, 3, None, None]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.onnx"], "give OUT"),
        (["model.onnx", "a.onnx"], ".keras"),
        (["model.onnx", "a", "--to", "keras"], "a.keras"),
        (["model.onnx", "a", "--report"], "--report writes nothing"),
        (["model.onnx", "a.keras", "--taps", "konv"], "near: conv"),
        (["model.onnx", "a.keras", "--size", "2"], "does not allow images of 2x2: ONNX node Conv"),
        (["nothing.onnx", "a.keras"], "no file"),
        (["nothing.onnx", "--report"], "no file"),
        (["efficientnet-lite0", "--report"], "no file"),
    ],
)
def test_bad_use(run_cli: Run, onnx_file: Path, arguments: list[str], words: str) -> None:
    ended = run_cli("convert", *arguments)
    assert ended.code == (1 if "--size" in arguments else 2)
    assert words in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert [p.name for p in Path().iterdir()] == ["model.onnx"]


def test_report(run_cli: Run, onnx_file: Path) -> None:
    lines = run_cli("convert", onnx_file, "--report").out.splitlines()
    assert lines[0] == "model.onnx: ai.onnx opset 17; 3 nodes"
    assert any(line.split()[:4] == ["input", "image", "float32", "[1,"] for line in lines)
    assert "Conv     1" in lines
    assert lines[-3:] == [
        "transposes executed: 2",
        "  after input 'image'",
        "  after Relu 'a,b' for Flatten 'flat'",
    ]
    found = json.loads(run_cli("convert", onnx_file, "--report", "--json").out)
    assert found["operators"] == {"Conv": 1, "Flatten": 1, "Relu": 1}
    assert len(found["transposes"]) == 2


def test_report_on_another_format(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("convert", model_file, "--report")
    assert ended.code == 2
    assert "keras" in ended.err
