"""``kerasviz export``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image
from support.served import ask, columns

import kerasviz

Run = Callable[..., Any]


@pytest.fixture
def onnx_file() -> Path:
    """model.onnx in the present folder, as PyTorch writes it: one image [1, 3, 20, 23]."""
    draw = np.random.default_rng(0)
    weights = {"w": draw.normal(size=(4, 3, 3, 3)), "v": draw.normal(size=(5, 4, 3, 3))}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["in:0", "w"], ["conv"], strides=[2, 2]),
            helper.make_node("Relu", ["conv"], ["relu"]),
            helper.make_node("Conv", ["relu", "v"], ["last"]),
            helper.make_node("Relu", ["last"], ["out/0"]),
        ],
        "model",
        [helper.make_tensor_value_info("in:0", 1, [1, 3, 20, 23])],
        [helper.make_tensor_value_info("out/0", 1, [1, 5, 7, 9])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items()],
    )
    path = Path("model.onnx")
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_two_exports_of_an_onnx_file(run_cli: Run, onnx_file: Path) -> None:
    words = ("export", onnx_file, "served", "--preprocess", "torchvision", "--taps", "out/0")
    ended = run_cli(*words, "--steps-max", 2)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("served/model/1: ")
    assert lines[1].split(maxsplit=3) == ["serving_default", "in", "in:0", "[any, 3, 20, 23]"]
    assert lines[2].split(maxsplit=2) == ["out", "out/0", "[any, 5, 7, 9]"]
    assert "taps: 0 out/0" in lines
    ended = run_cli(*words, "--steps-max", 1, "--json")
    found = json.loads(ended.out)
    assert (found["path"], found["version"]) == ("served/model/2", 2)
    assert found["signatures"]["visualize"]["outputs"]["images"] == [None, 20, 23, 3]
    assert sorted(path.name for path in Path("served").iterdir()) == [
        *("batching.config", "model", "models.config")
    ]
    assert sorted(path.name for path in Path("served/model").iterdir()) == ["1", "2"]

    pixels = np.random.default_rng(1).integers(0, 256, (2, 20, 23, 3)).astype(np.uint8)
    files = []
    for image in pixels:
        Image.fromarray(image).save("a.png")
        files.append(Path("a.png").read_bytes())
    net = kerasviz.load(onnx_file, input_spec=kerasviz.InputSpec())
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    x = ((pixels / 255 - mean) / deviation).astype(np.float32).transpose(0, 3, 1, 2)
    want = np.concatenate([net.run({"in:0": x[k : k + 1]})["out/0"] for k in range(2)])
    own, encoded, made = ask(
        Path("served/model/1").resolve(),
        [
            ("serving_default", {"in_0": x}),
            ("serving_bytes", {"image_bytes": np.array(files, object)}),
            ("visualize", columns([(0, 2, 0, 2)])),
        ],
        Path.cwd(),
    )
    np.testing.assert_allclose(own["out/0"], want, atol=1e-4)
    np.testing.assert_allclose(encoded["out/0"], want, atol=1e-4)
    again = ("render", onnx_file, "out/0:2", "--preprocess", "torchvision", "--steps", 2)
    ended = run_cli(*again, "--recipe", "served/model/1/assets/recipe.json", "--out", "again")
    assert ended.code == 0, ended.err
    (path,) = Path("again").rglob("*.png")
    shown = np.rint(made["images"][0].astype(np.float64) * 255)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), shown)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "give --preprocess"),
        (["--preprocess", "unit", "--taps", "relv"], "unknown tap 'relv'; near: relu"),
        (["--preprocess", "unit", "--size", "64"], "give --size 20x23"),
        (["--preprocess", "unit", "--image-size", "64"], "takes images of 20x23 only"),
        (["--preprocess", "unit", "--recipe", "lucid", "--group", "2"], "give --group 1"),
        (["--preprocess", "unit", "--keep-signatures"], "no signatures to keep"),
        (["--preprocess", "unit", "--name", "a/b"], "expected letters, digits, _, . and -"),
        (["--preprocess", "unit", "--version", "4"], "served/model/4 exists already"),
        (["--preprocess", "unit", "--version", "0"], "--version"),
        (["--preprocess", "unit", "--recipe", "quick"], "unknown recipe 'quick'"),
    ],
)
def test_bad_use_is_one_line(run_cli: Run, onnx_file: Path, words: list[str], line: str) -> None:
    Path("served/model/4").mkdir(parents=True)
    ended = run_cli("export", onnx_file, "served", *words)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert line in ended.err
    assert [path.name for path in Path("served").rglob("*")] == ["model", "4"]


def test_a_file_where_the_folder_should_be(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("export", onnx_file, onnx_file, "--preprocess", "unit")
    assert ended.code == 2
    assert ended.err.count("\n") == 1


def test_help_shows_examples(run_cli: Run) -> None:
    text = run_cli("export", "--help").out
    assert "kerasviz export efficientnet-lite0 served" in text
    assert "tensorflow_model_server" in text
