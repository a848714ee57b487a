"""Lengths that are computed before a run, as far as they are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
