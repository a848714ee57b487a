"""Derive the input description from the preprocessing layers of a Keras model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.input_spec import InputSpec

#: Layers that do not change the numbers of an image in inference.
_SPATIAL = ("Random", "Resizing", "CenterCrop", "ZeroPadding2D", "Dropout")


def leading_input_spec(model: Any) -> InputSpec | None:
    """Return the input description of a model that begins with Rescaling or Normalization layers.

    Such a model takes the numbers of an image file, 0 to 255 or 0 to 1, whichever its layers bring
    to the order of 1. Return ``None`` if the model begins otherwise.
    """
    if len(getattr(model, "inputs", None) or ()) != 1:
        return None
    layers, _ = _leading(model)
    if not layers:
        return None
    spread = math.exp(sum(float(np.mean(np.log(np.abs(_factor(la)) + 1e-12))) for la in layers))
    scale = min((1.0, 255.0), key=lambda top: abs(math.log(spread * top)))
    return InputSpec(scale=scale, source=f"{type(layers[0]).__name__} layer of the model")


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


def _factor(layer: Any) -> Any:
    """Return the factor by which a layer scales the numbers, per channel."""
    if type(layer).__name__ == "Rescaling":
        return np.asarray(layer.scale, np.float64)
    deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float64)), 1e-7)
    return deviation if getattr(layer, "invert", False) else 1 / deviation
