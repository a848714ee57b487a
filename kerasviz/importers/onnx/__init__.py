"""Import ONNX models as programs in TensorFlow."""

from __future__ import annotations

from pathlib import Path

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.imported import Imported
from kerasviz.importers.onnx import ops  # noqa: F401 - registers the converters
from kerasviz.importers.onnx.executor import FAILURES
from kerasviz.importers.onnx.graph import Graph, read_graph
from kerasviz.importers.onnx.load import load_model
from kerasviz.importers.onnx.metadata import described
from kerasviz.importers.onnx.program import OnnxProgram
from kerasviz.importers.onnx.registry import unsupported


def read_onnx(path: Path) -> Imported:
    """Read an ONNX file as a program that runs in TensorFlow, channels last.

    Raises :class:`ModelError`, in one line, for a file that is no ONNX model, weights that are not
    finite, unsupported operators (all of them) and nodes that cannot be computed.
    """
    path = Path(path)
    try:
        graph = read_graph(load_model(path), path)
        _check_operators(graph, path)
        program = _program(graph, path)
    except FAILURES as error:
        raise ModelError(f"{path} is not a valid ONNX model ({first_line(error)})") from error
    return described(Imported(program, format="onnx"), graph.metadata, path)


def _program(graph: Graph, path: Path) -> OnnxProgram:
    try:
        return OnnxProgram(graph)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _check_operators(graph: Graph, path: Path) -> None:
    if missing := unsupported(graph):
        raise ModelError(f"{path}: operators that are not supported: {', '.join(missing)}")
