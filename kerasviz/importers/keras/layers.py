"""Find which tensor of a traced Keras model is the output of which layer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import keras
import tensorflow as tf

from kerasviz.importers.tensorflow.activation_inputs import activation_keys
from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.values import Naming, by_nodes

_MARK = "kerasviz_tap_"


@dataclass(frozen=True)
class Mark:
    """Describe a marked tensor: the path and class of its layer, its index among the outputs."""

    path: str
    output: int
    kind: str

    @property
    def spelling(self) -> str:
        """Return the name of the tensor."""
        return self.path if self.output == 0 else f"{self.path}:{self.output}"


def layer_paths(model: Any) -> list[tuple[str, Any]]:
    """Return all layers and operations inside a model with their paths, nested ones included.

    A layer that is used in two places has the path of the first. Later layers of the same parent
    with the same name get ``_1``, ``_2`` ... .
    """
    paths: list[tuple[str, Any]] = []
    seen = {id(model)}
    taken: set[str] = set()

    def walk(parent: Any, prefix: str) -> None:
        for child in _children(parent):
            if id(child) in seen:
                continue
            seen.add(id(child))
            path = free_name(prefix + child.name, taken)
            taken.add(path)
            paths.append((path, child))
            walk(child, path + "/")

    walk(model, "")
    return paths


def _children(parent: Any) -> Iterator[Any]:
    """Yield the layers of a layer; of a functional model also its operations (``x + y``)."""
    yield from getattr(parent, "operations", ())
    if hasattr(parent, "_flatten_layers"):  # attributes of subclassed layers too
        yield from parent._flatten_layers(include_self=False, recursive=False)


def free_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, or with the first number behind it that makes it free."""
    numbered = (f"{name}_{count}" for count in itertools.count(1))
    return name if name not in taken else next(n for n in numbered if n not in taken)


class TapMarks:
    """Make every layer of a model mark its outputs in the graph being traced, within the block.

    A mark is an identity node with a unique name; it costs nothing later. The layers get their own
    ``call`` back at the end of the block.
    """

    def __init__(self, model: Any):
        self._layers = [("", model), *layer_paths(model)]
        self._saved: list[tuple[Any, bool, Any]] = []
        self._taken = {path for path, _ in self._layers}
        self.by_name: dict[str, Mark] = {}
        #: The name scope of every call, and the path of its layer.
        self.scopes: dict[str, str] = {}

    def __enter__(self) -> Self:
        for path, layer in self._layers:
            attributes = vars(layer)
            self._saved.append((layer, "call" in attributes, attributes.get("call")))
            attributes["call"] = self._marking(path, layer.call, type(layer).__name__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for layer, had, call in self._saved:
            if had:
                vars(layer)["call"] = call
            else:
                vars(layer).pop("call", None)

    def _marking(self, path: str, call: Callable[..., Any], kind: str) -> Callable[..., Any]:
        calls = 0

        def marked(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            name = path if calls == 0 else free_name(path, self._taken)
            calls += 1
            self._taken.add(name)
            self.scopes.setdefault(tf.get_current_name_scope(), name)
            results = call(*args, **kwargs)
            if not path:  # the model itself, whose outputs are named elsewhere
                return results
            flat = [
                self._mark(tensor, Mark(name, index, kind))
                for index, tensor in enumerate(keras.tree.flatten(results))
            ]
            return keras.tree.pack_sequence_as(results, flat)

        return marked

    def _mark(self, tensor: Any, mark: Mark) -> Any:
        if not isinstance(tensor, tf.Tensor) or not tensor.dtype.is_floating:
            return tensor
        name = f"{_MARK}{len(self.by_name)}"
        self.by_name[name] = mark
        marked = tf.identity(tensor, name=name)
        padding = getattr(tensor, "_keras_mask", None)
        if padding is not None:  # a layer may set the mask of its own result
            marked._keras_mask = padding
        return marked


class LayerResults(TapMarks):
    """Collect the results of every layer that runs within the block in ``found``, by path."""

    def __init__(self, model: Any):
        super().__init__(model)
        self.found: dict[str, Any] = {}

    def _mark(self, tensor: Any, mark: Mark) -> Any:
        if tf.is_tensor(tensor):
            self.found.setdefault(mark.spelling, tensor)
        return tensor


def naming_of(marks: TapMarks) -> Callable[[FrozenGraph], Naming]:
    """Return a function that names the values of a frozen model; see ``file.program_of``."""

    def naming(frozen: FrozenGraph) -> Naming:
        names: dict[str, list[str]] = {}
        ops: dict[str, str] = {}
        for node in frozen.nodes.values():
            mark = marks.by_name.get(node.name.rpartition("/")[2])
            key = frozen.source(f"{node.name}:0")
            if mark is not None and key in frozen.live and key not in frozen.broken:
                names.setdefault(key, []).append(mark.spelling)
                ops.setdefault(key, mark.kind)
        return _ordered(frozen, names, ops, marks.scopes)

    return naming


def _ordered(
    frozen: FrozenGraph, names: dict[str, list[str]], ops: dict[str, str], scopes: dict[str, str]
) -> Naming:
    """Add the inputs and outputs of ReLUs and softmaxes, and inputs of other activations.

    All are in the graph's order.
    """
    raw = by_nodes(frozen).names
    bare = _unique_last_parts(names)
    taken = {spelling for spellings in names.values() for spelling in spellings}

    def add(key: str, spelling: str) -> None:
        if key in raw and key not in names:
            names[key] = [free_name(spelling, taken)]
            taken.add(names[key][0])

    for node in frozen.nodes.values():
        if node.op in _SUFFIX and f"{node.name}:0" in raw:
            after = f"{node.name}:0"
            add(after, _by_layer(node.name, scopes))
            add(frozen.source(node.inputs[0]), names[after][0] + _SUFFIX[node.op])
    for after, before in activation_keys(frozen).items():
        if after in names:  # a layer with an activation, such as a GELU
            add(before, names[after][0] + "_pre_activation")
    ordered = {}
    for key in (key for key in raw if key in names):
        spellings = [*names[key], *(bare[s] for s in names[key] if s in bare)]
        ordered[key] = (*spellings, key.rpartition(":")[0])
    return Naming(ordered, ops)


def _by_layer(node: str, scopes: dict[str, str]) -> str:
    """Return a node's name with the path of its layer for the scope of that layer's call."""
    scope = node.rpartition("/")[0]
    while scope and scope not in scopes:
        scope = scope.rpartition("/")[0]
    return f"{scopes.get(scope, '')}/{node.removeprefix(scope).strip('/')}".strip("/")


_SUFFIX = {"Relu": "_pre_relu", "Relu6": "_pre_relu", "Softmax": "_pre_softmax"}


def _unique_last_parts(names: dict[str, list[str]]) -> dict[str, str]:
    """Return ``conv1`` for ``outer/inner/conv1``, where no other path ends in it."""
    paths = [spelling for spellings in names.values() for spelling in spellings]
    count: dict[str, int] = {}
    for path in paths:
        last = path.rsplit("/", 1)[-1]
        count[last] = count.get(last, 0) + 1
    lasts = {path: path.rsplit("/", 1)[-1] for path in paths}
    return {path: last for path, last in lasts.items() if last != path and count[last] == 1}
