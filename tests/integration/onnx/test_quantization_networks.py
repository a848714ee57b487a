"""A convolutional network, quantized by onnxruntime in all its ways and compared with it.

Every value is compared: codes are the same but for at most one step, where a number lies between
two codes and the last bits of a sum decide; the tests state how many may be.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from support.onnx_models import session

import kerasviz
from kerasviz.importers.onnx import read_onnx

F = np.float32
WAYS: dict[str, Any] = {
    "QDQ": {"quant_format": QuantFormat.QDQ, "per_channel": True},
    "QDQ, int8": {
        "quant_format": QuantFormat.QDQ,
        "activation_type": QuantType.QInt8,
        "per_channel": True,
    },
    "operators": {"quant_format": QuantFormat.QOperator},
    "operators, int8": {
        "quant_format": QuantFormat.QOperator,
        "activation_type": QuantType.QInt8,
        "per_channel": True,
    },
    "dynamic": None,
}


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """A few random images."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.images: Iterator[Any] = iter(rng.uniform(-1, 1, (4, 1, 3, 32, 32)).astype(F))

    def get_next(self) -> Any:
        image = next(self.images, None)
        return None if image is None else {"x": image}


def nodes() -> list[Any]:
    make = helper.make_node
    return [
        make("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        make("Relu", ["c1"], ["r1"]),
        make("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["p1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        make("Relu", ["c2"], ["r2"]),
        make("Concat", ["p1", "r2"], ["k"], axis=1),
        make("Conv", ["k", "w3", "b3"], ["c3"]),
        make("Add", ["c3", "p1"], ["a"]),
        make("GlobalAveragePool", ["a"], ["g"]),
        make("Flatten", ["g"], ["f"]),
        make("Gemm", ["f", "w4", "b4"], ["l"]),
        make("Softmax", ["l"], ["y"], axis=-1),
    ]


def weights() -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return (rng.normal(size=shape) * 1.5 / np.sqrt(np.prod(shape[1:]))).astype(F)

    return {
        "w1": normal(8, 3, 3, 3),
        "b1": normal(8),
        "w2": normal(8, 8, 3, 3),
        "w3": normal(8, 16, 1, 1),
        "b3": normal(8),
        "w4": normal(8, 5) * 2,
        "b4": normal(5),
    }


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("quantized")
    real = folder / "real.onnx"
    given = helper.make_tensor_value_info("x", 1, ["n", 3, "h", "w"])
    found = helper.make_tensor_value_info("y", 1, ["n", 5])
    fixed = [onnx.numpy_helper.from_array(a, name) for name, a in weights().items()]
    graph = helper.make_graph(nodes(), "net", [given], [found], fixed)
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), real)
    logging.disable(logging.WARNING)  # it advises other steps first
    paths = {"real": real}
    for name, options in WAYS.items():
        paths[name] = folder / f"{len(paths)}.onnx"
        if options is None:
            kinds = ["Conv", "MatMul", "Gemm"]
            quantize_dynamic(
                real, paths[name], weight_type=QuantType.QUInt8, op_types_to_quantize=kinds
            )
        else:
            quantize_static(real, paths[name], Calibration(), **options)
    logging.disable(logging.NOTSET)
    return paths


def images() -> Any:
    return np.random.default_rng(5).uniform(-1, 1, (2, 3, 21, 30)).astype(F)


@pytest.mark.parametrize("way", WAYS)
def test_every_value_is_that_of_onnxruntime(networks: dict[str, Path], way: str) -> None:
    path, feeds = networks[way], {"x": images()}
    program = read_onnx(path).program
    inside = [o for node in onnx.load(path).graph.node for o in node.output]
    names = [n for n in inside if n in program.values]
    theirs = session(path, names).run(names, feeds)
    ours = program.compute(feeds, names, channels_last=False)
    assert len(names) > 10
    for name, expected in zip(names, theirs, strict=True):
        found = ours[name].numpy()
        assert found.dtype == expected.dtype, name
        assert found.shape == expected.shape, name
        off = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        if expected.dtype.itemsize == 1:
            assert off.max() <= 1, name
            assert (off > 0).mean() < 0.002, name
        elif way == "dynamic" or expected.dtype.kind != "f":
            assert off.max() <= 1e-5 * np.abs(expected).max(), name
        else:  # a real number behind codes that may be off by one step of 255
            assert off.max() <= 0.01 * np.abs(expected).max(), name


def gradient(path: Path) -> Any:
    """Of one probability to the image."""
    program = read_onnx(path).program

    @tf.function(autograph=False)
    def slope(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            (name,) = program.outputs
            score = tf.reduce_sum(program.compute({"x": x}, [name])[name][:, 1])
        return tape.gradient(score, x)

    return slope(tf.constant(np.moveaxis(images(), 1, -1))).numpy().ravel()


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_is_close_to_that_of_the_real_network(
    networks: dict[str, Path], way: str
) -> None:
    found, wanted = gradient(networks[way]), gradient(networks["real"])
    cosine = found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted)
    assert cosine > 0.9, cosine
    # How steep the softmax is depends on where it is, which the rounding moves a little.
    assert 0.6 < np.linalg.norm(found) / np.linalg.norm(wanted) < 1.6


def quantized_value(program: Any) -> str:
    """The last image of whole numbers with 8 channels."""
    ops = ("QLinearConv", "QuantizeLinear", "ConvInteger")
    found = [
        name
        for name, value in program.values.items()
        if value.op in ops and len(value.shape or ()) == 4 and value.shape[-1] == 8
    ]
    return found[-1]


@pytest.mark.parametrize("way", ["QDQ", "operators", "dynamic"])
def test_optimization_climbs(networks: dict[str, Path], way: str) -> None:
    """Towards a channel that the model stores as whole numbers."""
    net = kerasviz.load(networks[way], input_spec=kerasviz.InputSpec(2.0, (1.0,)))
    objective = f"{quantized_value(net.program)}:3"
    history = kerasviz.render(net, objective, steps=16, size=64).pictures[0].history
    assert np.isfinite(history).all()
    assert history[-4:].mean() > history[0] + 0.1 * abs(history[0])
