"""Attribute positions and units of a layer of one photo to those of an earlier layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from kerasviz.analysis.photo_pass import PhotoPass, Score
from kerasviz.errors import UsageError
from kerasviz.network.positions import positions_of
from kerasviz.types import Array, Tensor

#: Positions of the later layer, and of the earlier one: a map of each is computed for each.
MOST = 256
MOST_EARLIER = 1024


def position_pairs(run: PhotoPass, earlier: str, later: str) -> Array:
    """Attribute the length of each position's vector in a layer to the positions of an earlier one.

    It is the linear approximation: activation times gradient of the L2 norm, summed over units.

    Args:
        run: A pass of the photo with both taps.
        earlier: A layer with at most 1024 positions.
        later: A layer with at most 256 positions that is computed from it.

    Returns:
        [h2, w2, h1, w1]: the contribution of (y1, x1) to the length at (y2, x2). Special tokens
        are left out.

    Raises:
        UsageError: For layers without positions or with too many, and one that does not depend on
            the other.

    Example:
        >>> run = PhotoPass(net, np.ones((16, 16, 3), np.float32) / 2, ["stem", "block3b"])
        >>> position_pairs(run, "stem", "block3b").shape
        (12, 12, 14, 14)
    """
    size = run.size
    maps = []
    for tap, most in ((earlier, MOST_EARLIER), (later, MOST)):
        place = positions_of(run.net, tap, size)
        if place.map is None or np.prod(place.map) < 2:
            raise UsageError(f"{place.describe()}, so nothing to pair; name a layer with a map")
        if np.prod(place.map) > most:
            raise UsageError(
                f"{place.describe()}; of pairs at most {most} are computed; name a later layer"
            )
        maps.append(place)
    before, after = maps

    def length(values: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        a = after.on_map(values[later])
        flat = tf.reshape(a, [a.shape[0], -1, a.shape[-1]])
        # Squares have a gradient at 0, their root has none.
        squares = tf.reduce_sum(tf.square(tf.gather(flat, rows, axis=1, batch_dims=1)), -1)
        return tf.where(squares > 0, tf.sqrt(tf.where(squares > 0, squares, 1.0)), 0.0)

    count = int(np.prod(after.map or ()))
    _, slopes = run.derivatives(earlier, Score((later,), length), np.ones(count))
    _check(run, slopes, earlier, later)
    shares = (slopes * run.values(earlier)).sum(-1).reshape(count, -1)[:, before.special :]
    found: Array = shares.reshape(*(after.map or ()), *(before.map or ()))
    return found


def unit_pairs(run: PhotoPass, earlier: str, later: str, units: Sequence[int]) -> Array:
    """Attribute units of a layer, each summed over its positions, to the units of an earlier one.

    It is the linear approximation: activation times gradient, summed over positions.

    Args:
        run: A pass of the photo with both taps.
        earlier: A layer of C units.
        later: A layer that is computed from it.
        units: [N] Units of the later layer.

    Returns:
        [N, C].

    Raises:
        UsageError: For a layer that does not depend on the other.

    Example:
        >>> run = PhotoPass(net, np.ones((16, 16, 3), np.float32) / 2, ["stem", "block3b"])
        >>> unit_pairs(run, "stem", "block3b", [1, 2]).shape
        (2, 8)
    """
    numbers = tf.constant(list(units), tf.int32)

    def total(values: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        a = values[later]
        sums = tf.reduce_sum(tf.reshape(a, [a.shape[0], -1, a.shape[-1]]), 1)
        return tf.gather(sums, tf.gather(numbers, rows), axis=1, batch_dims=1)

    _, slopes = run.derivatives(earlier, Score((later,), total), np.ones(len(units)))
    _check(run, slopes, earlier, later)
    shares = slopes * run.values(earlier)
    found: Array = shares.reshape(len(units), -1, shares.shape[-1]).sum(1)
    return found


def _check(run: PhotoPass, slopes: Array, earlier: str, later: str) -> None:
    if not slopes.any():
        raise UsageError(f"{run.net.name}: {later} does not depend on {earlier} for this photo")
