"""Compare what was written with the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.export.exported_function import Export
from kerasviz.network.comparison import random_inputs, relative_difference

#: Largest relative difference that is rounding, where all outputs have at least 32 bits.
_TOLERANCE = 1e-4
#: The same where an output has 16 bits.
_HALF_TOLERANCE = 0.05
#: Height and width of random images where the export leaves them free, in pixels.
_SIZE = (224, 224)


def difference(
    export: Export,
    run: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    between: tuple[float, float] | None = None,
) -> float | None:
    """Return the largest relative difference of ``run`` from the export on a random input.

    It is relative to the largest entry of each output. ``between`` is the range of images.
    ``None`` where the network cannot be computed on a random input.
    """
    ports = {
        name: replace(port, shape=port.last_shape, channels_first=False)
        if export.channels_last
        else port
        for name, port in export.ports.items()
    }
    images = [name for name, port in ports.items() if len(port.shape or ()) == 4]
    try:
        arrays = random_inputs(ports, images, between or (-1.0, 1.0), size=_SIZE, batch=2)
        feeds = {name: tf.constant(array) for name, array in arrays.items()}
        wanted = export.compute(feeds)
    except (ModelError, ValueError, tf.errors.OpError):
        return None
    found = run(feeds)
    gaps = []
    for name in wanted:
        before, after = np.asarray(wanted[name]), np.asarray(found[name])
        if before.shape != after.shape:
            raise ModelError(
                f"output {name!r} has the shape {list(after.shape)} after the conversion, "
                f"{list(before.shape)} before; this is a defect of kerasviz"
            )
        gaps.append(relative_difference(after, before))
    return max(gaps)


def checked_difference(
    name: str,
    export: Export,
    run: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    between: tuple[float, float] | None,
    outputs: Iterable[Any],
) -> float | None:
    """Return the :func:`difference` of network ``name``; :class:`ModelError` if it is no rounding.

    What rounding is depends on the types of the ``outputs``.
    """
    error = difference(export, run, between)
    sizes = [tensor.dtype.size for tensor in outputs if tensor.dtype.is_floating]
    most = _TOLERANCE if not sizes or min(sizes) >= 4 else _HALF_TOLERANCE
    if error is not None and not error <= most:
        raise ModelError(
            f"{name}: what was written differs by {error:.1e} of the largest number; it was "
            "not kept (this is a defect of kerasviz)"
        )
    return error
