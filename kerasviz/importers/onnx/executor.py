"""Run the nodes of one graph: a whole model, or the body of a control-flow node."""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, first_line, near
from kerasviz.importers.mixed_precision import narrowed
from kerasviz.importers.onnx.channel_axes import ChannelAxes, Extent
from kerasviz.importers.onnx.graph import Graph, Node
from kerasviz.importers.onnx.interleaved import (
    interleavable,
    is_pointwise,
    kept_rows,
    rewrapped,
    unwrapped,
    without_interleaving,
)
from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    EmptyOptional,
    Interleaved,
    LayoutTensor,
    OnnxValue,
    Quantized,
    SequenceValue,
    cast,
    channel_axis_last,
    channels_last,
    float_type,
    model_layout,
)
from kerasviz.importers.onnx.quantized_values import run_on_codes, with_layout
from kerasviz.importers.onnx.registry import (
    Call,
    Converter,
    Layout,
    find,
    layout_of,
    reason_unsupported,
    takes_interleaved,
)
from kerasviz.importers.onnx.shape_arithmetic import known_numbers
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.types import Tensor

#: Errors that damaged or contradictory files cause, such as a missing attribute.
FAILURES = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
    tf.errors.OpError,
)

#: Entries that one value may have: a few bytes of a file can ask for any number.
LARGEST = 2**30
#: Entries above which a node is traced first, to learn the size of its outputs.
_SUSPICIOUS = 2**26


@dataclass(frozen=True)
class ExecutableNode:
    """Pair a node with its converter."""

    node: Node
    convert: Converter

    def run(self, call: Call) -> list[OnnxValue | None]:
        """Compute the node's outputs."""
        known = known_numbers(self.convert, call)
        if known is not None:
            return known
        call, interleaved = unwrapped(call)
        result = run_on_codes(self.convert, call)
        results = result if isinstance(result, Sequence) else [result]
        return [rewrapped(output, interleaved) for output in results]


