"""Import Keras models from ``.keras`` and ``.h5`` files and from memory."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.importers.imported import Imported
from kerasviz.importers.keras.errors import (
    LOADING_ERRORS,
    KerasVersionError,
    UnknownClassError,
    check_h5,
    explained,
    has_lambda,
    is_of_keras_3,
    lambda_refused,
    last_line,
)
from kerasviz.importers.keras.layers import TapMarks, naming_of
from kerasviz.importers.keras.preprocessing import leading_input_spec
from kerasviz.importers.tensorflow.program import GraphProgram, program_over


def read_keras(
    path: Path, *, custom_objects: Mapping[str, Any] | None = None, unsafe: bool = False
) -> Imported:
    """Read a ``.keras`` file.

    ``custom_objects`` maps class names to classes that the file needs; ``unsafe`` allows Lambda
    layers, which run code from the file. If Keras 3 cannot read the file, ``tf_keras`` (Keras 2)
    does where it is installed. Raises :class:`ModelError`.
    """
    return imported_model(load_model(path, custom_objects, unsafe), path.name, "keras")


def read_h5(
    path: Path, *, custom_objects: Mapping[str, Any] | None = None, unsafe: bool = False
) -> Imported:
    """Read an ``.h5`` file of Keras 2 or 3; see :func:`read_keras`."""
    check_h5(path)
    return imported_model(load_model(path, custom_objects, unsafe), path.name, "h5")


def imported_model(model: Any, name: str, kind: str) -> Imported:
    """Return the program of a Keras model, and what the model says about its input.

    ``name`` begins the line of a :class:`ModelError`.
    """
    try:
        program = program_of(model)
        spec = leading_input_spec(model)
    except ModelError as error:
        named = str(error).startswith(f"model {name} ")
        raise ModelError(str(error) if named else f"{name}: {error}") from error
    return Imported(program, kind, spec, contents=program.contents)


def weights_of(model: Any) -> list[Any]:
    """Return the present weights of a Keras model, without the states of random generators."""
    return [tf.convert_to_tensor(weight) for weight in model.weights]


def load_model(path: Path, custom_objects: Mapping[str, Any] | None, unsafe: bool) -> Any:
    """Load a model with Keras 3, else with Keras 2, which knows older layers."""
    check_backend()
    options = {
        "custom_objects": dict(custom_objects or {}),
        "compile": False,
        "safe_mode": not unsafe,
    }
    try:
        return keras.saving.load_model(path, **options)
    except LOADING_ERRORS as error:
        first = explained(path, error)
        if not isinstance(first, KerasVersionError) or is_of_keras_3(path):
            raise first from error
    try:
        legacy = importlib.import_module("tf_keras")
    except ImportError:
        raise ModelError(
            f"{first}; if Keras 2 saved it: pip install tf_keras, and load it again"
        ) from None
    if not unsafe and has_lambda(path):  # Keras 2 ignores safe_mode for .h5
        raise lambda_refused(path)
    try:
        return legacy.models.load_model(path, **options)
    except LOADING_ERRORS as error:
        second = explained(path, error, "Keras 2")
        if isinstance(first, UnknownClassError) or not isinstance(second, KerasVersionError):
            # Keras 2 may be at a loss because of Keras 3's layers before it comes to that class.
            raise (second if isinstance(second, UnknownClassError) else first) from error
        if isinstance(second, UnknownClassError):
            raise second from error
        raise ModelError(f"{first}; nor by Keras 2: {last_line(error)}") from error


def check_backend() -> None:
    """Raise :class:`ModelError` unless Keras runs on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"Keras runs on {keras.backend.backend()} (KERAS_BACKEND or ~/.keras/keras.json); "
            "kerasviz needs KERAS_BACKEND=tensorflow"
        )


