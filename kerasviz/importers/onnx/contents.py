"""Compute a checksum of an ONNX model that does not depend on how it is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from kerasviz.importers.onnx.load import graphs_of, parsed, tensors_of

#: The fields of a tensor that hold its numbers, or say where they are.
_STORED = (
    *("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"),
    *("data_location", "external_data"),
)
#: Metadata of PyTorch's exporter on the lines of Python that called an operation.
_TRACES = ("pkg.torch.onnx.stack_trace",)


def file_contents(path: Path) -> str:
    """Return the checksum of :func:`contents_of` for a file."""
    return contents_of(parsed(path), path)


def contents_of(model: Any, path: Path) -> str:
    """Return a SHA-256 of the structure and the weights of a ``ModelProto``.

    It is the same for weights in the model and in separate files, which are read from the folder of
    ``path``, and for numbers as bytes and as a list. Texts for readers do not count.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in list(tensors_of(copy)):
        if tensor.data_type != onnx.TensorProto.STRING:
            array = numpy_helper.to_array(tensor, base_dir=str(path.parent))
            for name in _STORED:
                tensor.ClearField(name)
            tensor.raw_data = hashlib.sha256(array.tobytes()).digest()
        tensor.ClearField("doc_string")
    graphs = list(graphs_of(copy))
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for function in copy.functions for node in function.node]
    values = [v for g in graphs for v in (*g.input, *g.output, *g.value_info)]
    _without_texts([copy, *copy.functions, *graphs, *nodes, *values])
    return hashlib.sha256(copy.SerializeToString(deterministic=True)).hexdigest()


def _without_texts(parts: Iterable[Any]) -> None:
    for part in parts:
        part.ClearField("doc_string")
        kept = [entry for entry in part.metadata_props if entry.key not in _TRACES]
        if len(kept) < len(part.metadata_props):
            del part.metadata_props[:]
            part.metadata_props.extend(kept)
