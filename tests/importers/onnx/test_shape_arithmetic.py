"""Lengths that are computed before a run, as far as they are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx


def node(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), [output], output, **attributes)


@pytest.mark.parametrize(
    ("nodes", "width"),
    [
        ([node("Div", "six two", "n")], 3),
        ([node("Cast", "six", "f", to=1), node("Cast", "f", "n", to=7)], 6),
        ([node("Sub", "six two", "a"), node("Mul", "a two", "b"), node("Abs", "b", "n")], 8),
        ([node("Where", "yes two six", "n")], 2),
        ([node("ReduceProd", "both", "n", axes=[0])], 12),
    ],
)
def test_a_computed_number_of_channels_is_known(
    nodes: Any, width: int, write: Any, tap_errors: Any, tmp_path: Path
) -> None:
    """Tiles of a value with 6 channels and free sizes, along its channels."""
    before = [
        node("Conv", "x w", "c"),
        node("Shape", "c", "s"),
        node("Gather", "s place", "six"),
        node("Concat", "six two", "both", axis=0),
    ]
    after = [
        node("ReduceMean", "c", "mean", axes=[1], keepdims=1),
        node("Concat", "one n one one", "times", axis=0),
        node("Tile", "mean times", "y"),
        node("Slice", "y zero n place", "z"),
    ]
    fixed = {
        "w": np.random.default_rng(0).normal(size=(6, 3, 1, 1)).astype(np.float32),
        "place": np.array([1]),
        "two": np.array([2]),
        "one": np.array([1]),
        "zero": np.array([0]),
        "yes": np.array([True]),
    }
    used = {name for n in [*before, *nodes, *after] for name in n.input}
    fixed = {name: array for name, array in fixed.items() if name in used}
    path = write(
        tmp_path / "m.onnx",
        [*before, *nodes, *after],
        {"x": (np.float32, ["n", 3, "h", "w"])},
        fixed,
    )
    values = read_onnx(path).program.values
    assert values["z"].shape == (None, None, None, width)
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    assert max(tap_errors(path, {"x": x}).values()) <= 1e-5


#: The lengths of ``x``, as PyTorch's exporter writes ``x.reshape(x.size(0), x.size(1), -1)``.
LENGTHS = [
    node("Shape", "x", "shape"),
    node("Gather", "shape first", "images", axis=0),
    node("Gather", "shape second", "channels", axis=0),
    node("Unsqueeze", "images axis", "images1"),
    node("Unsqueeze", "channels axis", "channels1"),
    node("Concat", "images1 channels1 rest", "target", axis=0),
    node("Reshape", "x target", "y"),
]
PLACES = {
    "first": np.array(0),
    "second": np.array(-3),
    "axis": np.array([0]),
    "rest": np.array([-1]),
}


def test_lengths_are_moved_without_operations_of_their_own(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transformer has hundreds of them, and each operation of a trace takes its time."""
    inputs = {"x": (np.float32, ["n", 6, "h", "w"])}
    path = write(tmp_path / "m.onnx", LENGTHS[:-1], inputs, PLACES)
    operations: set[str] = set()
    wrap = tf.compat.v1.wrap_function

    def wrap_and_list(*arguments: Any) -> Any:
        wrapped = wrap(*arguments)
        operations.update(operation.type for operation in wrapped.graph.get_operations())
        return wrapped

    monkeypatch.setattr(tf.compat.v1, "wrap_function", wrap_and_list)
    assert read_onnx(path).program.values["target"].shape == (3,)
    assert operations == {"Placeholder", "Shape", "Unpack", "Const", "Pack"}


def test_moved_lengths_are_those_of_the_run(write: Any, tap_errors: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", LENGTHS, {"x": (np.float32, ["n", 6, "h", "w"])}, PLACES)
    assert read_onnx(path).program.values["y"].shape == (None, None, 6)  # its channels come last
    for images in (1, 3):
        x = np.random.default_rng(images).normal(size=(images, 6, 4, 5)).astype(np.float32)
        assert max(tap_errors(path, {"x": x}).values()) == 0


def test_a_length_may_get_several_axes(write: Any, tap_errors: Any, tmp_path: Path) -> None:
    nodes = [*LENGTHS[:2], node("Unsqueeze", "images axes", "y")]
    fixed = {"first": np.array(0), "axes": np.array([0, 1])}
    path = write(tmp_path / "m.onnx", nodes, {"x": (np.float32, ["n", 6, "h", "w"])}, fixed)
    assert read_onnx(path).program.values["y"].shape == (1, 1)
    x = np.zeros((3, 6, 4, 5), np.float32)
    assert max(tap_errors(path, {"x": x}).values()) == 0
