"""ONNX models that compute batches of one size, or keep their images on another axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from kerasviz.network.input_spec import preset
from kerasviz.network.network import Network
from kerasviz.zoo.load import load
from support.onnx_parity import save_model

Array = Any
#: (height, width) of the images of all these models.
SIZE = (16, 8)

_node = helper.make_node
#: Patches of 4 x 4 pixels: [n, 8, 4, 2].
_CONV = _node("Conv", ["images", "w"], ["conv"], strides=[4, 4], kernel_shape=[4, 4])


def _same(values: Array, count: int) -> Array:
    return values


def _in_rows(values: Array, count: int) -> Array:
    """Folded rows [n * k, p, c] as [n, k * p, c]."""
    return values.reshape(count, -1, values.shape[-1])


def _turned(values: Array, count: int) -> Array:
    """Time steps before images [k, n, c] as [n, k, c]."""
    return np.swapaxes(values, 0, 1)


@dataclass(frozen=True)
class BatchModel:
    """A model for ``batch`` images, and for some values the batch that they need.

    ``by_image`` brings what onnxruntime gives for a value into rows of images, channels last.
    """

    nodes: tuple[Any, ...]
    numbers: Mapping[str, list[int]]
    batch: int | str
    fixed: Mapping[str, int | None]
    by_image: Mapping[str, Callable[[Array, int], Array]]

    def save(self, path: Path) -> Path:
        draw = np.random.default_rng(3)
        shapes = {"w": (8, 3, 4, 4), "mix": (8, 8), "head": (8, 5), "dense": (64, 5)}
        weights = {n: draw.normal(size=s).astype(np.float32) for n, s in shapes.items()}
        weights |= {"row": draw.normal(size=(1, 1, 8)).astype(np.float32)}
        weights |= {"rows": np.repeat(weights["row"][0], 4, 0)}
        lengths = {n: np.array(v, np.int64) for n, v in self.numbers.items()}
        used = {name for node in self.nodes for name in node.input}
        constants = {n: a for n, a in {**weights, **lengths}.items() if n in used}
        images = {"images": (np.float32, (self.batch, 3, *SIZE))}
        outputs = [self.nodes[-1].output[0]]
        return save_model(path, self.nodes, images, constants, outputs)

    def load(self, folder: Path) -> Network:
        return load(self.save(folder / "model.onnx"), input_spec=preset("unit"))


_POOL = (
    _node("ReduceMean", ["act"], ["pool"], axes=[1], keepdims=0),
    _node("MatMul", ["pool", "head"], ["logits"]),
)
_TOKENS = (
    _CONV,
    _node("Reshape", ["conv", "flat"], ["channels"]),
    _node("Transpose", ["channels"], ["tokens"], perm=[0, 2, 1]),
)

MODELS: dict[str, BatchModel] = {
    # A Reshape with the number of images.
    "reshape": BatchModel(
        (
            _CONV,
            _node("Reshape", ["conv", "s"], ["flat"]),
            _node("MatMul", ["flat", "dense"], ["logits"]),
        ),
        {"s": [3, 64]},
        3,
        {"conv": None, "flat": 3, "logits": 3},
        {"logits": _same},
    ),
    # A constant with a row for each image.
    "constant": BatchModel(
        (
            _CONV,
            _node("ReduceMean", ["conv"], ["mean"], axes=[2, 3], keepdims=0),
            _node("Add", ["mean", "rows"], ["sum"]),
            _node("MatMul", ["sum", "head"], ["logits"]),
        ),
        {},
        4,
        {"mean": None, "sum": 4, "logits": 4},
        {"mean": _same, "sum": _same, "logits": _same},
    ),
    # A class token that is expanded to two images.
    "token": BatchModel(
        (
            *_TOKENS,
            _node("Expand", ["row", "e"], ["cls"]),
            _node("Concat", ["cls", "tokens"], ["joined"], axis=1),
            _node("MatMul", ["joined", "mix"], ["mixed"]),
            _node("Relu", ["mixed"], ["act"]),
            *_POOL,
        ),
        {"flat": [0, 8, 8], "e": [2, 1, 8]},
        2,
        {"tokens": None, "act": 2, "logits": 2},
        {"tokens": _same, "act": _same, "logits": _same},
    ),
    # Four patches of an image stand in the batch axis; mobile transformers do so.
    "folded": BatchModel(
        (
            _CONV,
            _node("Transpose", ["conv"], ["last"], perm=[0, 2, 3, 1]),
            _node("Reshape", ["last", "f"], ["patches"]),
            _node("MatMul", ["patches", "mix"], ["mixed"]),
            _node("Relu", ["mixed"], ["inside"]),
            _node("Reshape", ["inside", "u"], ["act"]),
            *_POOL,
        ),
        {"f": [8, 2, 8], "u": [2, 8, 8]},
        2,
        {"conv": None, "inside": 2, "logits": 2},
        {"inside": _in_rows, "act": _same, "logits": _same},
    ),
    # For other batches than two it is computed without an error, but images attend to others.
    "mixing": BatchModel(
        (
            _CONV,
            _node("Transpose", ["conv"], ["last"], perm=[0, 2, 3, 1]),
            _node("Reshape", ["last", "f"], ["tokens"]),
            _node("Softmax", ["tokens"], ["soft"], axis=1),
            _node("Reshape", ["soft", "u"], ["act"]),
            *_POOL,
        ),
        {"f": [2, -1, 8], "u": [-1, 8, 8]},
        2,
        {"conv": None, "soft": 2, "act": 2, "logits": 2},
        {"soft": _same, "act": _same, "logits": _same},
    ),
    # Only for one image.
    "one": BatchModel(
        (
            _CONV,
            _node("Squeeze", ["conv", "first"], ["alone"]),
            _node("ReduceMean", ["alone"], ["mean"], axes=[1, 2], keepdims=0),
            _node("Unsqueeze", ["mean", "first"], ["act"]),
            _node("MatMul", ["act", "head"], ["logits"]),
        ),
        {"first": [0]},
        1,
        {"conv": None, "logits": 1},
        {"act": _same, "logits": _same},
    ),
    # One image in the file, but any number can be computed.
    "one-free": BatchModel(
        (
            _CONV,
            _node("Reshape", ["conv", "s"], ["flat"]),
            _node("MatMul", ["flat", "dense"], ["logits"]),
        ),
        {"s": [1, -1]},
        1,
        {"conv": None, "logits": None},
        {"logits": _same},
    ),
    "free": BatchModel(
        (
            _CONV,
            _node("Relu", ["conv"], ["relu"]),
            _node("ReduceMean", ["relu"], ["pool"], axes=[2, 3], keepdims=0),
            _node("MatMul", ["pool", "head"], ["logits"]),
        ),
        {},
        4,
        {"relu": None, "logits": None},
        {"pool": _same, "logits": _same},
    ),
    # PyTorch's own attention has the time steps before the images.
    "time-first": BatchModel(
        (
            *_TOKENS,
            _node("Transpose", ["tokens"], ["turned"], perm=[1, 0, 2]),
            _node("MatMul", ["turned", "mix"], ["mixed"]),
            _node("ReduceMean", ["mixed"], ["pool"], axes=[0], keepdims=0),
            _node("MatMul", ["pool", "head"], ["logits"]),
        ),
        {"flat": [0, 8, 8]},
        "n",
        {"mixed": None, "logits": None},
        {"mixed": _turned, "logits": _same},
    ),
    # All tokens in the rows of one matrix.
    "rows": BatchModel(
        (
            *_TOKENS,
            _node("Reshape", ["tokens", "all"], ["matrix"]),
            _node("MatMul", ["matrix", "mix"], ["mixed"]),
            _node("Reshape", ["mixed", "back"], ["act"]),
            *_POOL,
        ),
        {"flat": [0, 8, 8], "all": [-1, 8], "back": [-1, 8, 8]},
        "n",
        {"mixed": None, "logits": None},
        {"mixed": _in_rows, "logits": _same},
    ),
}
