"""Import ONNX models as programs in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.imported import Imported
from kerasviz.importers.onnx import ops  # noqa: F401 - registers the converters
from kerasviz.importers.onnx.contents import contents_of, file_contents
from kerasviz.importers.onnx.executor import FAILURES
from kerasviz.importers.onnx.graph import Graph, read_graph
from kerasviz.importers.onnx.load import copied_model, load_model
from kerasviz.importers.onnx.metadata import described
from kerasviz.importers.onnx.program import OnnxProgram


def read_onnx(path: Path) -> Imported:
    """Read an ONNX file as a program that runs in TensorFlow, channels last.

    An operator that is not supported or cannot be computed costs only what stands behind it: the
    program's ``left_out``. Raises :class:`ModelError`, in one line, for a file that is no ONNX
    model, weights that are not finite, and where nothing can be computed.
    """
    path = Path(path)
    return _read(lambda: load_model(path), path, partial(file_contents, path))


def read_onnx_proto(model: Any, path: Path) -> Imported:
    """Read a ``ModelProto`` like its file; it stays as it is.

    ``path`` is the folder of external data that were not loaded, and the name for errors.
    """
    return _read(lambda: copied_model(model, path), path, partial(contents_of, model, path))


def _read(model: Callable[[], Any], path: Path, contents: Callable[[], str]) -> Imported:
    try:
        graph = read_graph(model(), path)
        program = _program(graph, path)
    except FAILURES as error:
        raise ModelError(f"{path} is not a valid ONNX model ({first_line(error)})") from error
    return described(Imported(program, format="onnx", contents=contents), graph.metadata, path)


def _program(graph: Graph, path: Path) -> OnnxProgram:
    try:
        return OnnxProgram(graph)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
