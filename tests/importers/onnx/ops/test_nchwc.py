"""Files that onnxruntime's optimizer wrote, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.registry import NCHWC

node = helper.make_node


def weights(*shape: int) -> Any:
    return (np.random.default_rng(sum(shape)).normal(size=shape) * 0.2).astype(np.float32)


#: Name -> nodes from x to y, and the shape of x.
NETWORKS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "sum": (
        [
            node("Conv", ["x", "few"], ["a"], pads=[1, 1, 1, 1]),
            node("Clip", ["a", "zero", "six"], ["b"]),
            node("MaxPool", ["b"], ["c"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
            node("Conv", ["c", "more"], ["d"], auto_pad="SAME_UPPER", strides=[2, 2]),
            node("Conv", ["d", "depth"], ["e"], pads=[1, 1, 1, 1], group=32),
            node("Add", ["d", "e"], ["f"]),
            node("Relu", ["f"], ["y"]),
        ],
        (2, 3, 17, 19),
    ),
    "pools": (
        [
            node("Conv", ["x", "few"], ["a"]),
            node("AveragePool", ["a"], ["b"], kernel_shape=[3, 3], pads=[1, 0, 1, 2]),
            node("LeakyRelu", ["b"], ["c"], alpha=0.3),
            node("GlobalAveragePool", ["c"], ["d"]),
            node("Conv", ["d", "point", "bias"], ["e"]),
            node("HardSigmoid", ["e"], ["g"]),
            node("Flatten", ["g"], ["y"]),
        ],
        (3, 3, 9, 8),
    ),
    "sizes": (
        [
            node("Conv", ["x", "few"], ["a"]),
            node("Conv", ["a", "pairs"], ["b"], group=2),
            node(
                *("Resize", ["b", "", "twice"], ["c"]),
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Resize", ["c", "", "odd"], ["d"], mode="linear"),
            node("Concat", ["d", "d"], ["e"], axis=1),
            node("Sigmoid", ["e"], ["y"]),
        ],
        (1, 3, 7, 6),
    ),
    "odd channels": (
        [
            node("Conv", ["x", "odd_in"], ["a"], strides=[2, 1]),
            node("Conv", ["a", "odd_out"], ["b"], dilations=[1, 2]),
            node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
        ],
        (2, 20, 11, 13),
    ),
}
CONSTANTS = {
    "few": weights(16, 3, 3, 3),
    "more": weights(32, 16, 3, 3),
    "depth": weights(32, 1, 3, 3),
    "point": weights(20, 16, 1, 1),
    "bias": weights(20),
    "pairs": weights(32, 8, 1, 1),
    "odd_in": weights(12, 20, 3, 3),
    "odd_out": weights(20, 12, 3, 3),
    "zero": np.float32(0),
    "six": np.float32(6),
    "twice": np.float32([1, 1, 2, 2]),
    "odd": np.float32([1, 1, 3, 2]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_optimized_files_have_the_values_of_onnxruntime(name: str, tmp_path: Path) -> None:
    nodes, shape = NETWORKS[name]
    used = {n for one in nodes for n in one.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, list(shape))],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(a, n) for n, a in CONSTANTS.items() if n in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    path = tmp_path / "optimized.onnx"
    options.optimized_model_filepath = str(path)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    x = weights(*shape) * 5
    wanted = session.run(None, {"x": x})[0]
    if not any(one.domain == NCHWC for one in onnx.load(path).graph.node):
        pytest.skip("onnxruntime has no kernels for blocks of channels on this machine")
    program = read_onnx(path).program
    got = program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-5 * np.abs(wanted).max()
