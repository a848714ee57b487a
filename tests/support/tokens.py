"""A small transformer without a file: patches, special tokens, a block of attention, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN, Kernels, Port, Value

PATCH = 4
WIDTH = 6
HEADS = 2


class TokenProgram:
    """Patches of 4 x 4 pixels, ``special`` tokens before them, one block, classes of the mean."""

    def __init__(self, special: int = 1):
        draw = np.random.default_rng(special)
        sizes = {
            "patches": (PATCH, PATCH, 3, WIDTH),
            "special": (1, special, WIDTH),
            **dict.fromkeys(("query", "key", "value", "project"), (WIDTH, WIDTH)),
            "fc1": (WIDTH, 8),
            "fc2": (8, WIDTH),
            "head": (WIDTH, 5),
        }
        self.weights = {
            k: tf.constant(draw.normal(0, 0.5, s), tf.float32) for k, s in sizes.items()
        }

    @property
    def inputs(self) -> Mapping[str, Port]:
        return {"image": Port("image", tf.float32, (None, None, None, 3))}

    @property
    def outputs(self) -> Sequence[str]:
        return ["logits"]

    @property
    def module_kinds(self) -> Mapping[str, str]:
        return {}

    @property
    def values(self) -> Mapping[str, Value]:
        row, split = (None, None, WIDTH), (None, None, HEADS, WIDTH // HEADS)
        table = [
            ("patches", "Conv2D", (None, None, None, WIDTH), ("image",), ("patches.weight",)),
            ("rows", "Reshape", row, ("patches",), ()),
            ("tokens", "Concat", row, ("rows",), ("special",)),
            ("query", "MatMul", row, ("tokens",), ("query.weight",)),
            ("split", "Reshape", split, ("query",), ()),
            ("mixed", "Transpose", split, ("split", "tokens"), ()),
            ("joined", "Reshape", row, ("mixed",), ()),
            ("projected", "MatMul", row, ("joined",), ("block.project.weight",)),
            ("added", "Add", row, ("tokens", "projected"), ()),
            ("hidden", "MatMul", (None, None, 8), ("added",), ("block.fc1.weight",)),
            ("active", "Gelu", (None, None, 8), ("hidden",), ()),
            ("block", "Add", row, ("added", "active"), ("block.fc2.weight",)),
            ("mean", "Mean", (None, WIDTH), ("block",), ()),
            ("logits", "MatMul", (None, 5), ("mean",), ("head.weight", "shared")),
            ("extra", "MatMul", (None, 5), ("mean",), ("shared",)),
        ]
        return {
            name: Value(name, op, shape, inputs=inputs, weights=weights)
            for name, op, shape, inputs, weights in table
        }

    def compute(
        self,
        feeds: Mapping[str, Any],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Any]:
        w, made = self.weights, {}
        made["patches"] = tf.nn.conv2d(feeds["image"], w["patches"], PATCH, "VALID")
        batch = tf.shape(made["patches"])[0]
        count = made["patches"].shape[1] * made["patches"].shape[2]
        made["rows"] = tf.reshape(made["patches"], [batch, count, WIDTH])
        special = tf.repeat(w["special"], batch, axis=0)
        x = made["tokens"] = tf.concat([special, made["rows"]], 1)
        made["query"] = x @ w["query"]
        shape = [batch, x.shape[1], HEADS, WIDTH // HEADS]
        made["split"] = tf.reshape(made["query"], shape)
        key, value = (tf.reshape(x @ w[n], shape) for n in ("key", "value"))
        scores = tf.nn.softmax(tf.einsum("bihd,bjhd->bhij", made["split"], key))
        made["mixed"] = tf.einsum("bhij,bjhd->bihd", scores, value)
        made["joined"] = tf.reshape(made["mixed"], [batch, x.shape[1], WIDTH])
        made["projected"] = made["joined"] @ w["project"]
        made["added"] = x + made["projected"]
        made["hidden"] = made["added"] @ w["fc1"]
        made["active"] = tf.nn.gelu(made["hidden"])
        made["block"] = made["added"] + made["active"] @ w["fc2"]
        made["mean"] = tf.reduce_mean(made["block"], 1)
        made["logits"] = made["extra"] = made["mean"] @ w["head"]
        return {name: made[name] for name in names}


def network(special: int = 1) -> Network:
    """A network of a :class:`TokenProgram`."""
    identity = Identity("tokens", "tokens", "zoo", f"{special:064x}")
    return Network(
        TokenProgram(special),
        identity,
        input_spec=preset("unit"),
        aliases={"net.block.fc1": "hidden", "net.block": "block"},
    )


class RowProgram:
    """The pixels of images of 9 x 9 in rows of 9: [B, 9, 9], 4 numbers of a box and 5 classes."""

    @property
    def inputs(self) -> Mapping[str, Port]:
        return {"image": Port("image", tf.float32, (None, 9, 9, 3))}

    @property
    def outputs(self) -> Sequence[str]:
        return ["row"]

    @property
    def module_kinds(self) -> Mapping[str, str]:
        return {}

    @property
    def values(self) -> Mapping[str, Value]:
        return {"row": Value("row", "Mean", (None, 9, 9), inputs=("image",))}

    def compute(self, feeds: Mapping[str, Any], names: Sequence[str], **_: Any) -> dict[str, Any]:
        return {"row": tf.reduce_mean(feeds["image"], -1)}


def detector() -> Network:
    """A network of a :class:`RowProgram` with five labels."""
    identity = Identity("detector", "detector", "zoo", "d" * 64)
    labels = ("cat", "dog", "cow", "1-3", "7")
    return Network(RowProgram(), identity, input_spec=preset("unit"), labels=labels)
