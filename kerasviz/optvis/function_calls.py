"""Call the user's functions while a loop is traced, and check what they return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.types import Tensor

#: The end of a line on results without a gradient.
_NO_GRADIENT = (
    "has no gradient; take differentiable operations of TensorFlow or Keras (NumPy, tf.argmax, "
    "tf.round and tf.py_function have none)"
)


def function_scores(function: PythonFunction, inputs: Mapping[str, Tensor] | Tensor) -> Tensor:
    """Compute the scores [B], float32, of a user's function of ``inputs``.

    ``inputs`` are the tensors of taps by name, or images [B, H, W, C]. Raises :class:`UsageError`
    for another result, one without a gradient, and an error in the function.
    """
    tensors = tf.nest.flatten(inputs)
    rows = tensors[0].shape[0]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tensors)
        scores = _called(function, inputs)
        wanted = f"scores [{rows}], one for each row of its batch"
        scores = _tensor(function, scores, wanted)
        if not scores.shape.is_compatible_with([rows]):
            raise _refused(function, f"returned a tensor {_shape(scores)}; expected {wanted}")
        scores = tf.ensure_shape(scores, [rows])
    _check_gradient(function, tape, scores, tensors)
    return tf.cast(scores, tf.float32)


def function_images(
    function: PythonFunction, images: Tensor, seeds: Tensor, step: Tensor
) -> Tensor:
    """Transform images [B, H, W, C] by a user's function of images, seeds [B] and steps [B].

    The result is [B, h, w, C], float32. Raises :class:`UsageError` as :func:`function_scores`.
    """
    rows, *_, channels = images.shape
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        changed = _called(function, images, seeds, step)
        wanted = f"images [{rows}, height, width, {channels}]"
        changed = _tensor(function, changed, wanted)
        if not changed.shape.is_compatible_with([rows, None, None, channels]):
            raise _refused(function, f"returned a tensor {_shape(changed)}; expected {wanted}")
        changed = tf.ensure_shape(changed, [rows, None, None, channels])
    if images.shape.is_fully_defined() and not changed.shape.is_fully_defined():
        raise _refused(
            function,
            f"returned images {_shape(changed)}, whose size is unknown; take operations that keep "
            "it, or end with tf.ensure_shape",
        )
    _check_gradient(function, tape, changed, [images])
    return tf.cast(changed, tf.float32)


def _called(function: PythonFunction, *args: Any) -> Any:
    """Call a function; errors in it become one line that names it."""
    try:
        return function(*args)
    except KerasvizError:
        raise
    except KeyError as error:
        taps = args[0] if isinstance(args[0], Mapping) else {}
        name = str(error.args[0]) if error.args else ""
        if taps and name not in taps:
            raise _refused(
                function, f"asks for the tap {name!r}; its taps=[...] are: {near(name, taps)}"
            ) from error
        raise _refused(function, f"raised KeyError: {error}") from error
    except Exception as error:
        raise _refused(function, _reason(error)) from error


def _reason(error: Exception) -> str:
    """Say in a line what went wrong in a function, and what to do where that is known."""
    text = str(error).strip()
    if "to a numpy array" in text or "has no attribute 'numpy'" in text:
        return "uses NumPy, which has no gradient; take TensorFlow's or Keras' operations"
    if "as a Python `bool`" in text or "as a Python bool" in text:
        return "takes a tensor for a Python bool; take tf.where in place of if, or @tf.function"
    # A tf.function puts lines of the user's code before the reason.
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    last = lines[-1] if lines[0].startswith("in user code") else lines[0]
    kind = type(error).__name__
    return f"raised {last if last.startswith(kind) else f'{kind}: {last}'}"


def _tensor(function: PythonFunction, value: Any, wanted: str) -> Tensor:
    """Return a result that is a tensor of floating point numbers."""
    if not tf.is_tensor(value):
        kind = "None (no return?)" if value is None else f"a {type(value).__name__}, no tensor"
        raise _refused(function, f"returned {kind}; expected {wanted}")
    if not value.dtype.is_floating:
        raise _refused(
            function,
            f"returned {value.dtype.name} numbers, which have no gradient; expected "
            f"{wanted} of floating point numbers",
        )
    return value


def _check_gradient(
    function: PythonFunction, tape: tf.GradientTape, result: Tensor, sources: list[Tensor]
) -> None:
    """Raise :class:`UsageError` for a result without a gradient to any of its sources.

    These gradients are dead ends of the graph: TensorFlow prunes them before it runs.
    """
    try:
        slopes = tape.gradient(result, sources)
    except LookupError as error:  # an operation that has registered no gradient
        raise _refused(function, _NO_GRADIENT) from error
    if all(slope is None for slope in slopes):
        raise _refused(function, _NO_GRADIENT)


def _refused(function: PythonFunction, reason: str) -> UsageError:
    return UsageError(f"function {function.name!r} {reason}")


def _shape(tensor: Tensor) -> str:
    if tensor.shape.rank is None:
        return "of unknown shape"
    return f"[{', '.join('?' if n is None else str(n) for n in tensor.shape)}]"
