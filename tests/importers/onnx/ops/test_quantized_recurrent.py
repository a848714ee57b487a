"""An LSTM quantized by onnxruntime's dynamic quantizer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from support.onnx_models import session
from support.processor import VNNI

from kerasviz.importers.onnx import read_onnx

F = np.float32


@pytest.fixture
def quantized_lstm(write: Any, image: Any, tmp_path: Path) -> Any:
    def make(ways: int, **options: Any) -> Path:
        hidden, width = 6, 5
        weights = {
            "w": image(ways, 4 * hidden, width, seed=1) / 2,
            "r": image(ways, 4 * hidden, hidden, seed=2) / 2,
            "b": image(ways, 8 * hidden, seed=3),
        }
        given = {"hidden_size": hidden, "direction": "bidirectional" if ways == 2 else "forward"}
        node = helper.make_node("LSTM", ["x", *weights], ["y", "h", "c"], **given)
        plain = write(tmp_path / "plain.onnx", [node], {"x": (F, (7, 1, width))}, weights, ["y"])
        model = onnx.load(plain)
        model.graph.output[0].type.tensor_type.elem_type = 1
        onnx.save(model, plain)
        logging.disable(logging.WARNING)  # it advises other steps first
        quantize_dynamic(plain, tmp_path / "quantized.onnx", reduce_range=not VNNI, **options)
        logging.disable(logging.NOTSET)
        return tmp_path / "quantized.onnx"

    return make


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("each", [False, True])
def test_as_onnxruntime(quantized_lstm: Any, image: Any, ways: int, kind: Any, each: bool) -> None:
    path = quantized_lstm(ways, weight_type=kind, per_channel=each)
    assert [node.op_type for node in onnx.load(path).graph.node] == ["DynamicQuantizeLSTM"]
    x = image(7, 1, 5)
    (expected,) = session(path, ["y"]).run(["y"], {"x": x})
    program = read_onnx(path).program
    found = program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)  # without rounding it is off by 0.003


def test_the_gradient_is_close_to_that_of_the_real_one(
    quantized_lstm: Any, image: Any, tmp_path: Path
) -> None:
    slopes = []
    for path in (quantized_lstm(2), tmp_path / "plain.onnx"):
        program = read_onnx(path).program
        x = tf.constant(image(7, 1, 5))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = program.compute({"x": x}, ["y"], channels_last=False)["y"]
            score = tf.reduce_sum(y * image(*y.shape, seed=9))
        slopes.append(tape.gradient(score, x).numpy().ravel())
    found, wanted = slopes
    assert found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted) > 0.99
