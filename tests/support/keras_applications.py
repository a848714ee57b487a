"""Keras applications of a part of their width and depth, and their exports to ONNX."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Array = Any

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


def _short_convnext(**options: Any) -> Any:
    from keras.src.applications.convnext import MODEL_CONFIGS, ConvNeXt

    widths = MODEL_CONFIGS["tiny"]["projection_dims"]
    return ConvNeXt(depths=(2, 2, 2, 2), projection_dims=widths, **options)


def _short_densenet(**options: Any) -> Any:
    from keras.src.applications.densenet import DenseNet

    return DenseNet((2, 2, 2, 2), **options)


def _short_efficientnet(**options: Any) -> Any:
    from keras.src.applications.efficientnet import DEFAULT_BLOCKS_ARGS, EfficientNet

    parts = [{**part, "repeats": min(part["repeats"], 2)} for part in DEFAULT_BLOCKS_ARGS]
    return EfficientNet(1.0, 1.0, 224, blocks_args=parts, **options)


def _short_efficientnet_v2(**options: Any) -> Any:
    from keras.src.applications.efficientnet_v2 import DEFAULT_BLOCKS_ARGS, EfficientNetV2

    whole = DEFAULT_BLOCKS_ARGS["efficientnetv2-b0"]
    parts = [{**part, "num_repeat": min(part["num_repeat"], 2)} for part in whole]
    return EfficientNetV2(1.0, 1.0, 224, blocks_args=parts, **options)


def _short_nasnet(**options: Any) -> Any:
    from keras.src.applications.nasnet import NASNet

    return NASNet(
        penultimate_filters=1056,
        num_blocks=1,
        stem_block_filters=32,
        skip_reduction=False,
        filter_multiplier=2,
        **options,
    )


def _short_resnet(**options: Any) -> Any:
    from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

    def stack(x: Any) -> Any:
        for k, (width, stride) in enumerate(((64, 1), (128, 2), (256, 2), (512, 2))):
            x = stack_residual_blocks_v1(x, width, 2, stride1=stride, name=f"conv{k + 2}")
        return x

    return ResNet(stack, preact=False, use_bias=True, **options)


#: Applications with two blocks of each kind, where they have up to 24 that are alike; of each row
#: of NASNet's cells there is one.
SHORT: dict[str, Callable[..., Any]] = {
    "ConvNeXtTiny": _short_convnext,
    "DenseNet121": _short_densenet,
    "EfficientNetB0": _short_efficientnet,
    "EfficientNetV2B0": _short_efficientnet_v2,
    "NASNetMobile": _short_nasnet,
    "ResNet50": _short_resnet,
}


def narrow_application(name: str, shape: Sequence[int | None], **options: Any) -> Any:
    """An application of an eighth of its width, and of less depth where its blocks are alike."""
    import keras

    keras.utils.set_random_seed(0)
    build = SHORT.get(name) or getattr(keras.applications, name)
    model = build(weights=None, input_shape=tuple(shape), **options)
    narrow = partial(_narrow, by=WIDTH.get(name, 8))
    return keras.models.clone_model(model, clone_function=narrow)


def export(model: Any, size: Sequence[int], path: Path) -> None:
    """Write a model as an ONNX file, after it has been called on an image of a size."""
    import keras

    model(np.zeros((1, *size, 3), np.float32))  # Keras exports only what has been called
    model.export(path, format="onnx", verbose=False)
    keras.backend.clear_session()
    gc.collect()
