"""Keep track of which tensors of a graph are held channels last, and transpose them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.node import GraphNode


def to_last(rank: int) -> list[int]:
    """Return the permutation from channels first to channels last.

    >>> to_last(4)
    [0, 2, 3, 1]
    """
    return [0, *range(2, rank), 1]


def to_first(rank: int) -> list[int]:
    """Return the permutation from channels last to channels first.

    >>> to_first(4)
    [0, 3, 1, 2]
    """
    return [0, rank - 1, *range(1, rank - 1)]


class Layouts:
    """Hold the layouts of the tensors of a graph whose nodes are rewritten.

    ``nodes`` are those that were rewritten or added, ``first`` the tensors that are held channels
    last although the file has them channels first.
    """

    def __init__(self, frozen: FrozenGraph):
        self.frozen = frozen
        self.nodes: dict[str, GraphNode] = {}
        self.first: set[str] = set()

    def is_first(self, key: str) -> bool:
        """Return whether a tensor is held channels last although the file has them first."""
        return self.frozen.source(key) in self.first

    def rank(self, key: str) -> int | None:
        """Return the number of axes of a tensor, ``None`` if it is unknown."""
        key = self.frozen.source(key)
        if key in self.frozen.constants:
            return len(self.frozen.constants[key].shape)
        name, _, index = key.rpartition(":")
        node = self.nodes.get(name) or self.frozen.nodes.get(name)
        shape = None if node is None else node.outputs[int(index)][1]
        return None if shape is None else len(shape)

    def numbers(self, key: str) -> list[int] | None:
        """Return the whole numbers of a constant, ``None`` for other tensors."""
        if not self.frozen.is_constant(key):
            return None
        return [int(n) for n in np.reshape(self.frozen.constant(key).numpy(), [-1])]

    def add_constant(self, name: str, array: Any) -> str:
        """Add a constant to the graph and return its key."""
        with tf.init_scope():
            self.frozen.constants[f"{name}:0"] = tf.constant(array)
        return f"{name}:0"

    def last(self, key: str) -> str:
        """Return a tensor that the file has channels first as one with channels last."""
        return key if self.is_first(key) else self._transposed(key, to_last, "channels_last")

    def plain(self, key: str) -> str:
        """Return a tensor as the file has it."""
        return self._transposed(key, to_first, "channels_first") if self.is_first(key) else key

    def _transposed(self, key: str, order: Callable[[int], list[int]], suffix: str) -> str:
        source = self.frozen.source(key)
        if source in self.frozen.broken:
            return key
        rank = self.rank(source) or 4
        name, _, index = source.rpartition(":")
        name = f"{name}/{suffix}" + (f"_{index}" if index != "0" else "")
        if name not in self.nodes and f"{name}:0" not in self.frozen.constants:
            if source not in self.frozen.live:
                array = np.transpose(self.frozen.constant(source).numpy(), order(rank))
                return self.add_constant(name, array)
            perm = self.add_constant(f"{name}/perm", np.asarray(order(rank), np.int32))
            producer = source.rpartition(":")[0]
            known = self.nodes.get(producer) or self.frozen.nodes[producer]
            dtype, shape = known.outputs[int(index)]
            outputs = ((dtype, shape and tuple(shape[axis] for axis in order(rank))),)
            inputs, groups = (source, perm), (("x", None), ("perm", None))
            self.nodes[name] = GraphNode(name, "Transpose", inputs, groups, {}, outputs, False)
            self.frozen.live.add(f"{name}:0")
        return f"{name}:0"
