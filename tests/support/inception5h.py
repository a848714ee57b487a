"""inception5h with random weights: the names, order, shapes and attributes of the real file.

What is known of the file besides its architecture: ``summarize_graph`` finds 13,462,015 constant
numbers in it and the counts of ``OPS``; its constants ``concat_dim`` and ``reshape/shape`` stand
before their nodes, all others first; ``output`` passes ``softmax0`` on.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.zoo import card, fetch
from kerasviz.zoo.model_card import Card, packaged_cards
from support.local_server import LocalServer, serve

__all__ = [
    "BLOCKS",
    "CHANNELS",
    "LABELS",
    "OPS",
    "article_graph",
    "fetched",
    "images",
    "known",
    "known_card",
    "session_run",
]

#: How many nodes of each kind the real file has, and how many numbers its constants hold.
OPS = {"Const": 142, "BiasAdd": 64, "Relu": 61, "Conv2D": 59, "MaxPool": 13, "Concat": 9} | {
    **dict.fromkeys(("Reshape", "MatMul"), 5),
    **dict.fromkeys(("Softmax", "Identity", "AvgPool"), 3),
    "LRN": 2,
    "Placeholder": 1,
}
NUMBERS = 13_462_015

#: 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5, pool reduce.
BLOCKS = {
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}
#: The layers of the trunk and their channels.
CHANNELS = {"conv2d0": 64, "conv2d1": 64, "conv2d2": 192} | {
    name: block[0] + block[2] + block[4] + block[5] for name, block in BLOCKS.items()
}
_CLASSES = 1008
#: The lines of the label file, the first of which is a dummy.
LABELS = ("dummy", *(f"thing {k}" if k != 97 else "flamingo" for k in range(1, _CLASSES)))


class _Writer:
    """Writes nodes as TensorFlow did in 2015: no attribute that was added later, on the CPU."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.weights: list[Any] = []
        self.nodes: list[Any] = []
        self.channels: dict[str, int] = {"input": 3}

    def node(self, name: str, op: str, *inputs: str, **attributes: Any) -> str:
        made = tf.compat.v1.NodeDef(name=name, op=op, input=inputs, device="/cpu:0")
        for key, value in attributes.items():
            if isinstance(value, list):
                made.attr[key].list.i.extend(value)
            elif isinstance(value, str):
                made.attr[key].s = value.encode()
            elif isinstance(value, float):
                made.attr[key].f = value
            elif isinstance(value, int):
                made.attr[key].i = value
            else:
                made.attr[key].type = value.as_datatype_enum
        self.nodes.append(made)
        return name

    def constant(self, name: str, value: Any, dtype: Any = tf.float32) -> Any:
        made = tf.compat.v1.NodeDef(name=name, op="Const", device="/cpu:0")
        made.attr["dtype"].type = dtype.as_datatype_enum
        array = np.asarray(value, dtype.as_numpy_dtype)
        made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
        return made

    def weigh(self, name: str, *shape: int, scale: float = 2.0**0.5) -> None:
        """Add ``NAME_w`` and ``NAME_b``; the weights keep the spread of what they are put on."""
        kernel = self.rng.standard_normal(shape, np.float32) * scale / np.prod(shape[:-1]) ** 0.5
        bias = self.rng.standard_normal(shape[-1], np.float32)
        self.weights += [self.constant(f"{name}_w", kernel), self.constant(f"{name}_b", bias)]

    def conv(self, x: str, name: str, size: int, out: int, stride: int = 1) -> str:
        self.weigh(name, size, size, self.channels[x], out)
        self.channels[name] = out
        conv = self.node(
            f"{name}_pre_relu/conv",
            "Conv2D",
            x,
            f"{name}_w",
            T=tf.float32,
            strides=[1, stride, stride, 1],
            padding="VALID" if name == "conv2d1" else "SAME",
        )
        pre = self.node(f"{name}_pre_relu", "BiasAdd", conv, f"{name}_b", T=tf.float32)
        return self.node(name, "Relu", pre, T=tf.float32)

    def pool(self, x: str, name: str, op: str = "MaxPool", size: int = 3, stride: int = 2) -> str:
        self.channels[name] = self.channels[x]
        return self.node(
            name,
            op,
            x,
            **({"T": tf.float32} if op == "AvgPool" else {}),
            ksize=[1, size, size, 1],
            strides=[1, stride, stride, 1],
            padding="SAME" if op == "MaxPool" else "VALID",
        )

    def lrn(self, x: str, name: str) -> str:
        self.channels[name] = self.channels[x]
        return self.node(name, "LRN", x, depth_radius=5, bias=2.0, alpha=1e-4, beta=0.5)

    def block(self, x: str, name: str) -> str:
        a, b, c, d, e, f = BLOCKS[name]
        parts = [
            self.conv(x, f"{name}_1x1", 1, a),
            self.conv(self.conv(x, f"{name}_3x3_bottleneck", 1, b), f"{name}_3x3", 3, c),
            self.conv(self.conv(x, f"{name}_5x5_bottleneck", 1, d), f"{name}_5x5", 5, e),
            self.conv(self.pool(x, f"{name}_pool", stride=1), f"{name}_pool_reduce", 1, f),
        ]
        self.nodes.append(self.constant(f"{name}/concat_dim", 3, tf.int32))
        self.channels[name] = a + c + e + f
        dim = f"{name}/concat_dim"
        made = self.node(name, "Concat", dim, *parts, T=tf.float32)
        self.nodes[-1].attr["N"].i = 4
        return made

    def rows(self, x: str, width: int) -> str:
        self.nodes.append(self.constant(f"{x}/reshape/shape", [-1, width], tf.int32))
        return self.node(f"{x}/reshape", "Reshape", x, f"{x}/reshape/shape", T=tf.float32)

    def dense(self, x: str, name: str, weights: str) -> str:
        product = self.node(f"{name}/matmul", "MatMul", x, f"{weights}_w", T=tf.float32)
        return self.node(name, "BiasAdd", product, f"{weights}_b", T=tf.float32)

    def classes(self, x: str, number: int) -> str:
        # Small, so that no class takes all of the probability.
        self.weigh(f"softmax{number}", 1024, _CLASSES, scale=0.1)
        logits = self.dense(x, f"softmax{number}_pre_activation", f"softmax{number}")
        return self.node(f"softmax{number}", "Softmax", logits, T=tf.float32)

    def head(self, x: str, number: int) -> str:
        pooled = self.pool(x, f"head{number}_pool", "AvgPool", 5, 3)
        flat = self.rows(self.conv(pooled, f"head{number}_bottleneck", 1, 128), 2048)
        self.weigh(f"nn{number}", 2048, 1024)
        pre = self.dense(flat, f"nn{number}_pre_relu", f"nn{number}")
        hidden = self.node(f"nn{number}", "Relu", pre, T=tf.float32)
        return self.classes(self.rows(hidden, 1024), number)


