"""Small networks without a file that take signals of one to three axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.input_spec import range_spec
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN, Kernels, Port, Value


class MatcherProgram:
    """Say how near each part of a signal is to a template: match [B, ..., 1], best [B, 1].

    match = conv(x, t) - conv(x^2, 1) / 2, which is largest where a part of x is t.
    """

    def __init__(self, template: Any, lengths: Sequence[int | None]):
        self.template = tf.constant(template, tf.float32)  # [*extent, C]
        self.lengths = tuple(lengths)

    @property
    def inputs(self) -> Mapping[str, Port]:
        channels = self.template.shape[-1]
        return {"signal": Port("signal", tf.float32, (None, *self.lengths, channels))}

    @property
    def outputs(self) -> Sequence[str]:
        return ["best"]

    @property
    def module_kinds(self) -> Mapping[str, str]:
        return {}

    @property
    def values(self) -> Mapping[str, Value]:
        pairs = zip(self.lengths, self.template.shape[:-1], strict=True)
        out = [None if n is None else n - k + 1 for n, k in pairs]
        found = [
            Value("match", "Conv", (None, *out, 1), inputs=("signal",)),
            Value("best", "ReduceMax", (None, 1), inputs=("match",)),
        ]
        return {value.name: value for value in found}

    def compute(
        self,
        feeds: Mapping[str, Any],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Any]:
        x, kernel = feeds["signal"], self.template[..., None]
        found = tf.nn.convolution(x, kernel, padding="VALID")
        found -= tf.nn.convolution(x * x, tf.ones_like(kernel) / 2, padding="VALID")
        best = tf.reduce_max(found, axis=list(range(1, found.shape.rank - 1)))
        results = {"match": found, "best": best}
        return {name: results[name] for name in names}


def matcher(template: Any, lengths: Sequence[int | None], axes: str | None = None) -> Network:
    """Return a network that looks for a template [*extent, C] in signals from -1 to 1."""
    identity = Identity("matcher", "matcher", "zoo", "5" * 64)
    program = MatcherProgram(template, lengths)
    return Network(program, identity, input_spec=range_spec([-1], [1]), axes=axes)


def likeness(signal: Any, template: Any) -> float:
    """Return the largest normalized correlation of parts of a signal with a template.

    Both are [*lengths, C]; the template may stand anywhere.
    """
    kernel = tf.constant(template, tf.float32)[..., None]
    x = tf.constant(signal, tf.float32)[None]
    products = tf.nn.convolution(x, kernel, padding="VALID")
    energy = tf.nn.convolution(x * x, tf.ones_like(kernel), padding="VALID")
    norm = float(np.linalg.norm(template))
    return float(tf.reduce_max(products / (tf.sqrt(energy + 1e-9) * norm)))


def table(columns: int) -> Network:
    """Return a network that looks for a pattern in the rows of a table: match and best [B, 1]."""

    class TableProgram(MatcherProgram):
        @property
        def inputs(self) -> Mapping[str, Port]:
            return {"row": Port("row", tf.float32, (None, columns))}

        def compute(
            self, feeds: Mapping[str, Any], names: Sequence[str], **settings: Any
        ) -> dict[str, Any]:
            found = tf.reduce_sum(feeds["row"] * self.template, axis=1, keepdims=True)
            return dict.fromkeys(names, found)

    pattern = np.linspace(-1, 1, columns)
    program = TableProgram(pattern, ())
    identity = Identity("table", "table", "zoo", "6" * 64)
    return Network(program, identity, input_spec=range_spec([-1], [1]))
