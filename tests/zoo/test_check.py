"""The size of the random image on which a file is compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from support.onnx_parity import save_model

import kerasviz
from kerasviz.errors import ModelError
from kerasviz.zoo.check import SIZES


def of_sides(path: Path, height: int, width: int) -> Path:
    """A file that says that it takes images of any size, and takes one only."""
    weights = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["conv"], ["tanh"]),
        helper.make_node("Reshape", ["tanh", "shape"], ["rows"]),
        helper.make_node("Relu", ["rows"], ["out"]),
    ]
    constants = {"w": weights, "shape": np.array([1, 2, height * width])}
    return save_model(path, nodes, {"x": (np.float32, ["N", 3, "H", "W"])}, constants)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (48, 320), SIZES[0]])
def test_a_size_is_found_that_the_file_takes(tmp_path: Path, height: int, width: int) -> None:
    found = kerasviz.check(of_sides(tmp_path / "lines.onnx", height, width))
    assert found.inputs == {"x": (1, 3, height, width)}
    assert found.first_off is None
    assert [tap.tap for tap in found.taps] == ["conv", "tanh", "rows", "out"]


def test_a_size_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    file = of_sides(tmp_path / "lines.onnx", 48, 48)
    with pytest.raises(ModelError, match="cannot be run by onnxruntime") as raised:
        kerasviz.check(file, size=64)
    assert "give another --size" not in str(raised.value)
    assert kerasviz.check(file, size=48).first_off is None


def test_a_file_that_takes_none_of_the_sizes_is_explained(tmp_path: Path) -> None:
    file = of_sides(tmp_path / "lines.onnx", 7, 9)
    with pytest.raises(ModelError, match="cannot be run by onnxruntime") as raised:
        kerasviz.check(file)
    assert str(raised.value).endswith("; give another --size")
    assert "\n" not in str(raised.value)
    assert kerasviz.check(file, size=(7, 9)).first_off is None


def test_what_no_other_size_helps_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    class Unloadable:
        def __init__(self, *_: object, **__: object) -> None:
            tried.append(tmp_path)
            raise RuntimeError("no such operator")

    monkeypatch.setattr("onnxruntime.InferenceSession", Unloadable)
    with pytest.raises(ModelError, match=r"cannot be run by onnxruntime: no such operator$"):
        kerasviz.check(of_sides(tmp_path / "lines.onnx", *SIZES[0]))
    assert len(tried) == 1
