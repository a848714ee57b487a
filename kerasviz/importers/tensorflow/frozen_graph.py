"""Hold a frozen TensorFlow graph: which tensors are constant, live or impossible to compute."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.importers.tensorflow.node import GraphNode, emit
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.types import Tensor


@dataclass(frozen=True)
class FrozenGraph:
    """Hold the nodes of a graph, inputs before users, and its constants.

    Tensors are named by keys ``node:k``. ``follow`` maps a copy to its source. ``live`` are the
    tensors that depend on an input, ``broken`` those that cannot be computed, with the reason, and
    ``handles`` the captured variables and lookup tables. Where the graph ``follows``, variables are
    read in every run, not once.
    """

    nodes: dict[str, GraphNode] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    follow: dict[str, str] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)
    handles: dict[str, Tensor] = field(default_factory=dict)
    follows: bool = False

    def source(self, key: str) -> str:
        """Return the tensor that ``key`` is a copy of, or ``key`` itself."""
        while key in self.follow:
            key = self.follow[key]
        return key

    def is_constant(self, key: str) -> bool:
        """Return whether a tensor depends on no input and can be computed."""
        source = self.source(key)
        return not any(source in known for known in (self.live, self.broken, self.handles))

    def needed(
        self, keys: Iterable[str], known: Container[str], refusal: Callable[[str], str]
    ) -> list[GraphNode]:
        """Return the live nodes that ``keys`` depend on, inputs first, up to ``known`` tensors.

        Raises :class:`ModelError` with the ``refusal`` for the reason of a broken tensor.
        """
        seen: set[str] = set()
        pending = list(keys)
        while pending:
            key = self.source(pending.pop())
            name = node_name(key)
            if key in self.broken:
                raise ModelError(refusal(self.broken[key]))
            if name not in seen and key in self.live:
                seen.add(name)
                pending += [] if key in known else self.nodes[name].inputs
        return [node for name, node in self.nodes.items() if name in seen]

    def compute(
        self, fed: Mapping[str, Tensor], keys: Iterable[str], kernels: Kernels
    ) -> list[Tensor]:
        """Compute the tensors ``keys`` from those that are ``fed``."""
        tensors = dict(fed)
        wanted = [self.source(key) for key in keys]

        def tensor(key: str) -> Tensor:
            key = self.source(key)
            return tensors[key] if key in tensors else self.constant(key)

        for node in self.needed(wanted, tensors, "cannot be computed: {}".format):
            if f"{node.name}:0" not in tensors:
                results = emit(node, [tensor(key) for key in node.inputs], kernels)
                tensors.update({f"{node.name}:{k}": result for k, result in enumerate(results)})
        return [tensor(key) for key in wanted]

    def constant(self, key: str) -> Tensor:
        """Compute a tensor that depends on no input, once."""
        with tf.init_scope():
            return self._constant(self.source(key))

    def _constant(self, key: str) -> Tensor:
        pending = [key]
        while pending:
            current = pending[-1]
            if current in self.constants:
                pending.pop()
                continue
            node = self.nodes[node_name(current)]
            sources = [self.source(tensor) for tensor in node.inputs]
            missing = [tensor for tensor in sources if tensor not in self.constants]
            if missing:
                pending += missing
                continue
            results = emit(node, [self.constants[tensor] for tensor in sources], PLAIN)
            for index, result in enumerate(results):
                self.constants[f"{node.name}:{index}"] = result
        return self.constants[key]


def node_name(key: str) -> str:
    """Return the node of a tensor.

    >>> node_name("a/b:1")
    'a/b'
    """
    return key.rpartition(":")[0]
