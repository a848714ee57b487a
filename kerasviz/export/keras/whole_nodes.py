"""Write ONNX nodes that TensorFlow runs as many operations as one layer of Keras.

They are recurrent layers, and resizes by whole factors at any size. Their converters mark the
tensors at their borders by names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kerasviz.errors import ModelError
from kerasviz.export.keras.graph import Build
from kerasviz.export.keras.recurrent import recurrent_layers
from kerasviz.export.keras.upsampling import upsampling_layer
from kerasviz.importers.onnx.executor import scope_name
from kerasviz.importers.tensorflow.frozen_graph import node_name

_LAYERS = {
    **dict.fromkeys(("GRU", "LSTM", "RNN"), recurrent_layers),
    **dict.fromkeys(("Resize", "Upsample"), upsampling_layer),
}


def build_whole_nodes(build: Build, scope: Any, outputs: Iterable[str]) -> None:
    """Add the layers of all such nodes that ``outputs`` (keys) need, in the order of the graph."""
    needed = _nodes_before(build, outputs)
    for step in scope.steps:
        node = step.node
        if node.op in _LAYERS and not node.domain:
            marks = Marks(build, scope_name(node))
            if any(node_name(key) in needed for key in marks.outputs()):
                _LAYERS[node.op](build, marks, node, scope.constants)


class Marks:
    """Find the tensors that a node's converter has marked, by their keys."""

    def __init__(self, build: Build, scope: str):
        self._build, self._scope = build, scope

    def key(self, name: str) -> str | None:
        """Return the key of a marked tensor, ``None`` if the trace has none."""
        key = f"{self._scope}/{name}:0"
        graph = self._build.graph
        return graph.source(key) if key in graph.follow or key in graph.live else None

    def outputs(self) -> list[str]:
        """Return the keys of all marked outputs."""
        keys = [self.key(f"marked_output_{k}") for k in range(3)]
        return [key for key in keys if key is not None]

    def input(self) -> Any:
        """Build what the node needs, and return its input in the Keras model."""
        key = self.key("marked_input")
        if key is None:
            raise ModelError(
                f"{self._scope}: its input depends on no input; --to saved_model works"
            )
        return self._build.run([key])[0]


def _nodes_before(build: Build, keys: Iterable[str]) -> set[str]:
    """Return the names of all nodes that tensors depend on, even those that cannot be written."""
    nodes = build.graph.nodes
    seen: set[str] = set()
    pending = [build.graph.source(key) for key in keys]
    while pending:
        name = node_name(pending.pop())
        if name in nodes and name not in seen:
            seen.add(name)
            pending += [build.graph.source(key) for key in nodes[name].inputs]
    return seen