def program_of(model: Any, follows: bool = False) -> GraphProgram:
    """Make the program of a Keras model in memory, with its current weights.

    With ``follows`` it computes with the weights that the model has at the time of each run.

    Values are the outputs of its layers, named by their paths: ``block/conv1`` in nested models,
    ``conv1_1`` for a second call. The inputs of ReLUs (``X_pre_relu``) and softmaxes
    (``X_pre_softmax``) inside layers are values too. Ports are the model's inputs.
    Raises :class:`ModelError` for models that were never built, and for operations that cannot be
    computed.
    """
    check_backend()
    _check_weights(model)
    specs, structure = input_specs(model)
    names = list(specs)
    with TapMarks(model) as marks:

        def call(*tensors: Any) -> list[Any]:
            arguments = structure(dict(zip(names, tensors, strict=True)))
            results = model(arguments, training=False)
            return [tf.convert_to_tensor(result) for result in keras.tree.flatten(results)]

        try:
            traced = tf.function(call, autograph=False).get_concrete_function(*specs.values())
        except (*LOADING_ERRORS, tf.errors.OpError) as error:
            shapes = ", ".join(str(list(spec.shape)) for spec in specs.values())
            raise ModelError(
                f"model {model.name} cannot be run on {shapes}: {last_line(error)}"
            ) from error
    inputs = dict(zip(names, traced.inputs, strict=False))  # followed by the weights
    outputs = dict(zip(_output_names(model, len(traced.outputs)), traced.outputs, strict=True))
    declared = getattr(model, "inputs", None) or ()
    batches = {n: t.shape[0] for n, t in zip(specs, declared, strict=False)}
    naming = naming_of(marks)
    return program_over(traced.graph, inputs, outputs, naming, batches, follows=follows)


def _check_weights(model: Any) -> None:
    for weight in model.weights:
        numbers = np.asarray(weight)
        if np.issubdtype(numbers.dtype, np.floating) and not np.isfinite(numbers).all():
            name = getattr(weight, "path", weight.name)
            raise ModelError(
                f"weight {name} holds NaN or infinite numbers: the file is damaged, or the "
                "training has diverged"
            )


def input_specs(model: Any) -> tuple[dict[str, Any], Any]:
    """Return the inputs by name, and a function from tensors by name to the model's argument."""
    declared = getattr(model, "inputs", None)
    if declared:
        layer_names = getattr(model, "input_names", None) or [t.name for t in declared]
        specs = {
            name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=f"input_{k}")
            for k, (name, tensor) in enumerate(zip(layer_names, declared, strict=True))
        }
        if len(specs) == 1 and not isinstance(getattr(model, "input", None), (list, dict)):
            return specs, lambda tensors: next(iter(tensors.values()))
        by_id = {id(tensor): name for name, tensor in zip(layer_names, declared, strict=True)}

        def structure(tensors: dict[str, Any]) -> Any:
            return keras.tree.map_structure(lambda t: tensors[by_id[id(t)]], model.input)

        return specs, structure
    shapes = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if _is_shape(shapes):
        return {"input": _spec(0, shapes)}, lambda tensors: tensors["input"]
    if isinstance(shapes, dict) and shapes and all(map(_is_shape, shapes.values())):
        return {name: _spec(k, shapes[name]) for k, name in enumerate(shapes)}, dict
    if isinstance(shapes, list | tuple) and shapes and all(map(_is_shape, shapes)):
        several = {f"input_{k}": _spec(k, shape) for k, shape in enumerate(shapes)}
        return several, lambda tensors: list(tensors.values())
    if model.built and shapes is None:
        raise ModelError(
            f"model {model.name} has no single argument of images; wrap it in "
            "keras.Model(inputs, model(...))"
        )
    raise ModelError(
        f"model {model.name} has no input shape; call it once on a batch of images first"
    )


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list | tuple) and all(n is None or type(n) is int for n in shape)


def _spec(place: int, shape: Any) -> Any:
    return tf.TensorSpec((None, *shape[1:]), tf.float32, name=f"input_{place}")


def _output_names(model: Any, count: int) -> list[str]:
    names = list(getattr(model, "output_names", None) or [])
    if not names and isinstance(model, keras.Sequential):
        names = [model.layers[-1].name]
    if len(names) != count or len(set(names)) != count:
        names = ["output"] if count == 1 else [f"output_{k}" for k in range(count)]
    return names