class Scope:
    """Run the nodes of a graph; those that depend on constants only are run once, here.

    ``outer`` are the constants of the surrounding graph. ``left_out`` has the values that cannot be
    computed, each with the reason, because of an operator or of one before it.
    """

    def __init__(self, graph: Graph, outer: MutableMapping[str, OnnxValue] | None = None):
        self.graph = graph
        self.constants: ChainMap[str, OnnxValue] = ChainMap({}, outer or {})
        self.constants.update(graph.constants)
        self.image_like = prefer_channels_last(graph.nodes)
        self.rows: set[str] = set()  # reshaped values whose first axis is that of the images
        self.followed: set[str] = set()  # reshaped values whose channels stay on axis 1
        self.interleavable: set[str] = set()
        self.kept_rows: set[str] = set()
        #: Where values have their channels that are stored in the model's layout, if not last.
        self.axes: Mapping[str, int] = {}
        self.steps: list[ExecutableNode] = []
        self.left_out: dict[str, str] = {}
        self._bodies: dict[int, Scope] = {}
        for node in graph.nodes:
            self._add(node)
        self._index()

    def _add(self, node: Node) -> None:
        reason = self._reason_before(node) or reason_unsupported(node)
        if reason is None and any(name and name not in self.constants for name in node.needs):
            self.steps.append(ExecutableNode(node, find(node)))
        elif reason is None:
            try:
                self._fold(ExecutableNode(node, find(node)))
            except ModelError as error:
                reason = str(error)
        if reason is not None:
            self.left_out.update(dict.fromkeys(filter(None, node.outputs), reason))

    def _reason_before(self, node: Node) -> str | None:
        return next((self.left_out[name] for name in node.needs if name in self.left_out), None)

    def _index(self) -> None:
        nodes = [step.node for step in self.steps]
        self.interleavable = interleavable(nodes, self.constants)
        self.kept_rows = kept_rows(nodes, self.constants)
        self._producers = {o: k for k, s in enumerate(self.steps) for o in s.node.outputs if o}

    def leave_out(self, failures: Mapping[str, str]) -> None:
        """Leave out the nodes that compute some values, given with reasons, and all behind them."""
        self.left_out.update(failures)
        kept = []
        for step in self.steps:
            outputs = list(filter(None, step.node.outputs))
            own = next((failures[name] for name in outputs if name in failures), None)
            reason = own or self._reason_before(step.node)
            if reason is None:
                kept.append(step)
            else:
                self.left_out.update(dict.fromkeys(outputs, reason))
        self.steps = kept
        self._index()

    def run(
        self,
        known: dict[str, OnnxValue],
        names: Sequence[str],
        kernels: Kernels = PLAIN,
        around: MutableMapping[str, OnnxValue] | None = None,
    ) -> list[OnnxValue]:
        """Compute the values ``names`` from ``known`` and from the values ``around`` the graph."""
        known.update({name: self._given(name, x) for name, x in kernels.given.items()})
        visible = ChainMap(known, around or {})
        for step in self._needed(names, visible):
            with explained(step.node), tf.name_scope(scope_name(step.node)):
                self.store(step, step.run(self.call(step.node, visible, kernels)), known)
                for name in kernels.edits.keys() & set(step.node.outputs):
                    known[name] = self._edited(name, visible, kernels)
        return [
            without_interleaving(visible[name] if name in visible else self.constants[name])
            for name in names
        ]

    def _edited(
        self, name: str, known: MutableMapping[str, OnnxValue], kernels: Kernels
    ) -> LayoutTensor:
        """Return what replaces a value, in its layout; a quantized one becomes real numbers."""

        def read(name: str) -> Tensor:
            value = known[name] if name in known else self.constants[name]
            if isinstance(value, Quantized):
                value = LayoutTensor(value.real(), value.channels_last)
            if not isinstance(value, LayoutTensor | Interleaved):
                raise ModelError(f"{name!r} is no tensor that a run could change")
            return channel_axis_last(value, self.axes.get(name))

        edited, value, axis = (
            kernels.edits[name](read(name), read),
            known[name],
            self.axes.get(name),
        )
        if isinstance(value, LayoutTensor) and value.channels_last:
            return LayoutTensor(edited, channels_last=True)
        return _from_last(edited, axis)

    def _given(self, name: str, value: Tensor) -> OnnxValue:
        """Return a value whose channels are last as one of the model, in the layout of a run."""
        return self.preferred_layout(name, _from_last(value, self.axes.get(name)))

    def call(self, node: Node, known: MutableMapping[str, OnnxValue], kernels: Kernels) -> Call:
        """Return the call of a node, with inputs from ``known`` or the constants."""

        def value(name: str) -> OnnxValue:
            entry = known[name] if name in known else self.constants[name]
            if not isinstance(entry, Interleaved) or takes_interleaved(node):
                return entry
            return entry if is_pointwise(node, self.constants) else entry.in_model_layout()

        def body(graph: Graph, values: Sequence[OnnxValue]) -> list[OnnxValue]:
            scope = self._body(graph)
            feeds = dict(zip((i.name for i in graph.inputs), values, strict=False))
            if kernels.compute_dtype is None:
                return scope.run(feeds, graph.outputs, kernels, around=known)
            # A loop's states must keep their types, so bodies run in the model's types.
            wide = {n: cast(v, tf.float32) if is_narrow(v) else v for n, v in known.items()}
            return scope.run(
                feeds, graph.outputs, replace(kernels, compute_dtype=None), around=wide
            )

        def is_narrow(value: OnnxValue) -> bool:
            return bool(float_type(value) == kernels.compute_dtype)

        inputs: Sequence[OnnxValue | None] = [value(n) if n else None for n in node.inputs]
        if kernels.compute_dtype is not None:
            inputs = narrowed(node.op, inputs, kernels.compute_dtype, float_type, cast)
        return Call(
            node,
            tuple(inputs),
            kernels,
            image_like=self._is_image_like(node.outputs),
            interleaves=not self.interleavable.isdisjoint(node.outputs),
            keeps_rows=not self.kept_rows.isdisjoint(node.outputs),
            row_wise=not self.rows.isdisjoint(node.outputs),
            run_body=body,
            run_again=lambda feeds, names: self.run(feeds, names, kernels),
        )

    def _body(self, graph: Graph) -> Scope:
        if id(graph) not in self._bodies:
            scope = Scope(graph, self.constants)
            if scope.left_out:  # a body is run as a whole
                raise ModelError(next(iter(scope.left_out.values())))
            self._bodies[id(graph)] = scope
        return self._bodies[id(graph)]

    def _fold(self, step: ExecutableNode) -> None:
        with explained(step.node), tf.init_scope():  # eagerly, even inside a function's trace
            if _may_be_large(step.node, self.constants):
                self._check_sizes(step)
            outputs = step.run(self.call(step.node, {}, PLAIN))
            for name, result in zip(step.node.outputs, outputs, strict=False):
                if name and result is not None:
                    self.constants[name] = _constant(result)

    def _check_sizes(self, step: ExecutableNode) -> None:
        """Trace a node before it is run, to see how large its outputs would be."""

        def trace() -> None:
            try:
                for output in step.run(self.call(step.node, {}, PLAIN)):
                    check_size(step.node, output)
            except DataDependent:  # only a run knows the sizes
                return

        tf.function(trace, autograph=False).get_concrete_function()

    def _is_image_like(self, names: Sequence[str]) -> bool:
        return not (self.image_like.isdisjoint(names) and self.followed.isdisjoint(names))

    def followed_outputs(
        self, step: ExecutableNode, call: Call, outputs: list[OnnxValue | None], axes: ChannelAxes
    ) -> list[OnnxValue | None]:
        """Follow the channels through a node that was traced to describe the model.

        A reshape or transpose that leaves them on axis 1 is image-like from then on where it can
        store them last without a transpose.
        """
        axes.follow(step.node, [Extent.of(value) for value in outputs])
        plain = [o for o in outputs if isinstance(o, LayoutTensor) and not o.channels_last]
        moves = step.node.op in ("Reshape", "Transpose") and plain and not call.image_like
        if moves and axes.keeps_channels(step.node):
            again = step.run(replace(call, image_like=True))
            if isinstance(again[0], LayoutTensor) and again[0].channels_last:
                self.followed.update(step.node.outputs)
                return again
        return outputs

    def preferred_layout(self, name: str, value: OnnxValue) -> OnnxValue:
        """Store an image-like value with its channels last, once for all nodes that take it."""
        if not isinstance(value, LayoutTensor) or value.channels_last:
            return value
        if self._is_image_like([name]):
            rank = value.tensor.shape.rank
            if rank is not None and rank > 2:
                if isinstance(value, Quantized):
                    return with_layout(value, channels_last, is_last=True)
                return LayoutTensor(channels_last(value), channels_last=True)
        return value

    def store(
        self, step: ExecutableNode, outputs: Sequence[OnnxValue | None], known: dict[str, OnnxValue]
    ) -> None:
        """Add the outputs of a node to the known values."""
        for name, result in zip(step.node.outputs, outputs, strict=False):
            if name and result is not None:
                known[name] = self.preferred_layout(name, result)

    def _needed(
        self, names: Sequence[str], known: MutableMapping[str, OnnxValue]
    ) -> list[ExecutableNode]:
        steps: set[int] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if not name or name in known or name in self.constants:
                continue
            if name in self.left_out:
                raise ModelError(f"{name!r} cannot be computed: {self.left_out[name]}")
            if any(name == entry.name for entry in self.graph.inputs):
                raise UsageError(f"input {name!r} is needed and was not given")
            if name not in self._producers:
                choices = [*self._producers, *(entry.name for entry in self.graph.inputs)]
                raise UsageError(f"unknown value {name!r}; near: {near(name, choices)}")
            index = self._producers[name]
            if index not in steps:
                steps.add(index)
                todo.extend(self.steps[index].node.needs)
        return [self.steps[index] for index in sorted(steps)]


