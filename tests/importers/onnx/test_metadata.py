"""What the metadata of ONNX files says about their input and classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.described_models import NAMES, ULTRALYTICS, classifier

from kerasviz.importers import read
from kerasviz.importers.onnx.metadata import (
    input_spec_of,
    is_ultralytics,
    labels_of_metadata,
    size_of_metadata,
)


def test_a_file_of_ultralytics(tmp_path: Path) -> None:
    imported = read(classifier(tmp_path / "best.onnx", ULTRALYTICS))
    assert imported.labels == NAMES
    assert imported.size == (24, 32)
    assert imported.input_spec is not None
    assert imported.input_spec.range == (0, 1)
    assert imported.input_spec.channel_order == "rgb"
    assert "Ultralytics" in imported.input_spec.source


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb", "classify"])
def test_every_task_takes_0_to_1(task: str) -> None:
    assert is_ultralytics({"task": task, "names": "{0: 'a'}"})


@pytest.mark.parametrize(
    "metadata",
    [
        {"names": "{0: 'a', 1: 'b'}", "stride": "32"},  # YOLOv5, whose classifiers differ
        {"task": "detect"},
        {"task": "text-classification", "names": "['a', 'b']"},
    ],
)
def test_other_metadata_says_nothing_of_the_range(metadata: dict[str, str]) -> None:
    assert input_spec_of(metadata, Path("a.onnx")) is None
    assert size_of_metadata(metadata) is None


@pytest.mark.parametrize("key", ["names", "labels", "classes", "class_names"])
@pytest.mark.parametrize("text", ["['ant', 'bee', 'cat']", "ant,bee,cat", "ant\nbee\ncat"])
def test_plain_lists_are_labels(key: str, text: str) -> None:
    assert labels_of_metadata({"producer": "me", key: text}) == NAMES


@pytest.mark.parametrize("size", ["", "[]", "640, ", "[1, 2, 3]", "['a', 'b']", "[0, 5]", "x"])
def test_sizes_that_are_none(size: str) -> None:
    assert size_of_metadata({**ULTRALYTICS, "imgsz": size}) is None


def test_one_number_is_a_square() -> None:
    assert size_of_metadata({**ULTRALYTICS, "imgsz": "640"}) == (640, 640)


def test_a_range_that_is_named_wins_over_the_exporters() -> None:
    spec = input_spec_of({**ULTRALYTICS, "input_range": "0,255"}, Path("a.onnx"))
    assert spec is not None
    assert spec.range == (0, 255)
