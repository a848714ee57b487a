"""Derive the input description from the preprocessing layers of a Keras model."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.input_spec import InputSpec
from kerasviz.types import Array

#: Layers that do not change the numbers of an image in inference.
_SPATIAL = ("Random", "Resizing", "CenterCrop", "ZeroPadding2D", "Dropout")
#: The largest numbers of images as files and arrays keep them: floats, 8 and 16 bits.
_TOPS = (1.0, 255.0, 65535.0)
#: Spreads of images after plain layers (0..1, -1..1, 0..255), with the relative difference that
#: is allowed, so that 1/256 and 1/128 are for 8 bits, and the lowest and highest start.
_PLAIN = ((1.0, 0.005, -1.0, 0.0), (2.0, 0.005, -1.01, -0.99), (255.0, 0.001, -255.0, 0.0))
#: Deviations between black and white of images with their mean at 0 and a deviation of 1.
_DEVIATIONS = (1.5, 10.0)
#: Deviations from black to the mean, at least.
_BELOW_MEAN = 0.25


def leading_input_spec(model: Any) -> InputSpec | None:
    """Return the input description of a model that begins with Rescaling or Normalization layers.

    Such a model takes the numbers of an image file. Return ``None`` if the model begins otherwise,
    and where its layers do not bring exactly one of the usual ranges to numbers that networks take:
    depths of 12 bits and reflectances, for example, have to be named.
    """
    if len(getattr(model, "inputs", None) or ()) != 1:
        return None
    layers, _ = _leading(model)
    if not layers:
        return None
    steps = [_affine(layer) for layer in layers]
    factor, shift = np.ones(1), np.zeros(1)
    for scale, offset in steps:
        factor, shift = factor * scale, shift * scale + offset
    learned = any(
        type(layer).__name__ == "Normalization" and not ((scale == 1).all() and not offset.any())
        for layer, (scale, offset) in zip(layers, steps, strict=True)
    )
    alike = not learned and np.ptp(factor) == 0 and np.ptp(shift) == 0
    is_usual = _is_plain if alike else _is_normalized
    fits = [top for top in _TOPS if is_usual(factor * top, shift)]
    if len(fits) != 1:
        return None
    return InputSpec(scale=fits[0], source=f"{type(layers[0]).__name__} layer of the model")


def _is_plain(spread: Array, low: Array) -> bool:
    """Return whether ``low`` and ``low + spread`` are a range of plain layers, such as 0..1."""
    return any(
        abs(spread[0] / usual - 1) < tolerance and lowest <= low[0] <= highest
        for usual, tolerance, lowest, highest in _PLAIN
    )


def _is_normalized(spread: Array, low: Array) -> bool:
    """Return whether ``low`` and ``low + spread``, per channel, are a few deviations around 0."""
    usual = (spread >= _DEVIATIONS[0]) & (spread <= _DEVIATIONS[1])
    return bool((usual & (low <= -_BELOW_MEAN) & (low + spread >= 0)).all())


def _leading(model: Any) -> tuple[list[Any], bool]:
    """Return the leading preprocessing layers, and whether the model has no other layers."""
    leading: list[Any] = []
    for layer in _in_a_row(model):
        kind = type(layer).__name__  # in Keras 3 and 2
        if kind in ("Rescaling", "Normalization"):
            leading.append(layer)
        elif getattr(layer, "layers", None):
            inner, complete = _leading(layer)
            leading += inner
            if not complete:
                return leading, False
        elif not kind.startswith(_SPATIAL):
            return leading, False
    return leading, True


def _in_a_row(model: Any) -> list[Any]:
    """Return the layers behind the input, up to the first branch."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    if type(model).__name__ == "Sequential":
        return layers
    row: list[Any] = []
    tensors = list(model.inputs)
    while len(tensors) == 1:
        calls = [(layer, ends) for layer in layers for ends in _calls(layer)]
        users = [call for call in calls if any(t is tensors[0] for t in call[1][0])]
        if len(users) != 1 or len(users[0][1][0]) != 1:
            break
        row.append(users[0][0])
        tensors = users[0][1][1]
    return row


def _calls(layer: Any) -> list[tuple[list[Any], list[Any]]]:
    """Return the (inputs, outputs) of every call of a layer, which have no public name."""
    calls = []
    for node in layer._inbound_nodes:
        if hasattr(node, "keras_inputs"):  # Keras 2
            calls.append((tf.nest.flatten(node.keras_inputs), tf.nest.flatten(node.outputs)))
        else:
            calls.append((list(node.input_tensors), list(node.output_tensors)))
    return calls


def _affine(layer: Any) -> tuple[Array, Array]:
    """Return the factor and the offset of a layer, per channel."""
    if type(layer).__name__ == "Rescaling":
        scale, offset = np.asarray(layer.scale, float), np.asarray(layer.offset, float)
        return np.ravel(scale), np.ravel(offset)
    mean = np.ravel(np.asarray(layer.mean, float))
    deviation = np.maximum(np.sqrt(np.ravel(np.asarray(layer.variance, float))), 1e-7)
    if getattr(layer, "invert", False):
        return deviation, mean
    return 1 / deviation, -mean / deviation
