"""Whether what was written gives the numbers of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.export.exported_function import Export
from kerasviz.types import Array

__all__ = ["difference", "tolerance"]

#: The largest difference, relative to the largest entry, that is rounding.
_TOLERANCE, _HALF_TOLERANCE = 1e-4, 0.05


def difference(
    export: Export,
    run: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    between: tuple[float, float] | None = None,
) -> float | None:
    """The largest difference of ``run`` from the export on a random input.

    It is relative to the largest entry of each output. ``between`` are the numbers that images
    have. ``None`` where the network cannot be computed on a random input.
    """
    feeds = {name: _random(export, name, between) for name in export.ports}
    try:
        wanted = export.compute(feeds)
    except (ModelError, ValueError, tf.errors.OpError):
        return None
    found = run(feeds)
    return max(_gap(np.asarray(wanted[n]), np.asarray(found[n]), n) for n in wanted)


def tolerance(tensors: Iterable[Any]) -> float:
    """The largest :func:`difference` that is rounding, for outputs like these."""
    sizes = [tensor.dtype.size for tensor in tensors if tensor.dtype.is_floating]
    return _TOLERANCE if not sizes or min(sizes) >= 4 else _HALF_TOLERANCE


def _random(export: Export, name: str, between: tuple[float, float] | None) -> Any:
    port = export.ports[name]
    shape = export.shape(name) or ()
    free = {0: 2} | ({1: 224, 2: 224, 3: 224} if len(shape) == 4 else {})
    lengths = [free.get(k, 8) if n is None else n for k, n in enumerate(shape)]
    rng = np.random.default_rng(0)
    dtype = tf.as_dtype(port.dtype)
    if not dtype.is_floating:
        return tf.cast(rng.integers(0, 2, lengths), dtype)
    if between is not None and len(shape) == 4:
        return tf.constant(rng.uniform(*between, lengths), dtype)
    return tf.constant(rng.normal(size=lengths), dtype)


def _gap(wanted: Array, found: Array, name: str) -> float:
    if wanted.shape != found.shape:
        raise ModelError(
            f"output {name!r} has the shape {list(found.shape)} after the conversion, "
            f"{list(wanted.shape)} before; this is a defect of kerasviz"
        )
    if wanted.size == 0 or not np.issubdtype(wanted.dtype, np.number):
        return float(not np.array_equal(wanted, found))
    a, b = wanted.astype(np.float64), found.astype(np.float64)
    finite = np.isfinite(a)
    if (finite != np.isfinite(b)).any():
        return float("inf")
    if not finite.any():
        return 0.0
    gap = float(np.abs(a[finite] - b[finite]).max())
    return gap / max(float(np.abs(a[finite]).max()), 1e-30) if gap else 0.0
