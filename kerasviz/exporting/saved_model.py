"""A network as a SavedModel that TensorFlow and TensorFlow Serving load by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kerasviz.exporting.plan import Export

__all__ = ["SIGNATURE", "argument_names", "save_saved_model"]

Tensor = Any

SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
#: Weights of at least so many numbers become variables, smaller ones stay constants of the graph.
WEIGHT = 128


def save_saved_model(export: Export, folder: Path) -> None:
    """Write a SavedModel with the signature ``serving_default`` into ``folder``.

    Every weight is stored once, as a variable: the graph itself stays small, for it must be below
    2 GB. The signature's inputs and outputs have the names of the export.
    """
    module, names = _module(export)
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.serve})
    _rename_inputs(folder / "saved_model.pb", names)


def _module(export: Export) -> tuple[Any, dict[str, str]]:
    """The module to save, and the export's input names by those that TensorFlow allows."""
    traced = export.traced()
    count = len(export.ports)
    module: Any = tf.Module()
    module.weights = []
    held: dict[str, Any] = {}
    for outside, inside in traced.graph.captures:
        if inside.dtype.is_floating and inside.shape.num_elements() >= WEIGHT:
            held[inside.name] = tf.Variable(outside, trainable=False, name=inside.op.name)
            module.weights.append(held[inside.name])
        else:
            held[inside.name] = outside
    allowed = argument_names(export.ports)
    definition = traced.graph.as_graph_def()
    taken = {given.partition(":")[0] for node in definition.node for given in node.input}
    inputs = [tensor.name for tensor in traced.inputs[:count]]
    outputs = [tensor.name for tensor in traced.outputs]
    signature = [
        tf.TensorSpec(spec.shape, spec.dtype, name=allowed[name])
        for name, spec in export.specs.items()
    ]

    def serve(*tensors: Tensor) -> dict[str, Tensor]:
        fed = dict(zip(inputs, tensors, strict=True))
        fed.update({name: tf.convert_to_tensor(weight) for name, weight in held.items()})
        used = {name: t for name, t in fed.items() if name.partition(":")[0] in taken}
        found = tf.graph_util.import_graph_def(
            definition, input_map=used, return_elements=outputs, name="network"
        )
        for tensor, source in zip(found, traced.outputs, strict=True):
            tensor.set_shape(source.shape)
        return dict(zip(export.outputs, found, strict=True))

    module.serve = tf.function(serve, input_signature=signature, autograph=False)
    return module, {legal: name for name, legal in allowed.items()}


def argument_names(names: Iterable[str]) -> dict[str, str]:
    """Names that TensorFlow takes for the arguments of a signature."""
    found: dict[str, str] = {}
    for name in names:
        legal = re.sub(r"[^A-Za-z0-9_]", "_", name)
        legal = legal if re.match(r"[A-Za-z]", legal) else f"input_{legal}"
        while legal in found.values():
            legal += "_"
        found[name] = legal
    return found


def _rename_inputs(path: Path, names: dict[str, str]) -> None:
    """Give the inputs of the signature their own names, which TensorFlow Serving goes by."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(path.read_bytes())
    inputs = saved.meta_graphs[0].signature_def[SIGNATURE].inputs
    for legal, name in names.items():
        if legal != name and legal in inputs:
            inputs[name].CopyFrom(inputs[legal])
            del inputs[legal]
    path.write_bytes(saved.SerializeToString())
