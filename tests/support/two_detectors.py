"""A network whose unit responds to two things: the larger of two detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN, Kernels, Port, Value


class TwoDetectors:
    """detectors: how red, and how blue, each position is, minus green; unit: the larger of both."""

    module_kinds: Mapping[str, str] = {}

    @property
    def inputs(self) -> Mapping[str, Port]:
        return {"image": Port("image", tf.float32, (None, None, None, 3))}

    @property
    def outputs(self) -> Sequence[str]:
        return ["unit"]

    @property
    def values(self) -> Mapping[str, Value]:
        maps = (None, None, None)
        found = [
            Value("colours", "Conv2D", (*maps, 2), inputs=("image",)),
            Value("detectors", "Sigmoid", (*maps, 2), inputs=("colours",)),
            Value("smooth", "Conv2D", (*maps, 2), inputs=("detectors",)),
            Value("unit", "Max", (*maps, 1), inputs=("smooth",)),
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
        x = feeds["image"]
        made = {"colours": tf.stack([x[..., 0] - x[..., 1], x[..., 2] - x[..., 1]], -1)}
        made["detectors"] = tf.nn.sigmoid(3 * made["colours"])
        made["smooth"] = 2 * tf.nn.avg_pool2d(made["detectors"], 3, 1, "SAME")
        made["unit"] = tf.reduce_max(made["smooth"], -1, keepdims=True)
        return {name: made[name] for name in names}


def network() -> Network:
    identity = Identity("two", "two", "zoo", "2" * 64)
    mains = ("detectors", "smooth", "unit")
    return Network(TwoDetectors(), identity, input_spec=preset("unit"), main_taps=mains)
