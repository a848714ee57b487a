"""Compute a checksum of a TensorFlow graph that does not depend on the names of its nodes.

Every tensor gets a checksum of its operation and of those of its inputs (a Merkle tree), so that a
model in memory has that of its file, whose nodes TensorFlow names and orders otherwise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.tensorflow.control_flow import LoopBody
from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph, node_name
from kerasviz.importers.tensorflow.node import GraphNode

#: What Keras adds to the names of layers of one class, within one process.
_NUMBER = re.compile(r"_\d+(?=$|[/:]|_pre_)")


def contents_of(graph: FrozenGraph, fed: Mapping[str, str], named: Mapping[str, str]) -> str:
    """Return a SHA-256 of the computation of some tensors, with their names.

    ``fed`` describes the inputs by their keys, ``named`` are the keys of the tensors by name. The
    numbers that Keras adds to names in the order in which layers are made do not count. Tensors
    that cannot be computed count by their name only.
    """
    checksums = _Checksums(graph, fed)
    lines = [f"{_NUMBER.sub('', name)} {checksums.of(key)}" for name, key in named.items()]
    return _hashed(*sorted(lines))


class _Checksums:
    """Compute the checksums of the tensors of a graph, each once."""

    def __init__(self, graph: FrozenGraph, fed: Mapping[str, str]):
        self._graph = graph
        self._known = {key: _hashed("input", text) for key, text in fed.items()}

    def of(self, key: str) -> str:
        """Return the checksum of a tensor."""
        key = self._graph.source(key)
        pending = [key]
        while pending:
            current = pending[-1]
            if current in self._known:
                pending.pop()
                continue
            sources = self._sources(current)
            missing = [source for source in sources if source not in self._known]
            if missing:
                pending += missing
            else:
                self._known[current] = self._computed(current, sources)
        return self._known[key]

    def _sources(self, key: str) -> list[str]:
        """Return the tensors that a tensor is computed from, none for weights and other constants.

        A constant that was computed at import counts as its computation.
        """
        node = self._graph.nodes.get(node_name(key))
        if node is None or key in self._graph.broken or key in self._graph.handles:
            return []
        sources = [self._graph.source(name) for name in node.inputs]
        is_read = any(source in self._graph.handles for source in sources)
        return [] if is_read and key in self._graph.constants else sources

    def _computed(self, key: str, sources: list[str]) -> str:
        graph = self._graph
        if key in graph.broken or key in graph.handles:
            return _hashed("none")
        if not sources and key in graph.constants:
            return _of_tensor(graph.constants[key])
        node = graph.nodes[node_name(key)]
        parts = _of_node(node), *(self._known[source] for source in sources)
        return _hashed(key.rpartition(":")[2], *parts)


def _of_node(node: GraphNode) -> str:
    """Return the checksum of an operation without its inputs."""
    kinds = [f"{dtype.name} {shape}" for dtype, shape in node.outputs]
    return _hashed(node.op, _of(node.attributes), _of(node.groups), *kinds, _of(node.run))


def _of(value: Any) -> str:
    """Return the checksum of plain data, of tensors and of the bodies of loops in it."""
    if isinstance(value, LoopBody):
        fed = {key: str(place) for place, key in enumerate(value.inputs)}
        checksums = _Checksums(value.graph, fed)
        return _hashed("body", *(checksums.of(key) for key in value.outputs))
    if tf.is_tensor(value):
        return _of_tensor(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = (_of(getattr(value, each.name)) for each in fields(value))
        return _hashed(type(value).__name__, *parts)
    if isinstance(value, Mapping):
        return _hashed("mapping", *(f"{k} {_of(v)}" for k, v in sorted(value.items())))
    if isinstance(value, list | tuple):
        return _hashed("list", *map(_of, value))
    return _hashed(type(value).__name__, str(value))


def _of_tensor(tensor: Any) -> str:
    array = np.asarray(tensor)
    data = str(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return _hashed(f"{tf.as_dtype(tensor.dtype).name} {array.shape}", hashlib.sha256(data).digest())


def _hashed(*parts: str | bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()
