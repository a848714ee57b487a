"""Small networks of oriented units: Gabor kernels, as Keras models, ONNX files and tokens."""

from __future__ import annotations

import keras
import numpy as np
import onnx

import kerasviz
from kerasviz.analysis import stimuli
from kerasviz.analysis.stimuli import Aperture
from kerasviz.network.network import Network

#: The side of a kernel, and that of the images: the centre of the map sees their middle.
KERNEL = 15
SIDE = 31


def gabor(degrees: float, odd: bool = True, wavelength: float = 9.0) -> np.ndarray:
    """A kernel [15, 15] of stripes that change towards a direction; 0 is right, 90 up.

    An odd one grows towards it: a dark side and a light one excite it most.
    """
    y, x = KERNEL // 2 - np.mgrid[:KERNEL, :KERNEL]
    x = -x
    angle = np.radians(degrees)
    across = x * np.cos(angle) + y * np.sin(angle)
    waves = (np.sin if odd else np.cos)(2 * np.pi * across / wavelength)
    kernel = waves * np.exp(-(x**2 + y**2) / (2 * 3.0**2))
    kernel -= kernel.mean()
    return (kernel / np.abs(kernel).sum()).astype(np.float32)


def bulge() -> np.ndarray:
    """A kernel for a curve that bulges to the right, without what it shares with a line."""
    aperture = Aperture((15, 15), (7.0, 7.0), 7.5)
    curved, straight = (
        aperture.faded(stimuli.filled(aperture, border)[..., None])[..., 0] * 2 - 1
        for border in (stimuli.curve(0, 3.75), stimuli.line(0))
    )
    kernel = curved - (curved * straight).sum() / (straight**2).sum() * straight
    kernel -= kernel.mean()
    return (kernel / np.abs(kernel).sum()).astype(np.float32)


def blob() -> np.ndarray:
    """A kernel that is the same in all directions: light in the middle, dark around."""
    y, x = np.mgrid[:KERNEL, :KERNEL] - KERNEL // 2
    square = x**2 + y**2
    kernel = np.exp(-square / 8.0) / 8 - np.exp(-square / 14.0) / 14
    return (kernel / np.abs(kernel).sum()).astype(np.float32)


def kernels(*planes: np.ndarray, channels: int = 3) -> np.ndarray:
    """Kernels [15, 15, channels, units] that see grey."""
    return np.repeat(np.stack(planes, -1)[:, :, None], channels, 2)


def of_keras(weights: np.ndarray, side: int = SIDE) -> Network:
    """A convolution with a ReLU, "unit", and a mean of it, "mean"."""
    image = keras.Input((side, side, weights.shape[2]), name="image")
    convolution = keras.layers.Conv2D(
        weights.shape[3], KERNEL, use_bias=False, activation="relu", name="unit"
    )
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(convolution(image))
    model = keras.Model(image, pooled, name="oriented")
    convolution.set_weights([weights])
    return kerasviz.load(model, preprocess="inception")


def of_onnx(weights: np.ndarray) -> Network:
    """The same convolution from ONNX, for 0 to 255, images of any size."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 17]>
        model (float[n, {weights.shape[2]}, h, w] image) => (float[n, units, i, j] unit) {{
            before = Conv(image, weights)
            unit = Relu(before)
        }}"""
    )
    tensor = np.ascontiguousarray(weights.transpose(3, 2, 0, 1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(tensor, "weights"))
    return kerasviz.load(model, preprocess="byte")


def of_tokens(weights: np.ndarray) -> Network:
    """Patches of 15 x 15 pixels in images of 45 x 45, as 9 tokens, and these with their mean."""
    image = keras.Input((45, 45, weights.shape[2]), name="image")
    patches = keras.layers.Conv2D(weights.shape[3], KERNEL, KERNEL, use_bias=False, name="patches")
    rows = keras.layers.Reshape((9, weights.shape[3]), name="rows")(patches(image))
    unit = keras.layers.ReLU(name="unit")(rows)
    mean = keras.layers.GlobalAveragePooling1D(keepdims=True)(unit)
    mixed = keras.layers.Add(name="mixed")([unit, mean])
    model = keras.Model(image, mixed, name="tokens")
    patches.set_weights([weights])
    return kerasviz.load(model, preprocess="unit")
