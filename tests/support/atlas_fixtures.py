"""A small network in a file, which workers can load, and the atlas of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasviz.atlas.definition import Atlas
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe
from kerasviz.zoo.load import load
from support.onnx_models import write_convolutions

SHORT = recipe("article").replace(steps=3, size=(16, 16))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convolutions(tmp_path_factory.mktemp("model") / "small.onnx", 5)


@pytest.fixture(scope="session")
def other_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same architecture with other weights."""
    return write_convolutions(tmp_path_factory.mktemp("other") / "small.onnx", 5, seed=1)


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

    from kerasviz.optvis.environment import environment

    environment()
    return int(tf.config.threading.get_intra_op_parallelism_threads())
