"""Import onnx-tf with substitutes for the names that it takes from packages that no longer load.

onnx-tf 1.10 is the last release. It takes tables of types from ``onnx.mapping``, which onnx has
removed, one function from tensorflow-addons and one class from tensorflow-probability, which do not
load beside a current TensorFlow.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.types import Tensor


def import_onnx_tf() -> Any:
    """Import and return ``onnx_tf.backend``; :class:`UsageError` where it is not installed."""
    if "onnx_tf.backend" in sys.modules:
        return sys.modules["onnx_tf.backend"]
    with names_supplied():
        try:
            return importlib.import_module("onnx_tf.backend")
        except ImportError as error:
            if error.name in ("onnx_tf", "onnx_tf.backend"):
                raise UsageError(
                    "the importer onnx-tf needs that package; run: pip install --no-deps onnx-tf"
                ) from error
            raise UsageError(f"onnx-tf cannot be imported: {error}") from error


@contextmanager
def names_supplied() -> Iterator[None]:
    """Supply the missing names within the block, and remove them afterwards.

    The two TensorFlow packages count as missing unless they are already imported, since importing
    them could fail or warn.
    """
    made = {
        "tensorflow_addons": _addons(),
        "tensorflow_probability": _probability(),
        "onnx.mapping": _mapping(),
    }
    added = {name: module for name, module in made.items() if name not in sys.modules}
    holders = [
        holder
        for holder in (onnx, onnx.helper)
        if "onnx.mapping" in added and not hasattr(holder, "mapping")
    ]
    sys.modules.update(added)
    for holder in holders:
        setattr(holder, "mapping", added["onnx.mapping"])  # noqa: B010 - types know no such name
    try:
        yield
    finally:
        for holder in holders:
            delattr(holder, "mapping")
        for name, module in added.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _mapping() -> ModuleType:
    """Return ``onnx.mapping``, which maps element types between ONNX, numpy and their storage."""
    types = [
        code
        for name, code in onnx.TensorProto.DataType.items()
        if name != "UNDEFINED" and code in onnx.helper.get_all_tensor_dtypes()
    ]
    to_numpy = {code: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code)) for code in types}
    plain = {code: kind for code, kind in to_numpy.items() if kind.kind in "biufcO"}
    module: Any = ModuleType("onnx.mapping")
    module.TENSOR_TYPE_TO_NP_TYPE = to_numpy
    module.NP_TYPE_TO_TENSOR_TYPE = {kind: code for code, kind in plain.items()}
    module.TENSOR_TYPE_TO_STORAGE_TENSOR_TYPE = {
        code: onnx.helper.tensor_dtype_to_storage_tensor_dtype(code) for code in types
    }
    module.STORAGE_TENSOR_TYPE_TO_FIELD = {
        stored: onnx.helper.tensor_dtype_to_field(stored)
        for stored in set(module.TENSOR_TYPE_TO_STORAGE_TENSOR_TYPE.values())
    }
    return module  # type: ignore[no-any-return]


def _addons() -> ModuleType:
    module: Any = ModuleType("tensorflow_addons")
    module.seq2seq = ModuleType("tensorflow_addons.seq2seq")
    module.seq2seq.hardmax = hardmax
    return module  # type: ignore[no-any-return]


def hardmax(logits: Tensor, name: str | None = None) -> Tensor:
    """Compute 1 at the first largest entry of the last axis, 0 elsewhere."""
    depth = logits.shape[-1] or tf.shape(logits)[-1]
    return tf.one_hot(tf.argmax(logits, -1), depth, dtype=logits.dtype, name=name)


def _probability() -> ModuleType:
    module: Any = ModuleType("tensorflow_probability")
    module.distributions = ModuleType("tensorflow_probability.distributions")
    module.distributions.Bernoulli = Bernoulli
    return module  # type: ignore[no-any-return]


class Bernoulli:
    """Draw 1 with the probabilities ``probs``, else 0."""

    def __init__(self, *, probs: Tensor, dtype: Any = tf.int32):
        self._probs, self._dtype = probs, dtype

    def sample(self, seed: int | None = None) -> Tensor:
        """Return one draw of the shape of ``probs``."""
        shape = tf.shape(self._probs)
        draw = tf.random.uniform(shape, dtype=self._probs.dtype, seed=seed)
        return tf.cast(draw < self._probs, self._dtype)
