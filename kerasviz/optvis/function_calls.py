"""Call the user's functions while a loop is traced, and check what they return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.types import Tensor

#: The end of a line on results without a gradient.
_NO_GRADIENT = (
    "has no gradient; take differentiable operations of TensorFlow or Keras (NumPy, tf.argmax, "
    "tf.round and tf.numpy_function have none)"
)


class NamedTensors(dict[str, Tensor]):
    """Hold the tensors of taps by the names that a function knows them by."""

    def __missing__(self, name: object) -> Tensor:
        raise UsageError(f"asks for the tap {name!r}; its taps=[...] are {', '.join(self)}")


def function_scores(function: PythonFunction, inputs: Mapping[str, Tensor] | Tensor) -> Tensor:
    """Compute the scores [B], float32, of a user's function of ``inputs``.

    ``inputs`` are the tensors of taps by name, or images [B, H, W, C]. Raises :class:`UsageError`
    for another result, one without a gradient, and an error in the function.
    """
    if isinstance(inputs, Mapping):
        inputs = NamedTensors(inputs)
    rows = tf.nest.flatten(inputs)[0].shape[0]
    wanted = f"scores [{rows}], one for each row of its batch"
    scores = _tensor(function, _called(function, inputs), wanted)
    if not scores.shape.is_compatible_with([rows]):
        raise _refused(function, f"returned a tensor {_shape(scores)}; expected {wanted}")
    _check_gradient(function, inputs)
    return tf.cast(tf.ensure_shape(scores, [rows]), tf.float32)


def function_images(
    function: PythonFunction, images: Tensor, seeds: Tensor, step: Tensor
) -> Tensor:
    """Transform images [B, H, W, C] by a user's function of images, seeds [B] and steps [B].

    The result is [B, h, w, C], float32. Raises :class:`UsageError` as :func:`function_scores`.
    """
    rows, *size, channels = images.shape
    wanted = f"images [{rows}, height, width, {channels}]"
    changed = _tensor(function, _called(function, images, seeds, step), wanted)
    if not changed.shape.is_compatible_with([rows, None, None, channels]):
        raise _refused(function, f"returned a tensor {_shape(changed)}; expected {wanted}")
    if None not in size and None in (changed.shape.rank, *(changed.shape or ())):
        raise _refused(
            function,
            f"returned a tensor {_shape(changed)}, whose size is unknown before it runs; take "
            "operations that keep it, or end with tf.ensure_shape",
        )
    _check_gradient(function, images, seeds, step)
    return tf.cast(tf.ensure_shape(changed, [rows, None, None, channels]), tf.float32)


def _called(function: PythonFunction, *args: Any) -> Any:
    """Call a function; errors in it become one line that names it."""
    try:
        with tf.variable_creator_scope(_no_variable):
            return function(*args)
    except Exception as error:
        if isinstance(error, KerasvizError) and str(error).startswith("function "):
            raise
        raise _refused(function, _reason(error)) from error


def _no_variable(*_: Any, **__: Any) -> None:
    raise UsageError("makes a variable, as a new layer does; make it once, outside the function")


def _reason(error: Exception) -> str:
    """Say in a line what went wrong in a function, and what to do where that is known."""
    text = str(error).strip()
    if "to a numpy array" in text or "has no attribute 'numpy'" in text:
        return "uses NumPy, which has no gradient; take operations of TensorFlow or Keras"
    if "as a Python `bool`" in text or "as a Python bool" in text:
        return "takes a tensor for a Python bool; take tf.where in place of if, or @tf.function"
    kind = type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    # AutoGraph puts lines of the user's code before the reason, and repeats its kind.
    line = lines[-1] if lines[0].startswith("in user code") else lines[0]
    line = line.removeprefix(f"{kind}: ")
    return line if isinstance(error, KerasvizError) else f"raised {kind}: {line}"


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


def _check_gradient(function: PythonFunction, inputs: Any, *others: Tensor) -> None:
    """Raise :class:`UsageError` for a function whose result has no gradient to any of its inputs.

    It is traced in a graph of its own, of which nothing runs: in that of the loop a gradient which
    nobody needs might run too, as that of ``tf.py_function`` does.
    """
    slopes: list[Any] = []

    def trace(inputs: Any, *others: Tensor) -> None:
        sources = tf.nest.flatten(inputs)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            result = function(inputs, *others)
        slopes.extend(tape.gradient(result, sources))

    specs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), (inputs, *others))
    try:
        tf.function(trace, autograph=False).get_concrete_function(*specs)
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
