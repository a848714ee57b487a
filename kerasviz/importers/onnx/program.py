"""Execute an ONNX graph in TensorFlow, channels last, running only the nodes that are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, first_line, near
from kerasviz.importers.onnx.activation_inputs import with_activation_inputs
from kerasviz.importers.onnx.aliases import module_kinds
from kerasviz.importers.onnx.channel_axes import ChannelAxes, Extent
from kerasviz.importers.onnx.describe import (
    shape_by_use,
    takes_channels_first,
    value_of,
    with_aliases,
    with_structure,
    with_tables,
    with_weights,
)
from kerasviz.importers.onnx.element_types import type_of
from kerasviz.importers.onnx.executor import ExecutableNode, Scope, check_size, explained
from kerasviz.importers.onnx.graph import Graph, Input, Node
from kerasviz.importers.onnx.layout import (
    DataDependent,
    EmptyOptional,
    Interleaved,
    LayoutTensor,
    OnnxValue,
    Quantized,
    SequenceValue,
    channel_axis_last,
    model_layout,
)
from kerasviz.importers.onnx.quantized_values import from_codes, with_layout
from kerasviz.importers.onnx.registry import Call
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Value, static_shape
from kerasviz.types import Tensor


class OnnxProgram(Described):
    """Implement :class:`kerasviz.network.program.Program` for an ONNX graph.

    Nodes whose inputs are all constant are computed at once. The others are traced once, with a
    free batch size, to find the shape and the layout of every value. What cannot be computed is
    ``left_out``; :class:`ModelError` is raised if nothing else is left.
    """

    def __init__(self, graph: Graph):
        self._scope = Scope(graph)
        self._outputs = graph.outputs
        ports = {}
        nodes = [step.node for step in self._scope.steps]
        kernels = {n: c.array.shape for n, c in graph.constants.items()}
        for entry in graph.inputs:
            if entry.shape is None and entry.dtype is not None:
                entry = replace(entry, shape=shape_by_use(entry.name, nodes, kernels))
            first = takes_channels_first(entry.name, entry.shape, nodes, self._scope.image_like)
            floats = _as_floats(entry)
            ports[entry.name] = Port(entry.name, entry.dtype, entry.shape, first, as_floats=floats)
        self._inputs: Mapping[str, Port] = MappingProxyType(ports)
        self._values: Mapping[str, Value] = MappingProxyType(self._describe())
        self._left_out = MappingProxyType(self._scope.left_out)
        self._module_kinds = MappingProxyType(module_kinds(nodes))

    def _describe(self) -> dict[str, Value]:
        """Describe all values before a run, with a free number of images where possible."""
        named = {port.shape[0] for port in self._inputs.values() if port.shape} - {None}
        reshapes = any(step.node.op == "Reshape" for step in self._scope.steps)
        while True:
            self._check_rest()
            if reshapes and 1 in named:
                self._traced(free=False)  # records which reshapes keep images apart
            values, failures = self._traced(free=True)
            if failures and named:  # only for the images that the file names
                values, failures = self._traced(free=False)
            if not failures:
                return values
            self._scope.leave_out(failures)

    def _check_rest(self) -> None:
        """Take as outputs what can be computed; raise :class:`ModelError` if that is nothing."""
        scope = self._scope
        if not scope.left_out:
            return
        outputs = [name for name in scope.graph.outputs if name not in scope.left_out]
        if not outputs:  # what the left out nodes would have taken
            known = {name for step in scope.steps for name in step.node.outputs if name}
            lost = [n for n in scope.graph.nodes if scope.left_out.keys() & set(n.outputs)]
            outputs = [name for node in lost for name in node.needs if name in known]
        if not outputs:
            raise ModelError("; ".join(dict.fromkeys(scope.left_out.values())))
        self._outputs = tuple(dict.fromkeys(outputs))

    @property
    def scope(self) -> Scope:
        """Return the nodes and the constants as they are run."""
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

        With ``channels_last`` quantized values are returned as real numbers in float32, which have
        a gradient; without it as the integers of the model. Raises :class:`UsageError` for an
        unknown name or a missing feed.
        """
        known = self._feed(feeds, channels_last)
        values = self._scope.run(known, names, kernels)
        for name, value in zip(names, values, strict=True):
            if channels_last and isinstance(value, SequenceValue | EmptyOptional):
                raise ModelError(f"{name!r} is a sequence or an optional, which has no channels")
        try:
            return {
                n: _as_result(o, channels_last, self._scope.axes.get(n))
                for n, o in zip(names, values, strict=True)
            }
        except tf.errors.OpError as error:  # TensorFlow has no kernel for some transposes
            raise ModelError(f"{', '.join(names)}: {first_line(error)}") from error

    def recompute(self, name: str, inputs: Mapping[str, Any]) -> Any:
        """Compute one value from given arrays of the inputs of its node, in the model's layout.

        Raises :class:`UsageError` if an input that is no constant is missing.
        """
        node = next((s.node for s in self._scope.steps if name in s.node.outputs), None)
        needs = () if node is None else node.needs
        known: dict[str, OnnxValue] = {
            n: LayoutTensor(tf.convert_to_tensor(inputs[n])) for n in needs if n in inputs
        }
        return _as_result(self._scope.run(known, [name])[0], last=False)

    def _feed(self, feeds: Mapping[str, Tensor], last: bool) -> dict[str, OnnxValue]:
        known: dict[str, OnnxValue] = {}
        for name, feed in feeds.items():
            if name not in self._inputs:
                raise UsageError(f"no input {name!r}; inputs: {near(name, self._inputs)}")
            port = self._inputs[name]
            known[name] = self._scope.preferred_layout(name, _as_value(feed, port, last))
        return known

    # -- what is known before a run ----------------------------------------------------------

    def _traced(self, *, free: bool) -> tuple[dict[str, Value], dict[str, str]]:
        """Trace the whole graph once, to find the shapes, layouts and ReLUs of its values.

        Return the values, and those that cannot be computed with the reasons.
        """
        values: dict[str, Value] = {}
        failures: dict[str, str] = {}
        scope = self._scope
        axes = ChannelAxes(scope.constants)
        scope.followed.clear()
        specs = {
            port.name: tf.TensorSpec(self._traced_shape(port, free), port.dtype)
            for port in self._inputs.values()
            if port.shape is not None
        }

        def trace(*feeds: Tensor) -> None:
            known = self._feed(dict(zip(specs, feeds, strict=True)), True)
            unknown = {name for name, port in self._inputs.items() if port.shape is None}
            for name, value in known.items():
                axes.start(name, Extent.of(value))
            for step in scope.steps:
                recorder = _ReluRecorder()
                try:
                    call = self._described(step, known, unknown, recorder, axes)
                except ModelError as error:
                    outputs = list(filter(None, step.node.outputs))
                    failures.update(dict.fromkeys(outputs, str(error)))
                    unknown.update(outputs)
                    continue
                for name in filter(None, step.node.outputs):
                    if (
                        isinstance(known.get(name), LayoutTensor | Interleaved)
                        and name not in unknown
                    ):
                        values[name] = _value(name, step.node, known, axes, recorder.called)
                    else:
                        values[name] = Value(name, step.node.op, None, auxiliary=True)
                if call is None or free or step.node.op != "Reshape":
                    continue
                if _is_one_row(call.inputs[0]):
                    scope.rows.update(step.node.outputs)

        tf.compat.v1.wrap_function(trace, list(specs.values()))
        if failures:
            return values, failures
        self._scope.axes = {name: k for name in values if (k := axes.axis(name)) is not None}
        nodes = [step.node for step in scope.steps]
        described = with_activation_inputs(values, nodes, scope.constants)
        named = with_aliases(described, nodes, self._outputs)
        structured = with_structure(named, nodes, self._inputs)
        weighted = with_weights(structured, scope.graph, nodes)
        return with_tables(weighted, nodes, scope.constants), failures

    def _described(
        self,
        step: ExecutableNode,
        known: dict[str, OnnxValue],
        unknown: set[str],
        recorder: _ReluRecorder,
        axes: ChannelAxes,
    ) -> Call | None:
        """Run a node in a trace; outputs that depend on the data become ``unknown``."""
        call = None
        if unknown.isdisjoint(step.node.needs):
            try:
                with explained(step.node):
                    call = self._scope.call(
                        step.node, known, Kernels(recorder.relu, recorder.relu6)
                    )
                    outputs = self._scope.followed_outputs(step, call, step.run(call), axes)
                    for output in outputs:
                        check_size(step.node, output)
                    self._scope.store(step, outputs, known)
            except ModelError as error:
                if not isinstance(error.__context__, DataDependent):  # TensorFlow drops the cause
                    raise
        unknown.update(n for n in step.node.outputs if n and not _is_known(known.get(n)))
        return call

    def _traced_shape(self, port: Port, free: bool) -> list[int | None]:
        """Return the shape, channels last; with ``free`` for any number of images."""
        shape = list(port.last_shape or ())
        if free and shape and (len(self._inputs) == 1 or port.name in self._scope.image_like):
            shape[0] = None
        return shape