@cache
def article_graph() -> Any:
    """The ``GraphDef``; its trunk takes images of any size, its heads those of some 224 pixels."""
    w = _Writer(seed=0)
    x = w.pool(w.conv("input", "conv2d0", 7, 64, 2), "maxpool0")
    x = w.conv(w.lrn(x, "localresponsenorm0"), "conv2d1", 1, 64)
    x = w.pool(w.lrn(w.conv(x, "conv2d2", 3, 192), "localresponsenorm1"), "maxpool1")
    for name in BLOCKS:
        x = w.block(x, name)
        if name in ("mixed3b", "mixed4e"):
            x = w.pool(x, "maxpool4" if name == "mixed3b" else "maxpool10")
    x = w.pool(x, "avgpool0", "AvgPool", 7, 1)
    heads = [w.head("mixed4a", 0), w.head("mixed4d", 1), w.classes(w.rows(x, 1024), 2)]
    for name, head in zip(("output", "output1", "output2"), heads, strict=True):
        w.node(name, "Identity", head, T=tf.float32)
    image = tf.compat.v1.NodeDef(name="input", op="Placeholder", device="/cpu:0")
    image.attr["dtype"].type = tf.float32.as_datatype_enum
    image.attr["shape"].shape.SetInParent()  # no lengths: in 2015 that meant any shape
    definition = tf.compat.v1.GraphDef()
    definition.node.extend([image, *w.weights, *w.nodes])
    return definition


def session_run(definition: Any, images: Any, names: list[str]) -> dict[str, Any]:
    """What TensorFlow computes when it runs the graph itself."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            found = session.run([f"{n}:0" for n in names], {"input:0": images})
    return dict(zip(names, found, strict=True))


def images(*shape: int, seed: int = 1) -> Any:
    """Numbers as the network takes them, 255 times an image less 117."""
    return np.random.default_rng(seed).uniform(-117, 138, shape).astype(np.float32)


# -- as a network of the zoo -------------------------------------------------------------------


@cache
def _files() -> dict[str, bytes]:
    model, names = (file.name for file in packaged_cards()["inceptionv1"].files)
    text = "".join(f"{line}\n" for line in LABELS)
    return {model: article_graph().SerializeToString(deterministic=True), names: text.encode()}


@cache
def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in {"LICENSE": b"free", **_files()}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def known_card(address: str = "") -> Card:
    """The card with the checksums of the random files, and the archive at ``address``."""
    own = packaged_cards()["inceptionv1"]
    assert own.archive is not None
    files = tuple(replace(f, sha256=_sha256(_files()[f.name])) for f in own.files)
    url = f"{address}/{own.archive.name}"
    return replace(
        own, files=files, archive=replace(own.archive, sha256=_sha256(_archive()), url=url)
    )


@cache
def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def known(own: Card, cache_folder: Path) -> Iterator[None]:
    """The zoo knows ``inceptionv1`` by this card, with its files in this cache."""
    cards = {**packaged_cards(), own.name: own}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASVIZ_CACHE", str(cache_folder))
        for module in ("model_card", "cache"):
            patch.setattr(f"kerasviz.zoo.{module}.packaged_cards", lambda: cards)
        yield


def fetched(cache_folder: Path) -> Path:
    """Fetch the network into a cache folder from a local server; return the model file."""
    with serve(LocalServer()) as server:
        own = known_card(server.address)
        assert own.archive is not None
        server.files[f"/{own.archive.name}"] = _archive()
        with known(own, cache_folder):
            assert card("inceptionv1") == own
            return fetch("inceptionv1")
