"""Rebuild a network from Keras' own layers and operations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kerasviz.errors import ModelError
from kerasviz.export.exported_function import Export
from kerasviz.export.keras import layers as keras_layers  # noqa: F401 - register
from kerasviz.export.keras.graph import Build, Norm
from kerasviz.export.keras.whole_nodes import build_whole_nodes
from kerasviz.importers.onnx.layout import Constant
from kerasviz.importers.tensorflow.graph_reader import read_graph
from kerasviz.network.program import Value
from kerasviz.network.taps import TapTable
from kerasviz.types import Tensor


def keras_model(export: Export, taps: TapTable, name: str) -> Any:
    """Return the functional Keras model of an export.

    Its layers have the names of the taps that they compute (see :func:`plain_name`). Several
    outputs are a dictionary by name. Raises :class:`ModelError` that names the first node which
    Keras cannot express.
    """
    for key, shape in ((n, export.shape(n)) for n in export.ports):
        if shape is None or not shape:
            raise ModelError(
                f"input {key!r} has no known number of axes; Keras needs one, --to saved_model "
                "does not"
            )
    traced, values = _traced(export)
    count = len(export.ports)
    graph = read_graph(traced.graph, [tensor.name for tensor in traced.inputs[:count]])
    names: dict[str, str] = {}
    norms: dict[str, Norm] = {}
    norms_by_value = _norms(export.program)
    for value, tensor in zip(values, traced.outputs[len(export.outputs) :], strict=True):
        key = graph.source(tensor.name)
        names.setdefault(key, plain_name(value, taps))
        if value.name in norms_by_value:
            norms[key] = norms_by_value[value.name]
    build = Build(graph, names, norms)
    inputs = _inputs(export, traced.inputs[:count], build)
    wanted = [tensor.name for tensor in traced.outputs[: len(export.outputs)]]
    scope = getattr(export.program, "scope", None)
    if scope is not None:
        build_whole_nodes(build, scope, wanted)
    results = build.run(wanted)
    for output, result in zip(export.outputs, results, strict=True):
        if not isinstance(result, keras.KerasTensor):
            raise ModelError(f"output {output!r} depends on no input; --to saved_model works")
    outputs = dict(zip(export.outputs, results, strict=True))
    return keras.Model(
        inputs if len(inputs) > 1 else next(iter(inputs.values())),
        outputs if len(outputs) > 1 else results[0],
        name=legal_name(name),
    )


def _traced(export: Export) -> tuple[Any, list[Value]]:
    """Trace the outputs, followed by the values that give the layers their names."""
    known = [v for v in export.program.values.values() if v.shape is not None]
    everything = {**export.outputs, **{f"\0{v.name}": (v.name,) for v in known}}
    wide = Export(export.program, export.ports, everything, export.channels_last)
    try:
        return wide.traced(), known
    except (ModelError, ValueError):  # an unwanted part cannot be computed at this size
        return export.traced(), []


def _inputs(export: Export, tensors: Sequence[Tensor], build: Build) -> dict[str, Tensor]:
    inputs = {}
    for (name, port), tensor in zip(export.ports.items(), tensors, strict=True):
        shape = export.shape(name) or ()
        legal = legal_name(name)
        image = keras.Input(batch_shape=shape, dtype=port.dtype.name, name=legal)
        inputs[legal] = image
        build.feed(tensor.name, image)
    return inputs


def plain_name(value: Value, taps: TapTable) -> str:
    """Return the name of a value's layer: its own, or the shortest alias that Keras allows.

    If no name is allowed, it is the first one, made legal by :func:`legal_name`.
    """
    if value.name == legal_name(value.name):
        return value.name
    names = list(value.aliases)
    if value.name in taps:
        names += taps[value.name].aliases
    allowed = sorted((n for n in names if n == legal_name(n)), key=len)
    return allowed[0] if allowed else legal_name(value.name)


def legal_name(name: str) -> str:
    """Return a name that Keras allows, and TensorFlow as the name of a scope.

    >>> legal_name("/block1/conv"), legal_name("a/Relu:0"), legal_name("_x,y")
    ('block1.conv', 'a.Relu', 'x_y')
    """
    plain = name.removesuffix(":0").strip("/").replace("/", ".")
    return re.sub(r"[^A-Za-z0-9_.-]", "_", plain).lstrip("_-") or "tensor"


def _norms(program: Any) -> Mapping[str, Norm]:
    """Return the statistics of an ONNX program's batch normalizations by value name."""
    scope: Any = getattr(program, "scope", None)
    norms: dict[str, Norm] = {}
    for step in [] if scope is None else scope.steps:
        node = step.node
        if node.op != "BatchNormalization" or node.domain:
            continue
        constants = [scope.constants.get(name) for name in node.inputs[1:5]]
        if all(isinstance(c, Constant) and c.array.ndim == 1 for c in constants):
            scale, offset, mean, variance = (c.array for c in constants)
            epsilon = float(node.attributes.get("epsilon", 1e-5))
            norms[node.outputs[0]] = Norm(scale, offset, mean, variance, epsilon)
    return norms
