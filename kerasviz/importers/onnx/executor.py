"""Scope: the nodes of one graph, a whole model or the body of a control-flow node, ready to run."""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, first_line, near
from kerasviz.importers.mixed_precision import narrowed
from kerasviz.importers.onnx.graph import Graph, Node
from kerasviz.importers.onnx.interleaved import (
    closed,
    interleavable,
    is_pointwise,
    kept_rows,
    opened,
    planar,
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
    channels_last,
    float_type,
    model_layout,
)
from kerasviz.importers.onnx.quantized_values import relaid, run_on_codes
from kerasviz.importers.onnx.registry import (
    Call,
    Converter,
    Layout,
    find,
    layout_of,
    takes_interleaved,
)
from kerasviz.network.program import PLAIN, Kernels

__all__ = [
    "FAILURES",
    "ExecutableNode",
    "Scope",
    "check_size",
    "explained",
    "prefer_channels_last",
    "scope_name",
]


#: What is raised where a file says what makes no sense: a wrong type, an attribute that is missing.
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

#: Entries that one value may have. A file can ask for any number of them in a few bytes.
LARGEST = 2**30
_SUSPICIOUS = 2**26


@dataclass(frozen=True)
class ExecutableNode:
    """A node with its converter."""

    node: Node
    convert: Converter

    def run(self, call: Call) -> list[OnnxValue | None]:
        """The node's outputs."""
        call, given = opened(call)
        made = run_on_codes(self.convert, call)
        results = made if isinstance(made, Sequence) else [made]
        return [closed(result, given) for result in results]


class Scope:
    """Runs nodes, and computes those that depend on constants only once, when it is made.

    ``outer`` are the constants that the nodes around this graph see.
    """

    def __init__(self, graph: Graph, outer: MutableMapping[str, OnnxValue] | None = None):
        self.graph = graph
        self.constants: ChainMap[str, OnnxValue] = ChainMap({}, outer or {})
        self.constants.update(graph.constants)
        self.image_like = prefer_channels_last(graph.nodes)
        self.rows: set[str] = set()  # reshaped values whose first axis is that of the images
        self.interleavable: set[str] = set()
        self.kept_rows: set[str] = set()
        self.steps: list[ExecutableNode] = []
        self._bodies: dict[int, Scope] = {}
        for node in graph.nodes:
            step = ExecutableNode(node, find(node))
            if all(not name or name in self.constants for name in node.needs):
                self._fold(step)
            else:
                self.steps.append(step)
        nodes = [step.node for step in self.steps]
        self.interleavable = interleavable(nodes, self.constants)
        self.kept_rows = kept_rows(nodes, self.constants)
        self._makers = {o: k for k, s in enumerate(self.steps) for o in s.node.outputs if o}

    def run(
        self,
        known: dict[str, OnnxValue],
        names: Sequence[str],
        kernels: Kernels = PLAIN,
        around: MutableMapping[str, OnnxValue] | None = None,
    ) -> list[OnnxValue]:
        """The values ``names``, computed from ``known`` and what the graph ``around`` knows."""
        seen = ChainMap(known, around or {})
        for step in self._needed(names, seen):
            with explained(step.node), tf.name_scope(scope_name(step.node)):
                self.keep(step, step.run(self.call(step.node, seen, kernels)), known)
        return [planar(seen[name] if name in seen else self.constants[name]) for name in names]

    def call(self, node: Node, known: MutableMapping[str, OnnxValue], kernels: Kernels) -> Call:
        """A node's call with its inputs out of ``known`` or the constants."""

        def value(name: str) -> OnnxValue:
            found = known[name] if name in known else self.constants[name]
            if not isinstance(found, Interleaved) or takes_interleaved(node):
                return found
            return found if is_pointwise(node, self.constants) else found.planar()

        def body(graph: Graph, operands: Sequence[OnnxValue]) -> list[OnnxValue]:
            scope = self._body(graph)
            feeds = dict(zip((i.name for i in graph.inputs), operands, strict=False))
            if kernels.compute_dtype is None:
                return scope.run(feeds, graph.outputs, kernels, around=known)
            # What goes round in a loop must keep its type: bodies are in the model's own.
            wide = {n: cast(v, tf.float32) if is_narrow(v) else v for n, v in known.items()}
            return scope.run(
                feeds, graph.outputs, replace(kernels, compute_dtype=None), around=wide
            )

        def is_narrow(found: OnnxValue) -> bool:
            return bool(float_type(found) == kernels.compute_dtype)

        inputs: Sequence[OnnxValue | None] = [value(n) if n else None for n in node.inputs]
        if kernels.compute_dtype is not None:
            inputs = narrowed(node.op, inputs, kernels.compute_dtype, float_type, cast)
        return Call(
            node,
            tuple(inputs),
            kernels,
            image_like=not self.image_like.isdisjoint(node.outputs),
            interleaves=not self.interleavable.isdisjoint(node.outputs),
            keeps_rows=not self.kept_rows.isdisjoint(node.outputs),
            row_wise=not self.rows.isdisjoint(node.outputs),
            run_body=body,
            run_again=lambda given, names: self.run(given, names, kernels),
        )

    def _body(self, graph: Graph) -> Scope:
        if id(graph) not in self._bodies:
            self._bodies[id(graph)] = Scope(graph, self.constants)
        return self._bodies[id(graph)]

    def _fold(self, step: ExecutableNode) -> None:
        with explained(step.node), tf.init_scope():  # eagerly, even inside a function's trace
            if _may_be_large(step.node, self.constants):
                self._check_sizes(step)
            made = step.run(self.call(step.node, {}, PLAIN))
            for name, result in zip(step.node.outputs, made, strict=False):
                if name and result is not None:
                    self.constants[name] = _constant(result)

    def _check_sizes(self, step: ExecutableNode) -> None:
        """Trace a step before it is run, to see how large its outputs would be."""

        def trace() -> None:
            try:
                for made in step.run(self.call(step.node, {}, PLAIN)):
                    check_size(step.node, made)
            except DataDependent:  # how large they are is known in the run only
                return

        tf.function(trace, autograph=False).get_concrete_function()

    def in_place(self, name: str, operand: OnnxValue) -> OnnxValue:
        """Move an image-like value that is not, once for all that take it."""
        if (
            name in self.image_like
            and isinstance(operand, LayoutTensor)
            and not operand.channels_last
        ):
            rank = operand.tensor.shape.rank
            if rank is not None and rank > 2:
                if isinstance(operand, Quantized):
                    return relaid(operand, channels_last, moved=True)
                return LayoutTensor(channels_last(operand), channels_last=True)
        return operand

    def keep(
        self, step: ExecutableNode, made: Sequence[OnnxValue | None], known: dict[str, OnnxValue]
    ) -> None:
        """Note what a step has made."""
        for name, result in zip(step.node.outputs, made, strict=False):
            if name and result is not None:
                known[name] = self.in_place(name, result)

    def _needed(
        self, names: Sequence[str], known: MutableMapping[str, OnnxValue]
    ) -> list[ExecutableNode]:
        steps: set[int] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if not name or name in known or name in self.constants:
                continue
            if any(name == given.name for given in self.graph.inputs):
                raise UsageError(f"input {name!r} is needed and was not given")
            if name not in self._makers:
                choices = [*self._makers, *(given.name for given in self.graph.inputs)]
                raise UsageError(f"unknown value {name!r}; near: {near(name, choices)}")
            index = self._makers[name]
            if index not in steps:
                steps.add(index)
                todo.extend(self.steps[index].node.needs)
        return [self.steps[index] for index in sorted(steps)]