class _ReluRecorder:
    """Record whether a converter called the ReLU."""

    def __init__(self) -> None:
        self.called = False

    def relu(self, x: Tensor) -> Tensor:
        self.called = True
        return tf.nn.relu(x)

    def relu6(self, x: Tensor) -> Tensor:
        self.called = True
        return tf.nn.relu6(x)


def _as_floats(entry: Input) -> bool:
    """Return whether an input of whole numbers may be an image, which is then fed as floats.

    Their gradient passes every node that only moves or converts them.
    """
    whole = entry.dtype is not None and entry.dtype.is_integer
    return whole and entry.shape is not None and len(entry.shape) in (3, 4)


def _is_known(value: OnnxValue | None) -> bool:
    """Return whether the number of axes of a value is known."""
    if isinstance(value, SequenceValue):
        return all(_is_known(item) for item in value.items)
    return value is not None and not (
        isinstance(value, LayoutTensor) and value.tensor.shape.rank is None
    )


def _is_one_row(value: OnnxValue | None) -> bool:
    return (
        isinstance(value, LayoutTensor | Interleaved)
        and value.tensor.shape.rank > 1
        and value.tensor.shape[0] == 1
    )


def _as_value(feed: Any, port: Port, last: bool) -> OnnxValue:
    """Return the value that a feed becomes."""
    if feed is None:
        return EmptyOptional()
    if isinstance(feed, list) and port.shape is None:
        return SequenceValue(tuple(_as_value(item, port, last) for item in feed))
    tensor = port.tensor(feed)
    rank = tensor.shape.rank
    if port.shape is not None and rank is not None and rank != len(port.shape):
        raise UsageError(f"input {port.name!r} has {len(port.shape)} axes, given {rank}")
    value = LayoutTensor(tensor, channels_last=last and port.channels_first)
    if port.dtype in (None, tensor.dtype):
        return value
    return from_codes(value, type_of(tf.zeros([], port.dtype)))  # floats for whole numbers


