"""OnnxProgram: an ONNX graph executed in TensorFlow, channels last, running only what is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, first_line, near
from kerasviz.importers.onnx.describe import takes_channels_first, value_of, with_aliases
from kerasviz.importers.onnx.executor import ExecutableNode, Scope, check_size, explained
from kerasviz.importers.onnx.graph import Graph, Node
from kerasviz.importers.onnx.interleaved import planar
from kerasviz.importers.onnx.layout import (
    DataDependent,
    EmptyOptional,
    Interleaved,
    LayoutTensor,
    OnnxValue,
    Quantized,
    SequenceValue,
    model_layout,
)
from kerasviz.importers.onnx.quantized_values import relaid
from kerasviz.importers.onnx.registry import Call
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Value, static_shape
from kerasviz.types import Tensor

__all__ = ["OnnxProgram"]


class OnnxProgram(Described):
    """The :class:`kerasviz.network.program.Program` of an ONNX graph.

    Nodes whose inputs are all constant are computed at once. The others are traced at the
    construction, with free batch size, to find the shape and the layout of every value; a node
    that cannot be computed raises :class:`ModelError` then.
    """

    def __init__(self, graph: Graph):
        self._scope = Scope(graph)
        self._outputs = graph.outputs
        ports = {}
        nodes = [step.node for step in self._scope.steps]
        for given in graph.inputs:
            first = takes_channels_first(given.name, given.shape, nodes, self._scope.image_like)
            ports[given.name] = Port(given.name, given.dtype, given.shape, first)
        self._inputs: Mapping[str, Port] = MappingProxyType(ports)
        self._values: Mapping[str, Value] = MappingProxyType(self._describe())

    def _describe(self) -> dict[str, Value]:
        """What is known of all values before a run, with a free number of images."""
        for_one = [port for port in self._inputs.values() if port.shape and port.shape[0] == 1]
        if not for_one:
            return self._traced(free=True)
        self._traced(free=False)  # notes which reshapes keep the images apart
        try:
            return self._traced(free=True)
        except ModelError:  # it can only be computed for one image
            return self._traced(free=False)

    @property
    def scope(self) -> Scope:
        """The nodes and the constants, as they are run."""
        return self._scope

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute values, constants or inputs by name; see ``Program``.

        With ``channels_last`` quantized values come as the real numbers that they stand for, in
        float32, so that they have a gradient; without it as the whole numbers of the model.
        Raises :class:`UsageError` for an unknown name or a feed that is missing.
        """
        known = self._feed(feeds, channels_last)
        found = self._scope.run(known, names, kernels)
        try:
            return {n: _given(o, channels_last) for n, o in zip(names, found, strict=True)}
        except tf.errors.OpError as error:  # a transpose that TensorFlow has no kernel of
            raise ModelError(f"{', '.join(names)}: {first_line(error)}") from error

    def _feed(self, feeds: Mapping[str, Tensor], last: bool) -> dict[str, OnnxValue]:
        known: dict[str, OnnxValue] = {}
        for name, feed in feeds.items():
            if name not in self._inputs:
                raise UsageError(f"no input {name!r}; inputs: {near(name, self._inputs)}")
            port = self._inputs[name]
            known[name] = self._scope.in_place(name, _taken(feed, port, last))
        return known

    # -- what is known before a run ----------------------------------------------------------

    def _traced(self, *, free: bool) -> dict[str, Value]:
        """Trace the whole graph once, for the shapes, layouts and rectifiers of its values."""
        values: dict[str, Value] = {}
        scope = self._scope
        specs = {
            port.name: tf.TensorSpec(self._traced_shape(port, free), port.dtype)
            for port in self._inputs.values()
            if port.shape is not None
        }

        def trace(*feeds: Tensor) -> None:
            known = self._feed(dict(zip(specs, feeds, strict=True)), True)
            unknown = {name for name, port in self._inputs.items() if port.shape is None}
            for step in scope.steps:
                spy = _Spy()
                call = self._described(step, known, unknown, spy)
                for name in filter(None, step.node.outputs):
                    if (
                        isinstance(known.get(name), LayoutTensor | Interleaved)
                        and name not in unknown
                    ):
                        values[name] = _value(name, step.node, known, spy.called)
                    else:
                        values[name] = Value(name, step.node.op, None)
                if call is None or free or step.node.op != "Reshape":
                    continue
                if _is_one_row(call.inputs[0]):
                    scope.rows.update(step.node.outputs)

        tf.function(trace, autograph=False).get_concrete_function(*specs.values())
        return with_aliases(values, [step.node for step in scope.steps], self._outputs)

    def _described(
        self, step: ExecutableNode, known: dict[str, OnnxValue], unknown: set[str], spy: _Spy
    ) -> Call | None:
        """Run a step in a trace; what depends on data becomes ``unknown``."""
        call = None
        if unknown.isdisjoint(step.node.needs):
            try:
                with explained(step.node):
                    call = self._scope.call(step.node, known, Kernels(spy.relu, spy.relu6))
                    made = step.run(call)
                    for result in made:
                        check_size(step.node, result)
                    self._scope.keep(step, made, known)
            except ModelError as error:
                if not isinstance(error.__context__, DataDependent):  # TensorFlow drops the cause
                    raise
        unknown.update(n for n in step.node.outputs if n and not _is_known(known.get(n)))
        return call

    def _traced_shape(self, port: Port, free: bool) -> list[int | None]:
        """The shape, channels last; ``free``: for any number of images."""
        shape = list(port.last_shape or ())
        if free and shape and (len(self._inputs) == 1 or port.name in self._scope.image_like):
            shape[0] = None
        return shape


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


