"""SavedModel folders of TensorFlow 1 and 2, those exported by Keras included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.imported import Imported
from kerasviz.importers.tensorflow.freeze import frozen
from kerasviz.importers.tensorflow.program import program_over

__all__ = ["read_saved_model"]

_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


def read_saved_model(path: Path) -> Imported:
    """Read the serving signature of a SavedModel: ``serving_default``, or the only one.

    Inputs and outputs have the names of the signature, values those of the graph's nodes. Raises
    :class:`ModelError` where there are several signatures and none is the default, where files
    are missing or cut, and for operations that cannot be computed.
    """
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, KeyError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(
            f"{path} is not a SavedModel that can be read: {first_line(error)}"
        ) from error
    signature = _signature(path, loaded)
    try:
        function = frozen(signature)
        inputs = _named(signature.structured_input_signature[1], function.inputs, "input")
        outputs = _named(signature.structured_outputs, function.outputs, "output")
        program = program_over(function.graph, inputs, outputs)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from error
    return Imported(program, "saved_model")


def _signature(path: Path, loaded: Any) -> Any:
    signatures = dict(loaded.signatures)
    if _DEFAULT in signatures:
        return signatures[_DEFAULT]
    # The initializer of a TF1 model is listed as a signature too.
    usable = [name for name in signatures if not name.startswith("__saved_model")]
    if len(usable) == 1:
        return signatures[usable[0]]
    have = f"it has {', '.join(usable)}" if usable else "it has none"
    raise ModelError(f"{path}: expected a signature {_DEFAULT} or a single one; {have}")


def _named(structure: Any, tensors: list[Any], otherwise: str) -> dict[str, Any]:
    """The tensors by the names of the signature, which TensorFlow flattens in sorted order."""
    if isinstance(structure, dict) and len(structure) == len(tensors):
        return dict(zip(sorted(structure), tensors, strict=True))
    return {f"{otherwise}_{k}": tensor for k, tensor in enumerate(tensors)}
