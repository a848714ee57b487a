"""Add outputs to a model that is already a Keras file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kerasviz.network.network import Network


def keras_again(net: Network, taps: Sequence[str]) -> Any | None:
    """Return the Keras model of a file with taps as further outputs.

    Return ``None`` for other formats, models in memory, custom layers, which need their code, and
    taps that are no output of a layer of the outermost model.
    """
    if net.identity.format not in ("keras", "h5") or net.live is not None:
        return None
    try:
        model = keras.saving.load_model(net.identity.source, compile=False)
    except (ValueError, TypeError, OSError):  # custom layers, or a Lambda
        return None
    if not isinstance(model, (keras.Sequential, keras.models.Model)) or not model.built:
        return None
    if not hasattr(model, "operations") or not _is_plain(model):
        return None
    if not taps:
        return model
    layers = {operation.name: operation for operation in model.operations}
    tapped: Mapping[str, Any] = {n: layers.get(net.taps[n].name) for n in taps}
    if any(layer is None for layer in tapped.values()):
        return None
    # A layer that is called twice has no single output.
    if any(len(layer._inbound_nodes) != 1 for layer in tapped.values()):
        return None
    tensors = {name: layer.output for name, layer in tapped.items()}
    if not all(isinstance(t, keras.KerasTensor) for t in tensors.values()):
        return None
    outputs = dict(zip(net.program.outputs, model.outputs, strict=True))
    return keras.Model(model.input, {**outputs, **tensors}, name=model.name)


def _is_plain(model: Any) -> bool:
    """Return whether all layers are Keras' own."""
    for layer in model._flatten_layers(include_self=True):
        if not type(layer).__module__.startswith("keras.") or isinstance(
            layer, (keras.layers.Lambda, keras.layers.TFSMLayer)
        ):
            return False
    return True