def _constant(operand: OnnxValue) -> OnnxValue:
    if isinstance(operand, SequenceValue):
        return SequenceValue(tuple(_constant(item) for item in operand.items))
    if isinstance(operand, Constant | EmptyOptional):
        return operand
    array = model_layout(operand).numpy()  # a single text comes as bytes
    return Constant(np.asarray(array, object if isinstance(array, bytes) else None))


def check_size(node: Node, made: OnnxValue | None) -> None:
    """Raise :class:`ModelError` if a value is too large for the memory, as far as is known."""
    if not isinstance(made, LayoutTensor) or made.tensor.shape.rank is None:
        return
    lengths = [1 if n is None else int(n) for n in made.tensor.shape]
    if math.prod(lengths) > LARGEST:
        raise ModelError(
            f"ONNX node {node}: its output would be {' x '.join(map(str, lengths))}; values of "
            f"more than {LARGEST} entries are not supported"
        )


def _may_be_large(node: Node, constants: MutableMapping[str, OnnxValue]) -> bool:
    """Whether the numbers that a node is given could make its outputs much larger than its inputs.

    True sometimes where they do not; never False where they do.
    """
    size, lengths = 1, 1.0
    for name in node.inputs:
        given = constants.get(name)
        if not isinstance(given, Constant) or given.array.dtype.kind not in "iuf":
            continue
        size *= max(given.array.size, 1)
        if given.array.size <= 64:
            lengths *= _growth(given.array)
    for value in node.attributes.values():
        if isinstance(value, int | float | tuple) and not isinstance(value, bool):
            numbers = [v for v in np.ravel(np.asarray(value, object)) if isinstance(v, int | float)]
            lengths *= _growth(np.array(numbers, np.float64))
    return size * lengths > _SUSPICIOUS


def _growth(numbers: Any) -> float:
    found = np.abs(np.nan_to_num(np.asarray(numbers, np.float64)))
    with np.errstate(over="ignore"):
        return float(np.prod(np.maximum(found, 1)))


def scope_name(node: Node) -> str:
    """The name scope of a node's operations, so that graphs and profiles say whose they are."""
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
    """The values that are best kept channels last: those that convolutions and their like take.

    Found from the end to the start: an elementwise operation passes the wish on to its inputs.
    """
    wanted: set[str] = set()
    for node in reversed(nodes):
        layout = layout_of(node)
        if layout is Layout.IMAGE:
            wanted.update(node.inputs[:1])
        elif layout is Layout.FOLLOWS and wanted.intersection(node.outputs):
            wanted.update(filter(None, node.inputs))
    return wanted
