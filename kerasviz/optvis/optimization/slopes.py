"""The opacity of pictures by slopes: how much scores depended on each pixel, over all steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.types import Array, Size, Tensor

#: The percentile of the sums from which a picture is opaque (Horama, ``plots.py``).
OPAQUE = 80
#: The deviation, as a share of the longer side, over which sums are smoothed: single pixels of
#: gradients vary like noise, and crops have edges.
SMOOTH = 0.01
#: The reach of the smoothing in deviations.
REACH = 3
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

    It is the smoothed sum of each pixel over the 80th percentile of its picture, at most 1, and 0
    where no score depended on the picture. Source: Horama, ``plots.py``, but for the smoothing.
    """
    if len(state) <= BEFORE:
        return None
    sums = _smoothed(np.asarray(state[BEFORE], np.float64))
    bounds = np.percentile(sums, OPAQUE, axis=(1, 2), keepdims=True)
    opacity: Array = np.clip(sums / np.maximum(bounds, np.finfo(np.float64).tiny), 0, 1)
    return opacity.astype(np.float32)


def _smoothed(sums: Array) -> Array:
    """Smooth numbers [B, H, W] by a Gaussian, whose weights at borders are those inside."""
    deviation = SMOOTH * max(sums.shape[1:])
    reach = int(REACH * deviation)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * np.square(offsets / max(deviation, 1e-9)))
    for axis in (1, 2):
        count = sums.shape[axis]
        total, share = np.zeros_like(sums), np.zeros(count)
        for offset, weight in zip(offsets, weights, strict=True):
            to = slice(max(0, -offset), min(count, count - offset))
            of = slice(max(0, offset), min(count, count + offset))
            shifted = (slice(None),) * axis
            total[*shifted, to] += weight * sums[*shifted, of]
            share[to] += weight
        sums = total / (share[:, None] if axis == 1 else share)
    return sums
