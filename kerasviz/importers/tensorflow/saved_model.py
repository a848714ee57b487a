"""Import SavedModel folders of TensorFlow 1 and 2, including Keras exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.imported import Imported
from kerasviz.importers.tensorflow.freeze import frozen
from kerasviz.importers.tensorflow.program import program_over

_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


def read_saved_model(path: Path) -> Imported:
    """Read the serving signature of a SavedModel: ``serving_default``, or the only one.

    Inputs and outputs have the names of the signature, values those of the graph's nodes. Raises
    :class:`ModelError` for several signatures without a default, for missing or truncated files,
    and for operations that cannot be computed.
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
    # TF1 lists the model's initializer as a signature.
    usable = [name for name in signatures if not name.startswith("__saved_model")]
    if len(usable) == 1:
        return signatures[usable[0]]
    have = f"it has {', '.join(usable)}" if usable else "it has none"
    raise ModelError(f"{path}: expected a signature {_DEFAULT} or a single one; {have}")


def _named(structure: Any, tensors: list[Any], otherwise: str) -> dict[str, Any]:
    """Return the tensors by their names in the signature, which TensorFlow sorts."""
    if isinstance(structure, dict) and len(structure) == len(tensors):
        return dict(zip(sorted(structure), tensors, strict=True))
    return {f"{otherwise}_{k}": tensor for k, tensor in enumerate(tensors)}
