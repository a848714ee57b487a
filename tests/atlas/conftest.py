"""A small network in a file, which workers can load, and the atlas of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kerasviz.atlas.definition import Atlas
from kerasviz.input_spec import preset
from kerasviz.loader import load
from kerasviz.network import Network
from kerasviz.recipes import recipe

SHORT = recipe("article").replace(steps=3, size=(16, 16))


def write_model(path: Path, seed: int = 0) -> Path:
    """Two convolutions with ReLUs: relu1 has 6 units, relu2 has 5."""
    draw = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(draw.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["conv1"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        helper.make_node("Conv", ["relu1", "w2"], ["conv2"], pads=[1] * 4),
        helper.make_node("Relu", ["conv2"], ["relu2"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("relu2", TensorProto.FLOAT, ["n", 5, "i", "j"])],
        [weights("w1", 6, 3, 3, 3), weights("w2", 5, 6, 3, 3)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "small.onnx")


@pytest.fixture(scope="session")
def other_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same architecture with other weights."""
    return write_model(tmp_path_factory.mktemp("other") / "small.onnx", seed=1)


@pytest.fixture(scope="session")
def net(model_file: Path) -> Network:
    return load(model_file, input_spec=preset("torchvision"))


@pytest.fixture(scope="session")
def atlas(net: Network) -> Atlas:
    """The 5 units of relu2: 35 pictures of 3 steps."""
    return Atlas.of(net, ["relu2"], SHORT, threads=threads())


def threads() -> int:
    """As many as TensorFlow has in this process: workers in it cannot have others."""
    import tensorflow as tf

    from kerasviz.environment import environment

    environment()
    return int(tf.config.threading.get_intra_op_parallelism_threads())
