"""Keras applications, exported to ONNX by the test, against onnxruntime."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.onnx_models import session

from kerasviz.importers.onnx import read_onnx

Array = Any
FREE = (None, None, 3)

#: Name, input shape of the export, and the sizes of the images.
APPLICATIONS: list[tuple[str, Sequence[int | None], list[tuple[int, int]]]] = [
    ("ResNet50", FREE, [(64, 64), (75, 102)]),
    ("MobileNetV2", FREE, [(64, 64), (75, 102)]),
    ("MobileNetV3Small", FREE, [(64, 64), (75, 102)]),
    ("EfficientNetB0", FREE, [(64, 64), (75, 102)]),
    ("EfficientNetV2B0", FREE, [(64, 64), (75, 102)]),
    ("DenseNet121", FREE, [(64, 64), (75, 102)]),
    ("InceptionV3", FREE, [(80, 80), (91, 118)]),
    ("Xception", FREE, [(72, 72), (91, 118)]),
    # Its pads are computed for the size of the export.
    ("NASNetMobile", (96, 64, 3), [(96, 64)]),
    ("ConvNeXtTiny", FREE, [(64, 64), (75, 102)]),
    ("VGG16", FREE, [(48, 48), (51, 70)]),
]
TAPS = 10
#: Each layer has its number of channels divided by this. A cell of NASNet adds what it has split.
WIDTH = {"NASNetMobile": 11}


def settled(model: Any) -> None:
    """Give a network statistics and scales that keep its values neither small nor large."""
    rng = np.random.default_rng(5)
    for layer in model._flatten_layers():
        kind = type(layer).__name__
        weights = layer.get_weights()
        if kind == "BatchNormalization":
            names = [w.path.rsplit("/", 1)[-1] for w in layer.weights]
            ways = {"gamma": (0.8, 1.2), "moving_variance": (0.8, 1.6)}
            layer.set_weights(
                [
                    rng.uniform(*ways.get(n, (-0.2, 0.2)), w.shape)
                    for n, w in zip(names, weights, strict=True)
                ]
            )
        elif kind == "LayerScale":
            layer.set_weights([rng.uniform(0.3, 0.7, w.shape) for w in weights])
        elif kind == "Normalization":
            continue
        elif weights and "Conv" in kind:
            layer.set_weights([_kernel(w, rng, "Depthwise" in kind) for w in weights])


def _kernel(array: Array, rng: Any, depthwise: bool) -> Array:
    """Random numbers that keep the variance; biases are small."""
    if array.ndim < 3:
        return rng.normal(size=array.shape) * 0.05
    inputs = np.prod(array.shape[:2] if depthwise else array.shape[:3])
    if array.shape[3] == 1 and array.shape[2] > 1 and array.shape[:2] != (1, 1):
        inputs = np.prod(array.shape[:2])
    return rng.normal(size=array.shape) * np.sqrt(1.6 / inputs)


def _gelu(x: Any) -> Any:
    import keras

    return 0.5 * x * (1 + keras.ops.erf(x / np.sqrt(2).astype(np.float32)))


def _narrow(layer: Any, by: int) -> Any:
    """A layer of a part of the width, which the exporter writes in a third of the time.

    It has no compiled convolution and no Erfc, which ONNX lacks.
    """
    import keras

    if isinstance(layer, keras.Sequential):
        return keras.Sequential([_narrow(part, by) for part in layer.layers], name=layer.name)
    config = layer.get_config()
    if isinstance(layer, keras.layers.Activation) and config["activation"] == "gelu":
        return keras.layers.Activation(_gelu, name=config["name"])
    depthwise = isinstance(layer, keras.layers.Conv2D) and config.get("groups", 1) > 1
    if depthwise:
        assert config["groups"] == config["filters"]
        return keras.layers.DepthwiseConv2D(
            config["kernel_size"], padding=config["padding"], name=config["name"]
        )
    for key in ("filters", "units", "projection_dim"):
        if key in config:
            config[key] = max(config[key] // by, 1)
    if isinstance(layer, keras.layers.Reshape):
        *places, channels = config["target_shape"]
        config["target_shape"] = (*places, max(channels // by, 1))
    return type(layer).from_config(config)


def export(name: str, shape: Sequence[int | None], path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    build: Callable[..., Any] = getattr(keras.applications, name)
    model = build(weights=None, include_top=False, input_shape=tuple(shape), pooling="avg")
    narrow = partial(_narrow, by=WIDTH.get(name, 8))
    model = keras.models.clone_model(model, clone_function=narrow)
    settled(model)
    sides = [side or 96 for side in shape[:2]]
    model(np.zeros((1, *sides, 3), np.float32))  # Keras exports only what has been called
    model.export(path, format="onnx", verbose=False)
    keras.backend.clear_session()
    gc.collect()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape", "sizes"), APPLICATIONS, ids=[a[0] for a in APPLICATIONS])
def test_application(
    name: str, shape: Sequence[int | None], sizes: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export(name, shape, path)
    program = read_onnx(path).program
    inside = {o for node in onnx.load(path).graph.node for o in node.output}
    taps = [n for n in program.values if n in inside]
    spread = [taps[k] for k in np.linspace(0, len(taps) - 1, TAPS).round().astype(int)]
    names = list(dict.fromkeys([*spread, *program.outputs]))
    assert len(names) >= TAPS
    (given,) = [n for n, port in program.inputs.items() if port.shape and None in port.shape[:1]]
    # The exporter makes inputs of the constants of a Normalization layer.
    rng = np.random.default_rng(9)
    more = {
        n: rng.uniform(0.5, 1.5, port.shape).astype(np.float32)
        for n, port in program.inputs.items()
        if n != given
    }
    for k, size in enumerate(sizes):
        image = np.random.default_rng(k).uniform(0, 255, (1 + k, *size, 3)).astype(np.float32)
        if name.startswith(("ResNet", "DenseNet", "VGG")):
            image -= np.float32(120)
        if name in ("MobileNetV2", "InceptionV3", "Xception", "NASNetMobile"):
            image = image / np.float32(127.5) - 1
        wanted = session(path, names).run(names, {given: image, **more})
        found = program.compute({given: image, **more}, names, channels_last=False)
        for tap, array in zip(names, wanted, strict=True):
            ours = found[tap].numpy()
            assert ours.shape == array.shape, tap
            if array.dtype.kind != "f":
                assert (ours == array).all(), tap
                continue
            largest = np.abs(array).max()
            assert 1e-4 < largest < 1e5, f"{tap}: values up to {largest} say little"
            gap = np.abs(ours - array).max() / largest
            assert gap <= 1e-4, (size, tap, gap)