def _from_last(tensor: Tensor, axis: int | None) -> LayoutTensor:
    """Return a tensor whose channels are last in the model's layout, which has them on ``axis``."""
    if axis is None:
        return LayoutTensor(tensor)
    last = tensor.shape.rank - 1
    return LayoutTensor(tf.transpose(tensor, [*range(axis), last, *range(axis, last)]))


def _constant(value: OnnxValue) -> OnnxValue:
    if isinstance(value, SequenceValue):
        return SequenceValue(tuple(_constant(item) for item in value.items))
    if isinstance(value, Constant | EmptyOptional):
        return value
    array = model_layout(value).numpy()  # a scalar text is bytes
    return Constant(np.asarray(array, object if isinstance(array, bytes) else None))


def check_size(node: Node, value: OnnxValue | None) -> None:
    """Raise :class:`ModelError` if the known lengths of a value are too large for the memory."""
    if not isinstance(value, LayoutTensor) or value.tensor.shape.rank is None:
        return
    lengths = [1 if n is None else int(n) for n in value.tensor.shape]
    if math.prod(lengths) > LARGEST:
        raise ModelError(
            f"ONNX node {node}: its output would be {' x '.join(map(str, lengths))}; values of "
            f"more than {LARGEST} entries are not supported"
        )


def _may_be_large(node: Node, constants: MutableMapping[str, OnnxValue]) -> bool:
    """Return whether the inputs of a node may ask for outputs that are much larger.

    It errs on the safe side: no large output is missed.
    """
    size, lengths = 1, 1.0
    for name in node.inputs:
        constant = constants.get(name)
        if not isinstance(constant, Constant) or constant.array.dtype.kind not in "iuf":
            continue
        size *= max(constant.array.size, 1)
        if constant.array.size <= 64:
            lengths *= _growth(constant.array)
    for value in node.attributes.values():
        if isinstance(value, int | float | tuple) and not isinstance(value, bool):
            numbers = [v for v in np.ravel(np.asarray(value, object)) if isinstance(v, int | float)]
            lengths *= _growth(np.array(numbers, np.float64))
    return size * lengths > _SUSPICIOUS


