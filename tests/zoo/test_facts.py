"""The order of sources, and facts that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto
from support.described_models import (
    NAMES,
    PREPROCESSOR,
    ULTRALYTICS,
    classifier,
    optimum_folder,
    write_json,
)

from kerasviz.errors import UsageError
from kerasviz.io.download import sha256_of
from kerasviz.network.input_spec import preset
from kerasviz.zoo import add
from kerasviz.zoo.load import load
from kerasviz.zoo.remembered import Remembered, remember


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))


def test_the_order_of_the_sources(tmp_path: Path) -> None:
    """Each source in turn hides those before: beside, metadata, remembered, card, arguments."""
    path = optimum_folder(tmp_path / "a")
    assert load(path).origins["input"] == "preprocessor_config.json"
    assert load(path).labels == NAMES
    classifier(path, {**ULTRALYTICS, "names": "x,y,z"})
    net = load(path)
    assert net.labels == ("x", "y", "z")
    assert net.require_input_spec().range == (0, 1)
    given = Remembered(preset("byte"), "--preprocess byte", ("r", "s", "t"), "--labels r.txt")
    remember(sha256_of(path), given)
    net = load(path)
    assert net.labels == ("r", "s", "t")
    assert net.require_input_spec() == preset("byte")
    assert net.origins["input"] == "remembered --preprocess byte"
    (tmp_path / "c.txt").write_text("u\nv\nw\n")
    add(path, "mine", input_spec=preset("inception"), labels=tmp_path / "c.txt")
    net = load(path)
    assert net.labels == ("u", "v", "w")
    assert net.require_input_spec() == preset("inception")
    net = load(path, input_spec=preset("caffe"), labels=["1st", "2nd", "3rd"])
    assert net.labels == ("1st", "2nd", "3rd")
    assert net.require_input_spec() == preset("caffe")
    assert net.origins["labels"] == "given"


def test_each_fact_has_its_own_source(tmp_path: Path) -> None:
    write_json(tmp_path / "preprocessor_config.json", PREPROCESSOR)
    net = load(classifier(tmp_path / "m.onnx", {"labels": "ant,bee,cat"}))
    assert net.origins["labels"] == "metadata of the file"
    assert net.origins["input"] == "preprocessor_config.json"


def test_labels_of_a_file_for_other_classes_are_left_out(tmp_path: Path) -> None:
    net = load(classifier(tmp_path / "m.onnx", {"names": "['a', 'b']"}))
    assert net.labels == ()
    assert net.origins["left out"] == "labels of metadata of the file: 2 names for 3 classes"


def test_remembered_labels_for_other_classes_are_left_out(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    given = Remembered(labels=("a", "b", "c", "d"), labels_option="--labels l.txt")
    remember(sha256_of(path), given)
    assert "4 names for 3 classes" in load(path).origins["left out"]


def test_numbers_for_other_channels_are_left_out(tmp_path: Path) -> None:
    write_json(tmp_path / "preprocessor_config.json", PREPROCESSOR)
    net = load(classifier(tmp_path / "m.onnx", channels=1))
    assert net.input_spec is None
    assert "3 channels for images of 1" in net.origins["left out"]


def test_numbers_around_0_do_not_fit_whole_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "preprocessor_config.json", PREPROCESSOR)
    net = load(classifier(tmp_path / "m.onnx", dtype=TensorProto.UINT8))
    assert net.input_spec is not None
    assert (net.input_spec.scale, net.input_spec.source) == (255.0, "its type uint8")
    assert "whole numbers" in net.origins["left out"]


def test_labels_that_are_given(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    (tmp_path / "l.json").write_text('{"0": "ant", "1": "bee", "2": "cat"}')
    assert load(path, labels=tmp_path / "l.json").labels == NAMES
    assert load(path, labels=iter(NAMES)).labels == NAMES
    assert load(path, labels=["ant"]).class_index("ant") == 0  # of the first classes only
    with pytest.raises(UsageError, match="4 names for 3 classes"):
        load(path, labels=list("abcd"))
    with pytest.raises(UsageError, match="labels are the names"):
        load(path, labels=[])
