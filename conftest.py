"""What the examples in docstrings find: a small network, files, and a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports TensorFlow


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``model.onnx`` and ``photos``."""
    import numpy as np
    import onnx
    from PIL import Image

    folder = tmp_path_factory.mktemp("examples")
    graph = """<ir_version: 8, opset_import: ["": 17]>
    model (float[n, 3, h, w] image) => (float[n, 8, i, j] relu1) {
        conv1 = Conv(image, weights)
        relu1 = Relu(conv1)
    }"""
    model = onnx.parser.parse_model(graph)
    weights = np.random.default_rng(0).normal(0, 0.3, (8, 3, 3, 3)).astype("float32")
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "weights"))
    onnx.save(model, folder / "model.onnx")
    (folder / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), np.uint8)
    for k, photo in enumerate(noise):
        Image.fromarray(photo).save(folder / "photos" / f"{k}.png")
    return folder


@pytest.fixture(scope="session")
def example_network() -> Any:
    """A network with the layers ``stem`` and ``block3b`` of 8 units, and 4 classes."""
    import keras

    import kerasviz

    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((None, None, 3)),
        keras.layers.Conv2D(8, 3, activation="relu", name="stem"),
        keras.layers.Conv2D(8, 3, activation="relu", name="block3b"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(4, name="logits"),
        keras.layers.Activation("softmax", name="prob"),
    ]
    labels = ["cat", "dog", "goldfish", "pizza"]
    return kerasviz.load(keras.Sequential(layers, name="tiny"), preprocess="unit", labels=labels)


@pytest.fixture(autouse=True)
def _namespace_of_examples(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give a docstring's example ``net``, ``images`` and ``kerasviz``, if it names them.

    An example that names files runs in a folder that has them; none sees the user's cache.
    """
    item = request.node
    if not isinstance(item, pytest.DoctestItem) or item.dtest is None:
        yield
        return
    source = "".join(example.source for example in item.dtest.examples)
    with pytest.MonkeyPatch.context() as patch:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("example")
        patch.setenv("KERASVIZ_CACHE", str(folder / "cache"))
        if "kerasviz." in source or "net" in source:
            import keras
            import numpy as np

            import kerasviz

            files = request.getfixturevalue("example_folder")
            for name in ("model.onnx", "photos"):
                (folder / name).symlink_to(files / name)
            patch.chdir(folder)
            names = {"keras": keras, "kerasviz": kerasviz}
            names["images"] = np.full((2, 32, 32, 3), 0.5, np.float32)
            if "net" in source and "net = " not in source:
                names["net"] = request.getfixturevalue("example_network")
            for name, value in names.items():
                item.dtest.globs.setdefault(name, value)
        yield