def _as_result(value: OnnxValue, last: bool, axis: int | None = None) -> Any:
    """Return a value as a tensor, a list for a sequence, or ``None`` for an empty optional.

    With ``last`` the model's ``axis`` of its channels becomes the last.
    """
    if isinstance(value, SequenceValue):
        return [_as_result(item, last) for item in value.items]
    if isinstance(value, EmptyOptional):
        return None
    if isinstance(value, Quantized):
        if not last:
            return with_layout(value, model_layout, is_last=False).tensor
        value = LayoutTensor(value.real(), value.channels_last)
    return channel_axis_last(value, axis) if last else model_layout(value)


def _value(
    name: str, node: Node, known: Mapping[str, OnnxValue], axes: ChannelAxes, rectified: bool
) -> Value:
    stored = known[name]
    assert isinstance(stored, LayoutTensor | Interleaved)
    tensor = channel_axis_last(stored, axes.axis(name))

    def axis_of(key: str) -> int:
        entry = known[key]
        is_last = isinstance(entry, LayoutTensor) and entry.channels_last
        return 1 if is_last else -1 if (axis := axes.axis(key)) is None else axis

    axis = axis_of(name)
    value = value_of(name, node, static_shape(tensor), known, axis=axis)
    if any(axis_of(part) != axis for part in value.parts):
        value = replace(value, parts=())  # their channels are not seen there
    # The ReLU's input has no name in fused operators.
    unfused = rectified and node.op in ("Relu", "Clip")
    auxiliary = not tensor.dtype.is_floating or tensor.shape.rank < 2
    return replace(value, relu_input=node.inputs[0] if unfused else None, auxiliary=auxiliary)
