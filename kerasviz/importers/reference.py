"""Run model files by other means, onnxruntime or Keras itself, for a comparison."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import InputsError, ModelError, UsageError, first_line
from kerasviz.importers.exact import ExactNodes
from kerasviz.network.comparison import Reference
from kerasviz.network.network import Network
from kerasviz.types import Array


def reference_for(
    net: Network,
    path: Path,
    against: str | None = None,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
) -> Reference:
    """Return the reference ``against``, by default the one for the network's format.

    Raises :class:`UsageError` for formats without a reference, or without this one.
    """
    kind = net.identity.format
    references = {"onnx": "onnxruntime", "onnx-tf": "onnxruntime", "keras": "keras", "h5": "keras"}
    if kind not in references:
        raise UsageError(f"{path.name} is {kind}; only ONNX and Keras files can be checked")
    if against not in (None, references[kind]):
        raise UsageError(
            f"{path.name} is {kind}; it can be checked against {references[kind]} only"
        )
    if references[kind] == "onnxruntime":
        return onnxruntime_reference(path)
    return keras_reference(path, custom_objects=custom_objects, unsafe=unsafe)


def onnxruntime_reference(path: Path) -> Reference:
    """Return onnxruntime as the reference of an ONNX file, without optimizations.

    Every value becomes an output. Raises :class:`UsageError` if onnxruntime is not installed.
    """
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise UsageError(
            "checking an ONNX file needs onnxruntime; run: pip install 'kerasviz[check]'"
        ) from error
    import onnx

    def values(feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        model = onnx.load(path, load_external_data=False)
        wanted = _with_outputs(model, names)
        begin = f"{path.name} cannot be run by onnxruntime"
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(path.parent.resolve())
        )
        try:
            session = runtime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except _errors_of(runtime) as error:
            raise ModelError(f"{begin}: {first_line(error)}") from error
        try:
            taken = {given.name for given in session.get_inputs()}
            fed = {name: array for name, array in feeds.items() if name in taken}
            return dict(zip(wanted, session.run(wanted, fed), strict=True))
        except _errors_of(runtime) as error:
            raise InputsError(f"{begin}: {first_line(error)}") from error

    return Reference("onnxruntime", values, ExactNodes(path))


def _with_outputs(model: Any, names: Sequence[str]) -> list[str]:
    """Make values the outputs of a model, without nodes that they do not need.

    So onnxruntime needs no operator that is left out here. Return those that the model has.
    """
    import onnx

    from kerasviz.importers.onnx.graph import needed_nodes

    graph = model.graph
    inside = {name for node in graph.node for name in node.output}
    declared = {output.name: output for output in graph.output}
    wanted = [name for name in names if name in inside or name in declared]
    outputs = [declared.get(name) or onnx.ValueInfoProto(name=name) for name in wanted]
    rest = onnx.GraphProto(output=outputs, node=needed_nodes(graph.node, wanted))
    del graph.output[:], graph.node[:]
    graph.output.extend(rest.output)
    graph.node.extend(rest.node)
    return wanted


def _errors_of(runtime: Any) -> tuple[type[Exception], ...]:
    """Return the exceptions of onnxruntime, which have no public base class."""
    state = runtime.capi.onnxruntime_pybind11_state
    members = (getattr(state, name) for name in dir(state))
    errors = (f for f in members if isinstance(f, type) and issubclass(f, Exception))
    return (RuntimeError, ValueError, *errors)


def keras_reference(
    path: Path, *, custom_objects: Mapping[str, Any] | None = None, unsafe: bool = False
) -> Reference:
    """Return Keras, running layer by layer without a graph, as the reference of its file."""
    from kerasviz.importers.keras.file import input_specs, load_model
    from kerasviz.importers.keras.layers import LayerResults

    def values(feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        model = load_model(path, custom_objects, unsafe)
        _, structure = input_specs(model)
        with LayerResults(model) as results:
            model(structure(dict(feeds)), training=False)
        return {n: np.asarray(t) for n, t in results.found.items() if n in set(names)}

    return Reference("keras", values)
