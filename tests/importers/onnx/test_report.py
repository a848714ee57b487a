"""The report on ONNX files: operators, ports, transposes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from support.keras_applications import export, narrow_application

from kerasviz.importers.onnx.report import ExecutedTranspose, ImportReport, report_of

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
Write = Callable[..., Path]


def node(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), [output], output, **attributes)


def kernel(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_what_is_in_a_file(tmp_path: Path, write: Write) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            node("Add", "half half", "whole"),
            node("Conv", "image w", "conv/1"),
            node("Relu", "conv/1", "relu"),
            node("Mul", "relu whole", "y"),
        ],
        {"image": (np.float32, ["n", 3, 8, 8])},
        {"w": kernel(4, 3, 3, 3), "half": np.float32(0.5)},
        ["y"],
    )
    report = report_of(path)
    assert report.opsets == {"ai.onnx": 13}
    assert report.operators == {"Conv": 1, "Mul": 1, "Relu": 1}
    assert report.folded == 1
    (given,) = report.inputs
    assert (given.name, given.dtype, given.shape) == ("image", "float32", (None, 3, 8, 8))
    assert given.channels_first
    (made,) = report.outputs
    assert (made.name, made.shape) == ("y", (None, 4, 6, 6))
    assert report.unsupported == ()
    assert report.transposes == (
        ExecutedTranspose("input 'image'", "", False),
        ExecutedTranspose("Mul 'y'", "output", False),
    )
    assert report.to_json()["transposes"][0]["after"] == "input 'image'"


def test_each_transpose_is_found_with_the_nodes_around_it(tmp_path: Path, write: Write) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            node("Conv", "image w", "before"),
            node("Reshape", "before shape", "rows"),
            node("Transpose", "rows", "turned", perm=[0, 2, 1]),
            node("Reshape", "turned back", "again"),
            node("Conv", "again v", "after"),
            node("ReduceMean", "after", "mean", axes=[2, 3], keepdims=0),
        ],
        {"image": (np.float32, ["n", 3, 8, 8])},
        {
            "w": kernel(4, 3, 3, 3),
            "v": kernel(2, 36, 1, 1),
            "shape": np.array([0, 9, 16]),
            "back": np.array([0, 36, 2, 2]),
        },
        ["mean"],
    )
    places = report_of(path).transposes
    assert places is not None
    assert ExecutedTranspose("input 'image'", "", False) in places
    assert ExecutedTranspose("Conv 'before'", "Reshape 'rows'", False) in places
    assert [p for p in places if p.own] == [
        ExecutedTranspose("Reshape 'rows'", "Transpose 'turned'", True)
    ]
    assert any(p.after == "Reshape 'again'" for p in places)
    assert len(places) == 4


def test_what_is_not_supported_is_listed_and_the_rest_is_there(
    tmp_path: Path, write: Write
) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            helper.make_node("Guess", ["x"], ["a"], "guess", domain="com.example"),
            node("Relu", "a", "b"),
            helper.make_node("Guess", ["b"], ["c"], "again", domain="com.example"),
        ],
        {"x": (np.float32, [1, 3])},
        {},
        ["c"],
    )
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("com.example", 2))
    onnx.save(model, path)
    report = report_of(path)
    assert report.unsupported == [
        "Guess 'guess' (com.example opset 2)",
        "Guess 'again' (com.example opset 2)",
    ]
    assert report.operators == {"com.example.Guess": 2, "Relu": 1}
    assert report.transposes is None


def _border(report: ImportReport) -> None:
    """At most one transpose at the input and one at the output."""
    assert report.transposes is not None
    at_input = [p for p in report.transposes if p.after.startswith("input ")]
    rest = [p for p in report.transposes if p not in at_input]
    assert len(at_input) <= 1
    assert [p for p in rest if p.before != "output"] == []
    assert len(rest) <= 1


@pytest.mark.parametrize("name", ["googlenet", "squeezenet1_1"])
def test_shared_models(models_folder: Path, name: str) -> None:
    _border(report_of(models_folder / f"{name}.onnx"))


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet",
        "resnet50",
        "inception_v1",
        "inception_v2",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("densenet121", "vgg19")),
    ],
)
def test_light_models(name: str) -> None:
    _border(report_of(LIGHT / f"light_{name}.onnx"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bvlc_alexnet", "zfnet512"])
def test_light_models_that_are_flattened(name: str) -> None:
    """Nothing is transposed for the classifier."""
    places = report_of(LIGHT / f"light_{name}.onnx").transposes
    assert places is not None
    assert [p for p in places if not p.after.startswith("input ")] == []


def test_a_light_shufflenet() -> None:
    """The channels are shuffled as they lie: of three transposes each the model's own is left."""
    places = report_of(LIGHT / "light_shufflenet.onnx").transposes
    assert places is not None
    assert [p.after for p in places if not p.own] == ["input 'gpu_0/data_0'"]
    assert sum(p.own for p in places) == 16


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["MobileNetV2", "EfficientNetB0"])
def test_exports_of_keras(tmp_path: Path, builder: str) -> None:
    export(narrow_application(builder, (224, 224, 3)), (224, 224), tmp_path / "m.onnx")
    _border(report_of(tmp_path / "m.onnx"))
