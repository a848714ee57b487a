"""Turn a traced graph into a functional Keras model, node by node, with weights in layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.keras.layers import free_name
from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.node import GraphNode, emit
from kerasviz.network.program import PLAIN
from kerasviz.types import Array, Tensor

#: Primes that stand for free lengths in arithmetic with shapes, in two trials.
_TRIALS = ((7919, 6007, 4801, 3607, 2203), (7907, 5987, 4787, 3593, 2179))
_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})


@dataclass(frozen=True)
class Norm:
    """Hold the statistics of a batch normalization in inference."""

    scale: Array
    offset: Array
    mean: Array
    variance: Array
    epsilon: float


@dataclass(frozen=True)
class Symbolic:
    """Hold numbers computed from shapes, in two trials with different free lengths."""

    trials: tuple[Array, Array]

    @property
    def known(self) -> bool:
        """Return whether the numbers are independent of all free lengths."""
        return bool((self.trials[0] == self.trials[1]).all())

    def lengths(self) -> list[int | None]:
        """Return whole numbers, ``None`` where they depend on a free length."""
        pairs = zip(*(t.reshape(-1).tolist() for t in self.trials), strict=True)
        return [int(a) if a == b else None for a, b in pairs]


#: Converts one TensorFlow op to Keras.
Converter = Callable[["Build", GraphNode, list[Any]], Any]
_TABLE: dict[str, Converter] = {}


def converter(*ops: str) -> Callable[[Converter], Converter]:
    """Register a converter of TensorFlow ops."""

    def register(convert: Converter) -> Converter:
        _TABLE.update(dict.fromkeys(ops, convert))
        return convert

    return register


def is_keras(value: Any) -> bool:
    """Return whether the Keras model computes a value, which is no constant and no shape."""
    return isinstance(value, keras.KerasTensor)


@dataclass
class Build:
    """Hold the Keras model while it is built.

    ``names`` maps the keys of tensors to the names of taps (without slashes), ``norms`` to the
    statistics behind them; ``kept`` are the keys of the outputs.
    """

    graph: FrozenGraph
    names: Mapping[str, str]
    norms: Mapping[str, Norm] = field(default_factory=dict)
    tensors: dict[str, Any] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    _users: dict[str, list[GraphNode]] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _settled: set[int] = field(default_factory=set)
    _reserved: frozenset[str] = frozenset()

    def run(self, outputs: Sequence[str]) -> list[Any]:
        """Compute the tensors with the keys ``outputs`` from the fed ones."""
        keys = [self.graph.source(key) for key in outputs]
        self.kept = frozenset(keys)
        self._reserved = frozenset(self.names.values())
        refusal = "no Keras layers for {}; --to saved_model works".format
        nodes = self.graph.needed(keys, self.tensors, refusal)
        self._users.clear()
        for node in nodes:
            for key in dict.fromkeys(map(self.graph.source, node.inputs)):
                self._users.setdefault(key, []).append(node)
        for node in nodes:
            if f"{node.name}:0" not in self.tensors:
                self._convert(node)
        return [self.value(key) for key in keys]

    def _convert(self, node: GraphNode) -> None:
        try:
            if node.op in _SHAPES:
                results = self._shapes(node)
            else:
                values = [self.value(key) for key in node.inputs]
                if not any(is_keras(v) for v in values):
                    results = self._symbolic(node, values)
                elif node.op in _TABLE:
                    results = _TABLE[node.op](self, node, values)
                else:
                    raise self.error(node, "has no counterpart in Keras")
        except (ValueError, TypeError, NotImplementedError) as error:
            raise self.error(
                node, f"cannot be written with Keras ({first_line(error)[:150]})"
            ) from error
        for index, result in enumerate(results if isinstance(results, list | tuple) else [results]):
            key = f"{node.name}:{index}"
            if key not in self.tensors:  # else an earlier node has computed it too
                self.tensors[key] = result
                self._settle(result, key)

    def value(self, key: str) -> Any:
        """Return a tensor of the model, a shape, or a constant as an array."""
        key = self.graph.source(key)
        return self.tensors[key] if key in self.tensors else self.graph.constant(key).numpy()

    def error(self, node: GraphNode, reason: str) -> ModelError:
        """Return an error that names the node by the first tap behind it."""
        return ModelError(f"{self._nearest(node)} {reason}; --to saved_model works")

    def _nearest(self, node: GraphNode) -> str:
        todo, seen = [node], {node.name}
        while todo:
            current = todo.pop(0)
            named = [k for k in range(len(current.outputs)) if f"{current.name}:{k}" in self.names]
            if named:
                tap = self.names[f"{current.name}:{named[0]}"]
                return f"tap {tap!r}: TensorFlow's {node.op}"
            for k in range(len(current.outputs)):
                for user in self._users.get(f"{current.name}:{k}", []):
                    if user.name not in seen:
                        seen.add(user.name)
                        todo.append(user)
        return f"node {node.name!r} ({node.op})"

    # -- names -------------------------------------------------------------------------------

    def name(self, node: GraphNode, suffix: str = "", key: str | None = None) -> str:
        """Return an unused name for the layer that computes a node's first output."""
        tap = self.names.get(key or f"{node.name}:0")
        name = f"{tap}{suffix}" if tap else f"{node.op.lower()}{suffix}"
        return self._free(name, reserved=name != tap)

    def _free(self, base: str, *, reserved: bool = False) -> str:
        """Take the name ``base``, or with a number behind it if it is taken.

        With ``reserved`` the names of taps count as taken.
        """
        name = free_name(base, self._taken | self._reserved if reserved else self._taken)
        self._taken.add(name)
        return name

    def _settle(self, result: Any, key: str) -> None:
        """Name the operations that computed a tensor; the last one is named after its tap.

        Functions of keras.ops take no name. Keras' own names count over all models of a process and
        may be those of taps.
        """
        tap = self.names.get(key)
        todo = [result] if is_keras(result) else []
        while todo:
            tensor = todo.pop()
            operation = tensor._keras_history.operation
            if id(operation) in self._settled:
                continue
            self._settled.add(id(operation))
            if not isinstance(operation, keras.layers.Layer):
                base = re.sub(r"_\d+$", "", operation.name)
                name = tap if tap and tensor is result else f"{tap}.{base}" if tap else base
                operation.name = self._free(name, reserved=name != tap)
            todo += operation._inbound_nodes[0].input_tensors

    def free_name(self, key: str) -> str:
        """Return an unused name for the layer that computes a tensor: that of its tap."""
        tap = self.names.get(key)
        return self._free(tap or "layer", reserved=tap is None)

    def free_base(self, text: str) -> str:
        """Return an unused name that Keras allows, made from a text."""
        base = re.sub(r"[^A-Za-z0-9_.-]", ".", text).strip("._-") or "layer"
        return self._free(base, reserved=True)

    def supply(self, key: str, tensor: Tensor) -> None:
        """Set what a tensor is, in place of the nodes that compute it."""
        self.tensors[key] = tensor
        self._settle(tensor, key)

    def feed(self, key: str, tensor: Tensor) -> None:
        """Replace a tensor by an input of the model, which has its name."""
        self.tensors[key] = tensor
        self._taken.add(tensor.name)
        self._settled.add(id(tensor._keras_history.operation))

    def sole_user(self, key: str) -> GraphNode | None:
        """Return the only node that takes a tensor, unless the tensor is an output."""
        users = self._users.get(key, [])
        return users[0] if len(users) == 1 and key not in self.kept else None

    # -- known shapes ------------------------------------------------------------------------

    def _shapes(self, node: GraphNode) -> list[Symbolic]:
        shapes = []
        for key, (dtype, _) in zip(node.inputs, node.outputs, strict=False):
            value = self.value(key)
            shape = (value.trials[0] if isinstance(value, Symbolic) else value).shape
            trials = []
            for lengths in _TRIALS:
                filled = [lengths[k % 5] if n is None else n for k, n in enumerate(shape)]
                kind = dtype.as_numpy_dtype
                if node.op == "Rank":
                    trials.append(np.asarray(len(filled), kind))
                elif node.op == "Size":
                    trials.append(np.asarray(np.prod(filled), kind))
                else:
                    trials.append(np.asarray(filled, kind))
            shapes.append(Symbolic((trials[0], trials[1])))
        return shapes

    def _symbolic(self, node: GraphNode, values: list[Any]) -> list[Symbolic]:
        """Run a node on the known numbers of shapes, in both trials."""
        if node.op == "Fill" and isinstance(values[0], Symbolic) and not values[0].known:
            raise self.error(node, "fills a tensor of a free size")
        results = []
        for trial in (0, 1):
            inputs = [v.trials[trial] if isinstance(v, Symbolic) else v for v in values]
            results.append([np.asarray(t) for t in emit(node, inputs, PLAIN)])
        return [Symbolic((a, b)) for a, b in zip(*results, strict=True)]

    def numbers(self, node: GraphNode, value: Any) -> Array:
        """Return an argument that must be known: a constant, or a shape without free lengths."""
        if isinstance(value, Symbolic) and value.known:
            return value.trials[0]
        if isinstance(value, Symbolic) or is_keras(value):
            raise self.error(node, "takes an argument that depends on the data or a free size")
        return np.asarray(value)

    def is_batch(self, value: Any) -> bool:
        """Return whether a shape begins with the number of images, which is free."""
        if not isinstance(value, Symbolic):
            return False
        first = [int(trial.reshape(-1)[0]) for trial in value.trials if trial.size]
        return first == [lengths[0] for lengths in _TRIALS]

    def lengths(self, node: GraphNode, value: Any) -> list[int | None]:
        """Return a shape, ``None`` where it is free."""
        if is_keras(value):
            raise self.error(node, "takes a shape that depends on the data")
        if isinstance(value, Symbolic):
            return value.lengths()
        return [int(n) for n in np.reshape(value, -1)]
