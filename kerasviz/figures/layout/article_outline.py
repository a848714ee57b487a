"""The article's network as names and shapes, to count its figures without a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.figures.layout.appendix import BRANCHES
from kerasviz.figures.layout.units import ARTICLE_NETWORK
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value
from kerasviz.zoo import card

#: The channels of the layers before the mixed ones, and the classes (paper's network).
STEM = {"conv2d0": 64, "conv2d1": 64, "conv2d2": 192}
CLASSES = 1008


class _Outline:
    """Compute zeros of the right shapes instead of values."""

    def __init__(self) -> None:
        maps = (None, None, None)
        self.inputs: Mapping[str, Port] = {"input": Port("input", tf.float32, (*maps, 3))}
        self.outputs: Sequence[str] = ["softmax2"]
        self.module_kinds: Mapping[str, str] = {}
        values = []
        for name in ARTICLE_LAYERS:
            shape = (*maps, STEM[name] if name in STEM else sum(BRANCHES[name]))
            before = f"{name}_pre_relu"
            values.append(Value(before, "ConcatV2" if name in BRANCHES else "BiasAdd", shape))
            values.append(Value(name, "Relu", shape, relu_input=before))
        values.append(Value("softmax2_pre_activation", "BiasAdd", (None, CLASSES)))
        values.append(
            Value("softmax2", "Softmax", (None, CLASSES), softmax_input="softmax2_pre_activation")
        )
        self.values: Mapping[str, Value] = {value.name: value for value in values}

    def compute(self, feeds: Any, names: Sequence[str], **_: Any) -> dict[str, Any]:
        return {n: tf.zeros([size or 1 for size in self.values[n].shape or ()]) for n in names}


def article_outline() -> Network:
    """Make the article's network without weights: its figures can be counted, not rendered.

    >>> article_outline().taps["mixed4a"].channels
    508
    """
    known = card(ARTICLE_NETWORK)
    identity = Identity(known.name, known.name, "zoo", known.sha256)
    return Network(_Outline(), identity, input_spec=preset("unit"), main_taps=ARTICLE_LAYERS)


def is_outline(net: Network) -> bool:
    """Return whether a network has names and shapes only.

    >>> is_outline(article_outline())
    True
    """
    return isinstance(net.program, _Outline)
