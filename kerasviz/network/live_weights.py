"""Notice when the weights of a model in memory have changed since it was loaded."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


class WeightsChangedWarning(UserWarning):
    """Say that a network shows the weights of its load, and that its model has others now."""


class LiveWeights:
    """Hold the weights that a model had when it was loaded.

    The model itself is not kept alive. Nothing is copied: a variable of TensorFlow gets new memory
    when it changes while somebody holds its old numbers.

    Args:
        model: The model in memory.
        read: Return the present weights of the model: tensors, or anything that compares.
    """

    def __init__(self, model: Any, read: Callable[[Any], Sequence[Any]]):
        self._model = weakref.ref(model)
        self._read = read
        self._loaded: Sequence[Any] = self._now(model)
        self._is_told = False

    def _now(self, model: Any) -> Sequence[Any]:
        with tf.init_scope():  # also where a function is being traced
            return list(self._read(model))

    def changed(self) -> bool:
        """Return whether the model has other weights now; ``False`` once it is gone."""
        model = self._model()
        if model is None:
            return False
        now = self._now(model)
        with tf.init_scope():
            pairs = zip(now, self._loaded, strict=False)
            return len(now) != len(self._loaded) or not all(_is_same(*pair) for pair in pairs)

    def warn(self, name: str) -> None:
        """Warn, once, if the weights of the network ``name`` have changed."""
        if not self._is_told and self.changed():
            self._is_told = True
            self._loaded = ()
            warnings.warn(
                f"the weights of {name} have changed since load; load it again to see them",
                WeightsChangedWarning,
                stacklevel=4,
            )


def _is_same(now: Any, loaded: Any) -> bool:
    if not tf.is_tensor(now):
        return bool(now == loaded)
    if now.shape != loaded.shape or now.dtype != loaded.dtype:
        return False
    place = _address(now)
    if place is not None and place == _address(loaded):
        return True
    # Numbers that are no numbers are equal to themselves here.
    return bool(tf.reduce_all((now == loaded) | ((now != now) & (loaded != loaded))))


def _address(tensor: Any) -> int | None:
    """Return where the numbers of a tensor are in memory, ``None`` where that is not known."""
    if "CPU" not in tensor.device or not tensor.dtype.is_numpy_compatible:
        return None
    try:
        view = memoryview(tensor)
    except (ValueError, TypeError, BufferError):  # bfloat16 is no type of a buffer
        return None
    return int(np.asarray(view).__array_interface__["data"][0])
