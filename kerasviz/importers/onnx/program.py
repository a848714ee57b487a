"""OnnxProgram: an ONNX graph executed in TensorFlow, channels last, running only what is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, near
from kerasviz.importers.onnx.axes import softmax_axes
from kerasviz.importers.onnx.graph import Graph, Node
from kerasviz.importers.onnx.layout import Constant, Laid, Operand, channels_last, own, to_last
from kerasviz.importers.onnx.registry import Call, Converter, Layout, find, layout_of
from kerasviz.program import PLAIN, Port, Rectifier, Value

__all__ = ["OnnxProgram"]

Tensor = Any


@dataclass(frozen=True)
class _Step:
    """A node with its converter."""

    node: Node
    convert: Converter

    def run(self, call: Call) -> list[Operand | None]:
        """The node's outputs; constants where all inputs are."""
        if any(isinstance(operand, Laid) for operand in call.inputs):
            made = self.convert(call)
            return [made] if isinstance(made, Laid) else list(made)
        with tf.init_scope():  # eagerly, even while a function is being traced
            made = self.convert(call)
            results = [made] if isinstance(made, Laid) else list(made)
            return [None if r is None else Constant(own(r).numpy()) for r in results]


class OnnxProgram:
    """The :class:`kerasviz.program.Program` of an ONNX graph.

    Nodes whose inputs are all constant are computed at once. The others are traced at the
    construction, with free batch size, to find the shape and the layout of every value; a node
    that cannot be computed raises :class:`ModelError` then.
    """

    def __init__(self, graph: Graph):
        self._constants: dict[str, Constant] = dict(graph.constants)
        self._steps: list[_Step] = []
        self._image_like = _image_like(graph.nodes)
        self._rows: set[str] = set()  # reshaped values whose first axis is that of the images
        for node in graph.nodes:
            step = _Step(node, find(node))
            if all(not name or name in self._constants for name in node.inputs):
                self._fold(step)
            else:
                self._steps.append(step)
        self._makers = {o: k for k, s in enumerate(self._steps) for o in s.node.outputs if o}
        self._outputs = graph.outputs
        ports = {}
        for given in graph.inputs:
            first = len(given.shape) >= 3 and self._channels_first(given.name, given.shape)
            ports[given.name] = Port(given.name, given.dtype, given.shape, first)
        self._inputs: Mapping[str, Port] = MappingProxyType(ports)
        self._values: Mapping[str, Value] = MappingProxyType(self._describe())

    def _describe(self) -> dict[str, Value]:
        """What is known of all values before a run, with a free number of images."""
        for_one = [port for port in self._inputs.values() if port.shape and port.shape[0] == 1]
        if not for_one:
            return self._traced(free=True)
        alone = self._traced(free=False)  # notes which reshapes keep the images apart
        try:
            return self._traced(free=True)
        except ModelError:  # it can only be computed for one image
            return alone

    @property
    def inputs(self) -> Mapping[str, Port]:
        """The inputs in the model's own layout."""
        return self._inputs

    @property
    def outputs(self) -> Sequence[str]:
        """The names of the model's outputs."""
        return self._outputs

    @property
    def values(self) -> Mapping[str, Value]:
        """Every computed tensor that is not constant, in the order of the graph."""
        return self._values

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        rectifier: Rectifier = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute values, constants or inputs by name; see :class:`kerasviz.program.Program`.

        Raises :class:`UsageError` for an unknown name or a feed that is missing.
        """
        known = self._feed(feeds, channels_last)
        for step in self._needed(names, known):
            self._keep(step, step.run(self._call(step.node, known, rectifier)), known)
        results = {}
        for name in names:
            found = known.get(name) or self._constants[name]
            results[name] = _stored(found) if channels_last else own(found)
        return results

    def _fold(self, step: _Step) -> None:
        with _explained(step.node):
            made = step.run(self._call(step.node, {}, PLAIN))
        for name, result in zip(step.node.outputs, made, strict=False):
            if name and isinstance(result, Constant):
                self._constants[name] = result

    def _call(self, node: Node, known: Mapping[str, Operand], rectifier: Rectifier) -> Call:
        inputs = [known.get(n) or self._constants[n] if n else None for n in node.inputs]
        return Call(
            node,
            tuple(inputs),
            rectifier,
            image_like=not self._image_like.isdisjoint(node.outputs),
            row_wise=not self._rows.isdisjoint(node.outputs),
        )

    def _feed(self, feeds: Mapping[str, Tensor], last: bool) -> dict[str, Operand]:
        known: dict[str, Operand] = {}
        for name, feed in feeds.items():
            if name not in self._inputs:
                raise UsageError(f"no input {name!r}; inputs: {near(name, self._inputs)}")
            port = self._inputs[name]
            tensor = tf.convert_to_tensor(feed, port.dtype)
            laid = Laid(tensor, moved=last and port.channels_first)
            known[name] = self._in_place(name, laid)
        return known

    def _in_place(self, name: str, operand: Operand) -> Operand:
        """Move an image-like value that is not, once for all that take it."""
        if name in self._image_like and isinstance(operand, Laid) and not operand.moved:
            rank = operand.tensor.shape.rank
            if rank is not None and rank > 2:
                return Laid(channels_last(operand), moved=True)
        return operand

    def _keep(self, step: _Step, made: Sequence[Operand | None], known: dict[str, Operand]) -> None:
        for name, result in zip(step.node.outputs, made, strict=False):
            if name and result is not None:
                known[name] = self._in_place(name, result)

    def _needed(self, names: Sequence[str], known: Mapping[str, Operand]) -> list[_Step]:
        steps: set[int] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if not name or name in known or name in self._constants:
                continue
            if name in self._inputs:
                raise UsageError(f"input {name!r} is needed and was not given")
            if name not in self._makers:
                choices = [*self._makers, *self._inputs]
                raise UsageError(f"unknown value {name!r}; near: {near(name, choices)}")
            index = self._makers[name]
            if index not in steps:
                steps.add(index)
                todo.extend(self._steps[index].node.inputs)
        return [self._steps[index] for index in sorted(steps)]

    # -- what is known before a run ----------------------------------------------------------

    def _channels_first(self, name: str, shape: tuple[int | None, ...]) -> bool:
        """Whether an input of rank 3 or more has its channels on axis 1.

        It has if convolutions and their like are what it feeds. Otherwise it is taken so for rank
        4, unless it is transposed first or its shape has 1 to 4 channels at its end only.
        """
        if name in self._image_like:
            return True
        if len(shape) != 4:
            return False
        few = [n is not None and n <= 4 for n in (shape[1], shape[3])]
        if few[0] != few[1]:
            return few[0]
        takers = self._first_takers(name)
        return not any(node.op == "Transpose" for node in takers)

    def _first_takers(self, name: str) -> list[Node]:
        """The first nodes after ``name`` that do something with its axes."""
        reached, takers = {name}, []
        for step in self._steps:
            if reached.intersection(step.node.inputs):
                if layout_of(step.node) is Layout.FOLLOWS:
                    reached.update(step.node.outputs)
                else:
                    takers.append(step.node)
        return takers

    def _traced(self, *, free: bool) -> dict[str, Value]:
        """Trace the whole graph once, for the shapes, layouts and rectifiers of its values."""
        values: dict[str, Value] = {}

        def trace(*feeds: Tensor) -> None:
            known = self._feed(dict(zip(self._inputs, feeds, strict=True)), True)
            for step in self._steps:
                spy = _Spy()
                with _explained(step.node):
                    call = self._call(step.node, known, Rectifier(spy.relu, spy.relu6))
                    self._keep(step, step.run(call), known)
                if not free and step.node.op == "Reshape" and _is_one_row(call.inputs[0]):
                    self._rows.update(step.node.outputs)
                for name in filter(None, step.node.outputs):
                    if isinstance(known.get(name), Laid):
                        values[name] = _value(name, step.node, known, spy.called)

        specs = [
            tf.TensorSpec(self._traced_shape(port, free), port.dtype)
            for port in self._inputs.values()
        ]
        tf.function(trace, autograph=False).get_concrete_function(*specs)
        return _with_aliases(values, [step.node for step in self._steps])

    def _traced_shape(self, port: Port, free: bool) -> list[int | None]:
        """The shape, channels last; ``free``: for any number of images."""
        shape = list(port.shape)
        if free and shape and (len(self._inputs) == 1 or port.name in self._image_like):
            shape[0] = None
        return [shape[a] for a in to_last(len(shape))] if port.channels_first else shape


class _Spy:
    """Notes whether a converter called the rectifier."""

    def __init__(self) -> None:
        self.called = False

    def relu(self, x: Tensor) -> Tensor:
        self.called = True
        return tf.nn.relu(x)

    def relu6(self, x: Tensor) -> Tensor:
        self.called = True
        return tf.nn.relu6(x)


@contextmanager
def _explained(node: Node) -> Iterator[None]:
    """Turn an error of TensorFlow inside a node into one line that names the node."""
    try:
        yield
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"ONNX node {node} cannot be computed: {reason}") from error


def _is_one_row(operand: Operand | None) -> bool:
    return (
        isinstance(operand, Laid) and operand.tensor.shape.rank > 1 and operand.tensor.shape[0] == 1
    )


def _stored(operand: Operand) -> Tensor:
    return operand.tensor() if isinstance(operand, Constant) else operand.tensor


def _image_like(nodes: Sequence[Node]) -> set[str]:
    """The values that are best kept channels last: those that convolutions and their like take.

    Found from the end to the start: an elementwise operation passes the wish on to its inputs.
    """
    wanted: set[str] = set()
    for node in reversed(nodes):
        layout = layout_of(node)
        if layout is Layout.IMAGE:
            wanted.add(node.inputs[0])
        elif layout is Layout.FOLLOWS and wanted.intersection(node.outputs):
            wanted.update(filter(None, node.inputs))
    return wanted


def _value(name: str, node: Node, known: Mapping[str, Operand], rectified: bool) -> Value:
    laid = known[name]
    assert isinstance(laid, Laid)
    rank = laid.tensor.shape.rank
    shape = None if rank is None else tuple(laid.tensor.shape.as_list())
    parts: tuple[str, ...] = ()
    softmax_input = None
    if rank is not None and rank > 1:
        channel_axis = 1 if laid.moved else rank - 1
        if node.op == "Concat" and all(n in known for n in node.inputs):
            axis = node.attributes.get("axis", 1)
            parts = node.inputs if axis % rank == channel_axis else ()
        if node.op in ("Softmax", "LogSoftmax") and node.inputs[0] in known:
            own_shape = laid.tensor.shape.as_list()
            if laid.moved:
                own_shape.insert(1, own_shape.pop())
            axes = softmax_axes(node, rank)
            if channel_axis in axes and all(own_shape[a] == 1 for a in axes if a != channel_axis):
                softmax_input = node.inputs[0]
    return Value(
        name=name,
        op=node.op,
        shape=shape,
        relu_input=node.inputs[0] if rectified else None,
        softmax_input=softmax_input,
        parts=parts,
    )


def _with_aliases(values: Mapping[str, Value], nodes: Sequence[Node]) -> dict[str, Value]:
    """Give the first output of every node the node's name as an alias, where it is unambiguous."""
    named: dict[str, list[str]] = {}
    for node in nodes:
        outputs = [o for o in node.outputs if o in values]
        if node.name and node.name not in values and outputs:
            named.setdefault(node.name, []).append(outputs[0])
    aliases = {found[0]: name for name, found in named.items() if len(found) == 1}
    return {
        name: Value(**{**vars(value), "aliases": (aliases[name],) if name in aliases else ()})
        for name, value in values.items()
    }
