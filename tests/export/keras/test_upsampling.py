"""Resizes by whole factors at any size as UpSampling2D, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from onnx import helper
from support.onnx_parity import save_model

import kerasviz
from kerasviz.export.convert import convert

node = helper.make_node
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def up(scales: str, **options: Any) -> Any:
    return node("Resize", ["deep", "", scales], ["up"], **options)


CASES: dict[str, tuple[Any, int]] = {
    "twice": (up("s2", mode="nearest", **FLOOR), 17),
    "three times two": (up("s32", mode="nearest", **FLOOR), 17),
    "half pixels": (up("s2", mode="nearest"), 13),
    "linear": (up("s2", mode="linear"), 17),
    "linear, other factors": (up("s32", mode="linear"), 13),
    "pytorch's linear": (
        up("s2", mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
        13,
    ),
    "axes": (up("hw", mode="nearest", axes=[2, 3], **FLOOR), 18),
    "opset 10": (node("Resize", ["deep", "s2"], ["up"], mode="nearest"), 10),
    "Upsample 9": (node("Upsample", ["deep", "s2"], ["up"], mode="nearest"), 9),
    "Upsample 7": (node("Upsample", ["deep"], ["up"], scales=[1.0, 1.0, 2.0, 2.0]), 7),
}


@pytest.mark.parametrize("case", CASES)
def test_any_size(case: str, tmp_path: Path) -> None:
    resize, opset = CASES[case]
    draw = np.random.default_rng(0)
    constants = {
        "w": (draw.normal(size=(4, 3, 4, 4)) * 0.1).astype(np.float32),
        "s2": np.float32([1, 1, 2, 2]),
        "s32": np.float32([1, 1, 3, 2]),
        "hw": np.float32([2, 2]),
    }
    used = {"w", *resize.input}
    nodes = [
        node("Conv", ["x", "w"], ["deep"], strides=[4, 4]),
        resize,
        node("Relu", ["up"], ["y"]),
    ]
    path = save_model(
        tmp_path / "m.onnx",
        nodes,
        {"x": (np.float32, ("n", 3, "h", "w_"))},
        {name: array for name, array in constants.items() if name in used},
        ["y"],
        opset,
    )
    convert(kerasviz.load(path), tmp_path / "m.keras")
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert [type(layer).__name__ for layer in model.layers].count("UpSampling2D") == 1
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for height, width in ((28, 36), (21, 50)):
        x = draw.normal(size=(2, 3, height, width)).astype(np.float32)
        got = np.asarray(model(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(got, session.run(None, {"x": x})[0], 1e-5, 1e-5)