def _is_known(operand: OnnxValue | None) -> bool:
    """Whether the number of axes of an operand is known."""
    if isinstance(operand, SequenceValue):
        return all(_is_known(item) for item in operand.items)
    return operand is not None and not (
        isinstance(operand, LayoutTensor) and operand.tensor.shape.rank is None
    )


def _is_one_row(operand: OnnxValue | None) -> bool:
    return (
        isinstance(operand, LayoutTensor | Interleaved)
        and operand.tensor.shape.rank > 1
        and operand.tensor.shape[0] == 1
    )


def _taken(feed: Any, port: Port, last: bool) -> OnnxValue:
    """What is fed to an input, as an operand."""
    if feed is None:
        return EmptyOptional()
    if isinstance(feed, list) and port.shape is None:
        return SequenceValue(tuple(_taken(item, port, last) for item in feed))
    tensor = tf.convert_to_tensor(feed, port.dtype)
    rank = tensor.shape.rank
    if port.shape is not None and rank is not None and rank != len(port.shape):
        raise UsageError(f"input {port.name!r} has {len(port.shape)} axes, given {rank}")
    return LayoutTensor(tensor, channels_last=last and port.channels_first)


def _given(operand: OnnxValue, last: bool) -> Any:
    """What a run returns: a tensor, a list for a sequence, ``None`` for an absent optional."""
    if isinstance(operand, SequenceValue):
        return [_given(item, last) for item in operand.items]
    if isinstance(operand, EmptyOptional):
        return None
    if isinstance(operand, Quantized):
        return operand.real() if last else relaid(operand, model_layout, moved=False).tensor
    return operand.tensor if last and isinstance(operand, LayoutTensor) else model_layout(operand)


def _value(name: str, node: Node, known: Mapping[str, OnnxValue], rectified: bool) -> Value:
    laid = planar(known[name])
    assert isinstance(laid, LayoutTensor)
    value = value_of(name, node, static_shape(laid.tensor), known, moved=laid.channels_last)
    alone = rectified and node.op in ("Relu", "Clip")  # in fused operators it has no name
    return replace(value, relu_input=node.inputs[0] if alone else None)
