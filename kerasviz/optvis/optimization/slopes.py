"""The opacity of pictures by slopes: how much scores depended on each pixel, over all steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.types import Array, Size, Tensor

#: The percentile of the sums from which a picture is opaque (Horama, ``plots.py``).
OPAQUE = 80
#: The parts of a state before the sums: parameters and two moments.
BEFORE = 3


def no_slopes(seeds: Tensor, size: Size) -> tuple[Tensor, ...]:
    """Return what a state has of slopes before the first step: sums [B, H, W]."""
    return (tf.zeros([seeds.shape[0], *size]),)


def add_slopes(sums: Sequence[Tensor], slopes: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Add the sizes of slopes [B, H, W, C], the mean over colours, to the sums of a state."""
    pairs = zip(sums, slopes, strict=True)
    return tuple(total + tf.reduce_mean(tf.abs(slope), axis=-1) for total, slope in pairs)


def without_moments(state: Any) -> Any:
    """Return what of a state a picture is made of."""
    return (state[0], None, None, *state[BEFORE:])


def opacity_of(state: Any) -> Array | None:
    """Return the opacity [B, H, W] in [0, 1] of a state, ``None`` where it has no sums.

    It is the sum of each pixel over the 80th percentile of its picture, at most 1, and 0 where no
    score depended on the picture. Source: Horama, ``plots.py``.
    """
    if len(state) <= BEFORE:
        return None
    sums = np.asarray(state[BEFORE], np.float32)
    bounds = np.percentile(sums, OPAQUE, axis=(1, 2), keepdims=True).astype(np.float32)
    opacity: Array = np.clip(sums / np.maximum(bounds, np.finfo(np.float32).tiny), 0, 1)
    return opacity
