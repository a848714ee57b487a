"""Import SavedModel folders of TensorFlow 1 and 2, including Keras exports."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError, UsageError, first_line
from kerasviz.importers.imported import Imported
from kerasviz.importers.tensorflow.program import program_over

_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
#: Functions that are taken where a SavedModel has no signatures: Keras' own, a module's call.
_FUNCTIONS = ("serve", "__call__", "call")
_TF1_VARIABLES = frozenset({"Variable", "VariableV2"})
_TF1_TABLES = frozenset({"HashTableV2", "MutableHashTableV2", "MutableHashTableOfTensorsV2"})


def read_saved_model(path: Path, signature: str | None = None) -> Imported:
    """Read a signature of a SavedModel, by default ``serving_default`` or the only one.

    Where there are no signatures a function is read: ``serve``, ``__call__`` or the only one.
    Inputs and outputs have the names of the signature, values those of the graph's nodes. Raises
    :class:`UsageError` for an unknown ``signature``, :class:`ModelError` for several without a
    default, for missing or truncated files, and for operations that cannot be computed.
    """
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, KeyError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(
            f"{path} is not a SavedModel that can be read: {first_line(error)}"
        ) from error
    return _imported(_chosen(path, loaded, signature), path)


def read_module(model: Any, name: str, signature: str | None = None) -> tuple[Imported, list[Any]]:
    """Read a module in memory, or what ``tf.saved_model.load`` returned, like its SavedModel.

    Return the variables that it computes with too. A module is saved to a temporary folder and
    read from there, so that its values have the names of a saved one. ``name`` begins the lines of
    errors. See :func:`read_saved_model`.
    """
    path = Path(name)
    if hasattr(model, "signatures"):
        function = _chosen(path, model, signature)
        return _imported(function, path), list(function.variables)
    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.saved_model.save(model, folder)
        except (ValueError, TypeError, AssertionError, RuntimeError, tf.errors.OpError) as error:
            raise ModelError(
                f"{name} cannot be saved, and so not be read: {first_line(error)}"
            ) from error
        function = _chosen(path, tf.saved_model.load(folder), signature)
        return _imported(function, path), list(model.variables)


def _imported(function: Any, path: Path) -> Imported:
    try:
        states = _states_of_tensorflow_1(function)
        program = program_over(function.graph, _inputs(function), _outputs(function), states=states)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from error
    return Imported(program, "saved_model", contents=program.contents)


# -- the function --------------------------------------------------------------------------------


def _chosen(path: Path, loaded: Any, signature: str | None) -> Any:
    """Return the concrete function to read."""
    # TF1 lists the model's initializer as a signature.
    named = sorted(loaded.signatures.items())
    signatures = {name: f for name, f in named if not name.startswith("__saved_model")}
    functions = _functions(loaded)
    known = {**functions, **signatures}
    if signature is not None:
        if signature not in known:
            names = ", ".join(
                [*signatures, *(name for name in functions if name not in signatures)]
            )
            raise UsageError(
                f"{path.name} has no signature {signature!r}; it has {names or 'none'}"
            )
        return known[signature]
    default = (_DEFAULT,) if signatures else _FUNCTIONS
    candidates = signatures or functions
    name = next((name for name in default if name in candidates), None)
    if name is None and len(candidates) == 1:
        name = next(iter(candidates))
    if name is None:
        have = f"it has {', '.join(candidates)}: choose one with --signature NAME (in Python: "
        have += "signature='NAME')"
        raise ModelError(
            f"{path}: expected a signature {_DEFAULT} or a single one; "
            f"{have if candidates else 'it has none, and no function that takes tensors'}"
        )
    return candidates[name]


def _functions(loaded: Any) -> dict[str, Any]:
    """Return the functions of a SavedModel that take tensors, by name, each as it was traced."""
    found = {}
    for name, function in sorted(vars(loaded).items()):
        traces = [t for t in getattr(function, "concrete_functions", ()) if _tensors(t)]
        if traces:
            found[name] = min(traces, key=_preference)
    return found


def _preference(trace: Any) -> tuple[int, int, int]:
    """Order the traces of a function: for inference, of float inputs, with most free dimensions."""
    arguments = tf.nest.flatten(trace.structured_input_signature)
    tensors = _tensors(trace)
    free = sum(
        size is None
        for spec in tensors
        for size in (spec.shape.as_list() if spec.shape.rank else ())
    )
    floats = sum(spec.dtype.is_floating for spec in tensors)
    return sum(argument is True for argument in arguments), -floats, -free


def _tensors(trace: Any) -> list[Any]:
    """Return the specifications of the tensors that a concrete function takes, in order."""
    arguments = tf.nest.flatten(trace.structured_input_signature, expand_composites=True)
    return [spec for spec in arguments if isinstance(spec, tf.TensorSpec)]


def _inputs(function: Any) -> dict[str, Any]:
    """Return the input tensors by their names in the signature; what is captured comes after."""
    specs = _tensors(function)
    tensors = function.inputs[: len(specs)]
    positional, keywords = function.structured_input_signature
    if not tf.nest.flatten(positional) and all(
        isinstance(s, tf.TensorSpec) for s in keywords.values()
    ):
        return dict(zip(sorted(keywords), tensors, strict=True))
    names = [spec.name or f"input_{index}" for index, spec in enumerate(specs)]
    if len(set(names)) < len(names):
        names = [f"input_{index}" for index in range(len(specs))]
    return dict(zip(names, tensors, strict=True))


def _outputs(function: Any) -> dict[str, Any]:
    """Return the output tensors by their names in the signature, which TensorFlow sorts."""
    structure, tensors = function.structured_outputs, function.outputs
    if isinstance(structure, Mapping) and len(structure) == len(tensors):
        return dict(zip(sorted(structure), tensors, strict=True))
    if len(tensors) == 1:
        return {"output": tensors[0]}
    return {f"output_{index}": tensor for index, tensor in enumerate(tensors)}


def _states_of_tensorflow_1(function: Any) -> dict[str, Any]:
    """Return the variables and tables inside a graph of TensorFlow 1, by key, with their state."""
    states: dict[str, Any] = {}
    for operation in function.graph.get_operations() if hasattr(function, "prune") else ():
        if operation.type in _TF1_TABLES:
            tensors = operation.outputs
        elif operation.type in _TF1_VARIABLES:
            # A reference cannot be fetched, but its copies can.
            copies = (o for o in operation.outputs[0].consumers() if o.type == "Identity")
            tensors = [copy.outputs[0] for copy in copies][:1]
        else:
            continue
        for tensor in tensors:
            with suppress(ValueError, RuntimeError, tf.errors.OpError), tf.init_scope():
                states[operation.outputs[0].name] = function.prune([], tensor)()
    return states
