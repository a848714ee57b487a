"""The arguments that public functions share: a model, arrays of its other inputs, and taps."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from kerasviz.network.inputs import read_arrays
from kerasviz.network.network import Network
from kerasviz.zoo.load import load
from kerasviz.zoo.model_source import ModelSource

#: What a public function takes as a model: a network, or anything that :func:`load` takes.
Model = Any
#: Arrays by the names of inputs, or the ``.npz`` file that has them.
Data = Mapping[str, Any] | str | os.PathLike[str]


def as_network(model: Model, data: Data | None = None) -> Network:
    """Return a network as it is, and load anything else; its other inputs are held at ``data``."""
    if isinstance(model, Network):
        return with_data(model, data)
    return with_data(model.load() if isinstance(model, ModelSource) else load(model), data)


def with_data(net: Network, data: Data | None) -> Network:
    """Return a network with inputs held at arrays, given by name or as an ``.npz`` file."""
    if data is None:
        return net
    return net.with_data(data if isinstance(data, Mapping) else read_arrays(Path(data)))


def tap_names(given: str | Iterable[str], known: Container[str]) -> list[str]:
    """Return the names of taps, each once; texts with commas are split.

    A comma may also be part of a name.

    >>> tap_names(["a", "b,c", "d,e"], {"b,c"})
    ['a', 'b,c', 'd', 'e']
    """
    names: list[str] = []
    for text in [given] if isinstance(given, str) else given:
        parts = [text] if text in known else [part.strip() for part in text.split(",")]
        names.extend(part for part in parts if part)
    return list(dict.fromkeys(names))
