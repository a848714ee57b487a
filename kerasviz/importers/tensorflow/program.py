"""Run a frozen TensorFlow graph by running its nodes again, as far as needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, near
from kerasviz.importers.mixed_precision import narrowed
from kerasviz.importers.tensorflow.channels_last import with_channels_last
from kerasviz.importers.tensorflow.contents import contents_of
from kerasviz.importers.tensorflow.frozen_graph import FrozenGraph
from kerasviz.importers.tensorflow.graph_reader import read_graph
from kerasviz.importers.tensorflow.layouts import to_first, to_last
from kerasviz.importers.tensorflow.node import GraphNode, emit
from kerasviz.importers.tensorflow.values import Naming, values_of
from kerasviz.importers.tensorflow.whole_numbers import carries, float_inputs, only_converted
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Value, static_shape
from kerasviz.types import Tensor


class GraphProgram(Described):
    """Implement :class:`kerasviz.network.program.Program` for a :class:`FrozenGraph`.

    Tensors that depend on no input are computed once; ``compute`` runs the other ancestors of the
    wanted values. The graph itself is channels last; ``first`` are the tensors that the file has
    channels first.
    """

    def __init__(
        self,
        graph: FrozenGraph,
        inputs: Mapping[str, tuple[Port, str]],
        outputs: Mapping[str, str],
        values: Mapping[str, Value],
        keys: Mapping[str, str],
        first: frozenset[str] = frozenset(),
    ):
        self._graph = graph
        self._fed = {name: key for name, (_, key) in inputs.items()}
        self._keys = dict(keys)
        self._first = first
        self._inputs = {name: port for name, (port, _) in inputs.items()}
        self._outputs = tuple(outputs)
        self._values = dict(values)
        before = {v.softmax_input for v in values.values() if v.softmax_input in keys}
        self._cast: dict[tuple[str, Any], Tensor] = {}
        self._heads = {*outputs.values(), *(keys[str(name)] for name in before)}

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute values by name or alias; see :meth:`kerasviz.network.program.Program.compute`.

        Raises :class:`UsageError` for unknown names and missing feeds, ``ValueError`` with the
        node where the shapes do not fit, :class:`ModelError` where an op cannot run.
        """
        wanted = {name: self._source(name) for name in names}
        tensors: dict[str, Tensor] = {}
        for name, tensor in feeds.items():
            if name not in self._fed:
                raise UsageError(f"no input {name!r}; inputs: {', '.join(self._inputs)}")
            tensor = self._inputs[name].tensor(tensor)
            key = self._fed[name]
            is_first = key in self._first and not channels_last
            tensors[key] = tf.transpose(tensor, to_last(tensor.shape.rank)) if is_first else tensor
        carried = {  # floats that stand for whole numbers
            key
            for n, key in self._fed.items()
            if n in feeds and not self._has_type(n, tensors[key])
        }
        given = {self._source(name): value for name, value in kernels.given.items()}
        tensors.update(given)
        fed = {*self._fed.values(), *given}
        edits = {self._source(name): edit for name, edit in kernels.edits.items()}
        for node in self._graph.needed(wanted.values(), fed, "cannot be computed: {}".format):
            if f"{node.name}:0" in tensors:
                continue
            missing = [name for name, key in self._fed.items() if key == f"{node.name}:0"]
            if missing:
                raise UsageError(f"no tensor given for input {missing[0]!r}")
            inputs = self._inputs_of(node, tensors, kernels.compute_dtype)
            outputs = self._emitted(node, inputs, kernels, carried)
            tensors.update({f"{node.name}:{k}": result for k, result in enumerate(outputs)})
            for key in edits.keys() & {f"{node.name}:{k}" for k in range(len(outputs))}:
                tensors[key] = edits[key](
                    tensors[key], lambda name: self._tensor(self._source(name), tensors)
                )
        results = {name: self._tensor(key, tensors) for name, key in wanted.items()}
        self._check_rows(results, tensors)
        if channels_last or not self._first:
            return results
        return {
            name: tf.transpose(t, to_first(t.shape.rank)) if wanted[name] in self._first else t
            for name, t in results.items()
        }

    def _source(self, name: str) -> str:
        """Return the tensor of the graph that a value is, by its name or alias."""
        if name not in self._keys:
            raise UsageError(f"no value {name!r}; near: {near(name, self._values)}")
        return self._graph.source(self._keys[name])

    def contents(self) -> str:
        """Return a SHA-256 of structure, weights and names, the same in memory and in a file."""
        ports = enumerate(self._inputs.items())
        fed = {self._fed[n]: f"{place} {p.dtype.name} {p.shape}" for place, (n, p) in ports}
        return contents_of(self._graph, fed, {name: self._keys[name] for name in self._values})

    def _has_type(self, name: str, tensor: Tensor) -> bool:
        return bool(tensor.dtype == self._inputs[name].dtype)

    def _emitted(
        self, node: GraphNode, inputs: list[Tensor], kernels: Kernels, carried: set[str]
    ) -> list[Tensor]:
        """Run a node; ``carried`` gets those of its outputs that are floats for whole numbers."""
        floats = float_inputs(self._graph, node, inputs, carried) if carried else None
        if floats is None:
            return emit(node, inputs, kernels)
        carried.update(f"{node.name}:{k}" for k in range(len(node.outputs)) if carries(node, k))
        return floats if node.op == "Cast" and carries(node, 0) else emit(node, floats, kernels)

    def _inputs_of(
        self, node: GraphNode, tensors: Mapping[str, Tensor], narrow: Any
    ) -> list[Tensor]:
        if narrow is None:
            return [self._tensor(key, tensors) for key in node.inputs]

        def cast(pair: tuple[str, Tensor], dtype: Any) -> tuple[str, Tensor]:
            key, tensor = pair
            if key in tensors:
                return key, tf.cast(tensor, dtype)
            if (key, dtype) not in self._cast:
                with tf.init_scope():  # constants are cast once for all traces
                    self._cast[key, dtype] = tf.cast(tensor, dtype)
            return key, self._cast[key, dtype]

        pairs = [(self._graph.source(key), self._tensor(key, tensors)) for key in node.inputs]
        results = narrowed(node.op, pairs, narrow, lambda pair: pair[1].dtype, cast)
        return [tensor for _, tensor in results]

    def _check_rows(self, results: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
        """Raise ``ValueError`` where a head mixes up the images of a batch.

        A head that flattens to a fixed width turns a larger image into several rows.
        """
        fed = [tensors[key] for key in self._fed.values() if key in tensors]
        batches = {tensor.shape[0] for tensor in fed if tensor.shape.rank == 4}
        for name, result in results.items():
            if self._keys[name] in self._heads and result.shape.rank == 2 and len(batches) == 1:
                rows, batch = result.shape[0], next(iter(batches))
                if None not in (rows, batch) and rows != batch:
                    raise ValueError(
                        f"{name} has {rows} rows for {batch} images: its size is not the one that "
                        "the network was made for"
                    )

    def _tensor(self, key: str, tensors: Mapping[str, Tensor]) -> Tensor:
        key = self._graph.source(key)
        return tensors[key] if key in tensors else self._graph.constant(key)


def program_over(
    graph: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    naming: Callable[[FrozenGraph], Naming] | None = None,
    batches: Mapping[str, int | None] | None = None,
    states: Mapping[str, Tensor] | None = None,
    follows: bool = False,
) -> GraphProgram:
    """Make the program of a frozen ``tf.Graph``.

    ``inputs`` and ``outputs`` map names to tensors of ``graph``; ``naming`` names the values, by
    default after their nodes; ``batches`` are the numbers of images that the file names, ``states``
    the variables and tables that are nodes of the graph. A program that ``follows`` computes with
    the contents of its variables at the time of each run. An output that cannot be computed is
    dropped, since it may be a summary or a label. If none is left, :class:`ModelError` names the
    nodes that are the reason.
    """
    fed = {name: tensor.name for name, tensor in inputs.items()}
    frozen = read_graph(graph, fed.values(), states, follows)
    first = with_channels_last(frozen, fed.values())
    reasons = [
        frozen.broken[tensor.name] for tensor in outputs.values() if tensor.name in frozen.broken
    ]
    outputs = {n: tensor for n, tensor in outputs.items() if tensor.name not in frozen.broken}
    if not outputs:
        raise ModelError(f"not supported: {'; '.join(dict.fromkeys(reasons))}")
    ends = [tensor.name for tensor in outputs.values()]
    ports = {
        name: (
            replace(
                _port(name, tensor, frozen, ends, (batches or {}).get(name)),
                channels_first=tensor.name in first,
            ),
            tensor.name,
        )
        for name, tensor in inputs.items()
    }
    values, keys = values_of(frozen, fed, {n: t.name for n, t in outputs.items()}, naming)
    names = _output_names(outputs, values, keys, frozen)
    program = GraphProgram(frozen, ports, names, values, keys, first)
    if any(value.shape is None or value.shape[-1:] == (None,) for value in values.values()):
        known = _with_shapes(program)
        program = GraphProgram(frozen, ports, names, known, keys, first)
    return program


def _with_shapes(program: GraphProgram) -> dict[str, Value]:
    """Return the values with the shapes of a trace, which knows what follows from constants."""
    values = program.values
    specs = {name: tf.TensorSpec(p.last_shape, p.dtype) for name, p in program.inputs.items()}
    traced = tf.function(
        lambda feeds: program.compute(feeds, list(values)), autograph=False
    ).get_concrete_function(specs)
    shapes = {name: static_shape(t) for name, t in traced.structured_outputs.items()}
    return {
        name: value if shapes[name] is None else replace(value, shape=shapes[name])
        for name, value in values.items()
    }


def _output_names(
    outputs: Mapping[str, Any],
    values: Mapping[str, Value],
    keys: dict[str, str],
    frozen: FrozenGraph,
) -> dict[str, str]:
    """Return the outputs by their names, or by their values' names where those are taken."""
    by_key = {frozen.source(keys[name]): name for name in reversed(list(values))}
    names = {}
    for name, tensor in outputs.items():
        key = frozen.source(tensor.name)
        if frozen.source(keys.setdefault(name, key)) != key:
            name = by_key.get(key, tensor.name)
            keys.setdefault(name, key)
        names[name] = key
    return names


def _shape_by_use(key: str, graph: FrozenGraph) -> tuple[int | None, ...] | None:
    """Return the shape of an input whose number of axes is free, if a convolution takes it."""
    for node in graph.nodes.values():
        if node.op == "Conv2D" and graph.source(node.inputs[0]) == graph.source(key):
            kernel = graph.source(node.inputs[1])
            if kernel not in graph.live and kernel not in graph.broken:
                return None, None, None, int(graph.constant(kernel).shape[2])
    return None


def _port(
    name: str, tensor: Any, graph: FrozenGraph, outputs: list[str], batch: int | None
) -> Port:
    """Return an input; whole numbers that the graph only converts may be fed as floats."""
    shape = static_shape(tensor)
    if shape is None:
        shape = _shape_by_use(tensor.name, graph)
    may_be_image = tensor.dtype.is_integer and shape is not None and len(shape) in (3, 4)
    floats = may_be_image and only_converted(graph, tensor.name, outputs)
    return Port(name, tensor.dtype, shape, named_batch=batch, as_floats=floats)
