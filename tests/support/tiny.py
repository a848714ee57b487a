"""A small network without a file, for tests of everything after the importers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.input_spec import InputSpec, preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN, Kernels, Port, Value

LABELS = ("goldfish, Carassius auratus", "espresso", "castle", "panda", "ostrich")

INPUT = preset("inception")


class TinyProgram:
    """conv1 -> relu1 -> two branches with ReLUs -> joined -> pooled -> logits -> prob.

    ``trained`` weights are seeded; unit 3 of conv1 has a bias so low that its ReLU never fires.
    """

    def __init__(
        self,
        channels: int = 3,
        seed: int = 0,
        size: tuple[int | None, int | None] = (None, None),
    ):
        draw = np.random.default_rng(seed)
        self.weights = {
            "conv1": draw.normal(0, 0.5, (3, 3, channels, 6)),
            "left": draw.normal(0, 0.5, (3, 3, 6, 5)),
            "right": draw.normal(0, 0.5, (1, 1, 6, 4)),
            "dense": draw.normal(0, 1.0, (9, len(LABELS))),
        }
        self.weights = {k: tf.constant(v, tf.float32) for k, v in self.weights.items()}
        self.bias = tf.constant([0.1, 0, 0, -1000.0, 0.2, 0], tf.float32)
        self.channels, self.size = channels, size

    @property
    def inputs(self) -> Mapping[str, Port]:
        return {"image": Port("image", tf.float32, (None, *self.size, self.channels))}

    @property
    def outputs(self) -> Sequence[str]:
        return ["prob"]

    @property
    def module_kinds(self) -> Mapping[str, str]:
        return {}

    @property
    def values(self) -> Mapping[str, Value]:
        maps = (None, None, None)
        found = [
            Value("conv1", "Conv2D", (*maps, 6)),
            Value("relu1", "Relu", (*maps, 6), aliases=("first",), relu_input="conv1"),
            Value("left", "Conv2D", (*maps, 5)),
            Value("left/relu", "Relu", (*maps, 5), relu_input="left"),
            Value("right", "Conv2D", (*maps, 4)),
            Value("right/relu", "Relu", (*maps, 4), relu_input="right"),
            Value("joined", "Concat", (*maps, 9), parts=("left/relu", "right/relu")),
            Value("pooled", "Mean", (None, 9)),
            Value("logits", "MatMul", (None, len(LABELS))),
            Value("prob", "Softmax", (None, len(LABELS)), softmax_input="logits"),
        ]
        sources = {"conv1": ("image",), "left": ("relu1",), "right": ("relu1",)}
        sources |= {v.name: (v.relu_input,) for v in found if v.relu_input}
        sources |= {v.name: v.parts for v in found if v.parts}
        sources |= {"pooled": ("joined",), "logits": ("pooled",), "prob": ("logits",)}
        return {value.name: replace(value, inputs=sources[value.name]) for value in found}

    def compute(
        self,
        feeds: Mapping[str, Any],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}

        def add(name: str, value: Any) -> Any:
            edit = kernels.edits.get(name)
            made[name] = value if edit is None else edit(value, made.__getitem__)
            return made[name]

        x = add(
            "conv1", tf.nn.conv2d(feeds["image"], self.weights["conv1"], 2, "VALID") + self.bias
        )
        x = add("relu1", kernels.relu(x))
        branches = []
        for side in ("left", "right"):
            branch = add(side, tf.nn.conv2d(x, self.weights[side], 1, "SAME"))
            branches.append(add(f"{side}/relu", kernels.relu(branch)))
        x = add("joined", tf.concat(branches, -1))
        x = add("pooled", tf.reduce_mean(x, [1, 2]))
        add("prob", tf.nn.softmax(add("logits", x @ self.weights["dense"])))
        return {name: made[name] for name in names}


def network(
    channels: int = 3,
    seed: int = 0,
    *,
    name: str = "tiny",
    size: tuple[int | None, int | None] = (None, None),
    input_spec: InputSpec | None = INPUT,
) -> Network:
    """A network of a :class:`TinyProgram`; its checksum depends on the seed.

    ``size`` is the only (height, width) that it takes, ``None`` for any.
    """
    identity = Identity(name, name, "zoo", f"{seed:064x}")
    return Network(
        TinyProgram(channels, seed, size),
        identity,
        input_spec=input_spec,
        labels=LABELS,
        aliases={"block": "joined"},
        main_taps=("relu1", "joined"),
    )
