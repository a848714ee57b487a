"""Report what an ONNX file holds and how it will run: operators, ports, transposes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import ops  # noqa: F401 - registers the converters
from kerasviz.importers.onnx.executor import scope_name
from kerasviz.importers.onnx.graph import Graph, Node, all_nodes, read_graph
from kerasviz.importers.onnx.load import load_model
from kerasviz.importers.onnx.program import OnnxProgram
from kerasviz.importers.onnx.registry import unsupported
from kerasviz.network.program import static_shape
from kerasviz.types import Tensor


@dataclass(frozen=True)
class ExecutedTranspose:
    """Name an executed transpose by the node (or input) before it and the node behind it.

    ``own`` says that the model itself has a Transpose node there.
    """

    after: str
    before: str
    own: bool


@dataclass(frozen=True)
class PortReport:
    """Describe an input or output in the model's layout, ``None`` where a length is free."""

    name: str
    dtype: str | None
    shape: tuple[int | None, ...] | None
    channels_first: bool = False


@dataclass(frozen=True)
class ImportReport:
    """Report on a file.

    ``operators`` counts the nodes that are run, by operator; ``folded`` counts those that depend on
    constants only. ``transposes`` is ``None`` where the model cannot be run.
    """

    opsets: Mapping[str, int]
    operators: Mapping[str, int]
    folded: int
    inputs: Sequence[PortReport]
    outputs: Sequence[PortReport]
    unsupported: Sequence[str]
    transposes: Sequence[ExecutedTranspose] | None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def report_of(path: Path) -> ImportReport:
    """Report on an ONNX file, even one with unsupported operators.

    Raises :class:`ModelError` for a file that is no ONNX model, or where a node cannot be computed.
    """
    graph = read_graph(load_model(path), path)
    missing = unsupported(graph)
    opsets = {n.domain or "ai.onnx": n.opset for n in all_nodes(graph)}
    if missing:
        inputs = [PortReport(i.name, _type(i.dtype), i.shape) for i in graph.inputs]
        outputs = [PortReport(name, None, None) for name in graph.outputs]
        counts = _counted(graph.nodes)
        return ImportReport(opsets, counts, 0, inputs, outputs, missing, None)
    try:
        program = OnnxProgram(graph)
        traced, names = _traced(program)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    nodes = [step.node for step in program.scope.steps]
    lost = tuple(dict.fromkeys(program.left_out.values()))
    return ImportReport(
        opsets=opsets,
        operators=_counted(nodes),
        folded=len(graph.nodes) - len(nodes),
        inputs=[
            PortReport(p.name, _type(p.dtype), p.shape, p.channels_first)
            for p in program.inputs.values()
        ],
        outputs=[
            PortReport(name, _type(t.dtype), static_shape(t))
            for name, t in zip(names, traced.outputs, strict=True)
        ],
        unsupported=lost,
        transposes=tuple(_transposes(traced.graph, nodes, graph)),
    )


def _counted(nodes: Sequence[Node]) -> dict[str, int]:
    counts = Counter(f"{n.domain}.{n.op}".lstrip(".") for n in nodes)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _type(dtype: Any) -> str | None:
    return None if dtype is None else str(tf.as_dtype(dtype).name)


def _traced(program: OnnxProgram) -> tuple[Any, list[str]]:
    """Trace the graph from the inputs to the outputs, both in the model's layout."""
    names: list[str] = []

    def run(*tensors: Tensor) -> list[Tensor]:
        feeds = dict(zip(program.inputs, tensors, strict=True))
        found = program.compute(feeds, program.outputs, channels_last=False)
        plain = {n: t for n, t in found.items() if tf.is_tensor(t)}
        names[:] = plain
        return [tf.identity(t, name="kerasviz_output") for t in plain.values()]

    ports = program.inputs.values()
    if any(port.dtype is None for port in ports):
        raise ModelError("its inputs are sequences or optionals; the report needs tensors")
    last: ModelError | None = None
    for free in (True, False):
        specs = []
        for port in ports:
            shape = port.shape
            if free and shape and (len(ports) == 1 or len(shape) > 3):
                shape = (None, *shape[1:])
            specs.append(tf.TensorSpec(shape, port.dtype))
        try:
            return tf.function(run, autograph=False).get_concrete_function(*specs), names
        except ModelError as error:
            last = error
    assert last is not None
    raise last


def _owner(name: str, by_scope: Mapping[str, Node]) -> Node | None:
    """Return the node in whose scope an operation of a traced graph stands."""
    for part in name.split("/"):
        for spelling in (part, re.sub(r"_\d+$", "", part)):
            if spelling in by_scope:
                return by_scope[spelling]
    return None


def _maker(operation: Any, inputs: Mapping[str, str], owner: Callable[[str], Node | None]) -> str:
    """Return the node or the input that computed the input of an operation."""
    while operation.inputs:
        source = operation.inputs[0].op
        if source.name in inputs:
            return f"input {inputs[source.name]!r}"
        node = owner(source.name)
        if node is not None:
            return str(node)
        operation = source
    return "a constant"


def _transposes(graph: Any, nodes: Sequence[Node], whole: Graph) -> Iterator[ExecutedTranspose]:
    """Yield the transposes of a traced graph, each with the nodes around it."""
    by_scope = {scope_name(node): node for node in [*all_nodes(whole), *nodes]}
    inputs = {t.op.name: entry.name for t, entry in zip(graph.inputs, whole.inputs, strict=False)}

    def owner(name: str) -> Node | None:
        return _owner(name, by_scope)

    for operation in graph.get_operations():
        if operation.type == "Transpose":
            node, after = owner(operation.name), _maker(operation, inputs, owner)
            if node is None:  # at a border of the graph
                yield ExecutedTranspose(after, "" if after.startswith("input") else "output", False)
            else:
                before = "" if after == str(node) else str(node)
                yield ExecutedTranspose(after, before, node.op == "Transpose")
    for function in graph.as_graph_def().library.function:
        for inner in function.node_def:
            if inner.op == "Transpose":
                node = owner(inner.name)
                label = "a body" if node is None else str(node)
                yield ExecutedTranspose(f"{label} inside a loop or branch", "", False)
