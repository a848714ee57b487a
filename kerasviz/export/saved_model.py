"""Write a network as a SavedModel for TensorFlow and TensorFlow Serving."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kerasviz.export.exported_function import Export
from kerasviz.types import Tensor

SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
#: Numbers of the smallest weight that becomes a variable; smaller ones stay constants of the graph.
WEIGHT = 128


@dataclass(frozen=True)
class Signature:
    """Hold a concrete function with the names of its inputs, in order, and of its outputs."""

    traced: Any
    inputs: Mapping[str, Any]
    outputs: Sequence[str]


def signature_of(export: Export) -> Signature:
    """Return the signature of an export, under its own names."""
    return Signature(export.traced(), export.specs, list(export.outputs))


def save_saved_model(export: Export, folder: Path) -> None:
    """Write a SavedModel with the signature ``serving_default`` into ``folder``.

    Its inputs and outputs have the names of the export; see :func:`save_signatures`.
    """
    save_signatures({SIGNATURE: signature_of(export)}, folder)


def save_signatures(
    signatures: Mapping[str, Signature],
    folder: Path,
    original: Path | None = None,
    *,
    gradients: bool = True,
) -> tuple[str, ...]:
    """Write a SavedModel with these signatures into ``folder``.

    Every weight is stored once, as a variable, since the graph itself must stay below 2 GB. The
    signatures of the SavedModel ``original`` are added and replace those of the same name; their
    names are returned. Without ``gradients`` the custom gradients of operations are dropped.
    """
    module: Any = tf.Module()
    weights: dict[bytes, Any] = {}
    functions: dict[str, Any] = {}
    if original is not None:
        module.original = tf.saved_model.load(str(original))
        functions = {n: f for n, f in module.original.signatures.items() if _is_own(n)}
    kept = tuple(functions)
    ours = {name: signature for name, signature in signatures.items() if name not in functions}
    functions |= {name: _stored(signature, weights, gradients) for name, signature in ours.items()}
    module.weights = list(weights.values())
    module.functions = [functions[name] for name in ours]
    tf.saved_model.save(module, str(folder), signatures=functions)
    _rename_inputs(folder / "saved_model.pb", {n: list(s.inputs) for n, s in ours.items()})
    return kept


def _is_own(name: str) -> bool:
    """Return whether a signature is real; TF1 also lists the model's initializer."""
    return not name.startswith("__saved_model")


def _stored(signature: Signature, weights: dict[bytes, Any], gradients: bool) -> Any:
    """Return the function of a signature with its weights as variables from ``weights``.

    A weight that another function has too is the same variable; new ones are added.
    """
    traced = signature.traced
    held: dict[str, Any] = {}
    for outside, inside in traced.graph.captures:
        if inside.dtype.is_floating and inside.shape.num_elements() >= WEIGHT:
            key = _digest(outside)
            if key not in weights:
                weights[key] = tf.Variable(outside, trainable=False, name=inside.op.name)
            held[inside.name] = weights[key]
        else:
            held[inside.name] = outside
    allowed = argument_names(signature.inputs)
    definition = traced.graph.as_graph_def()
    if not gradients:
        for nodes in (definition.node, *(f.node_def for f in definition.library.function)):
            for node in nodes:
                node.attr.pop("_gradient_op_type", None)
    taken = {given.partition(":")[0] for node in definition.node for given in node.input}
    inputs = [tensor.name for tensor in traced.inputs[: len(signature.inputs)]]
    outputs = [tensor.name for tensor in traced.outputs]
    specs = [
        tf.TensorSpec(spec.shape, spec.dtype, name=allowed[name])
        for name, spec in signature.inputs.items()
    ]

    def serve(*tensors: Tensor) -> dict[str, Tensor]:
        fed = dict(zip(inputs, tensors, strict=True))
        fed.update({name: tf.convert_to_tensor(weight) for name, weight in held.items()})
        used = {name: t for name, t in fed.items() if name.partition(":")[0] in taken}
        results = tf.graph_util.import_graph_def(
            definition, input_map=used, return_elements=outputs, name="network"
        )
        for tensor, source in zip(results, traced.outputs, strict=True):
            tensor.set_shape(source.shape)
        return dict(zip(signature.outputs, results, strict=True))

    return tf.function(serve, input_signature=specs, autograph=False)


def _digest(weight: Tensor) -> bytes:
    """Return a key that is equal for equal weights."""
    array = weight.numpy()
    return hashlib.sha256(f"{array.dtype} {array.shape} ".encode() + array.tobytes()).digest()


def loaded_run(signature: Any, names: Iterable[str]) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function from feeds by name to the outputs of a loaded signature."""
    legal = argument_names(names)
    return lambda feeds: signature(**{legal[name]: feed for name, feed in feeds.items()})


def argument_names(names: Iterable[str]) -> dict[str, str]:
    """Return names that TensorFlow accepts as arguments of a signature."""
    arguments: dict[str, str] = {}
    for name in names:
        legal = re.sub(r"[^A-Za-z0-9_]", "_", name)
        legal = legal if re.match(r"[A-Za-z]", legal) else f"input_{legal}"
        while legal in arguments.values():
            legal += "_"
        arguments[name] = legal
    return arguments


def _rename_inputs(path: Path, names: Mapping[str, Sequence[str]]) -> None:
    """Give the inputs of signatures their own names, which TensorFlow Serving uses."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(path.read_bytes())
    for signature, wanted in names.items():
        inputs = saved.meta_graphs[0].signature_def[signature].inputs
        names_by_argument = {legal: name for name, legal in argument_names(wanted).items()}
        for legal, name in names_by_argument.items():
            if legal != name and legal in inputs:
                inputs[name].CopyFrom(inputs[legal])
                del inputs[legal]
    path.write_bytes(saved.SerializeToString())