def _growth(numbers: Any) -> float:
    sizes = np.abs(np.nan_to_num(np.asarray(numbers, np.float64)))
    with np.errstate(over="ignore"):
        return float(np.prod(np.maximum(sizes, 1)))


def scope_name(node: Node) -> str:
    """Return the name scope of a node's operations, which graphs and profiles show."""
    name = node.name or next((o for o in node.outputs if o), "")
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{node.op}.{name}")


@contextmanager
def explained(node: Node) -> Iterator[None]:
    """Turn an error of TensorFlow inside a node into one line that names the node."""
    try:
        yield
    except UsageError:
        raise
    except FAILURES as error:
        raise ModelError(f"ONNX node {node} cannot be computed: {first_line(error)}") from error


def prefer_channels_last(nodes: Sequence[Node]) -> set[str]:
    """Return the values to store channels last: convolutions or similar nodes take them.

    Nodes are visited from last to first: an elementwise operation passes the preference on to its
    inputs.
    """
    wanted: set[str] = set()
    for node in reversed(nodes):
        layout = layout_of(node)
        if layout is Layout.IMAGE:
            wanted.update(node.inputs[:1])
        elif layout is Layout.FOLLOWS and wanted.intersection(node.outputs):
            wanted.update(filter(None, node.inputs))
    return wanted
