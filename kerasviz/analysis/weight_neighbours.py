"""Find the units of a layer that are built from the same as another: by the cosine of weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasviz.analysis.circuit import layers_back
from kerasviz.analysis.connections import connections
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.types import Array, Size

#: Units whose weights are computed at once.
TOGETHER = 64
#: The sides of images, in pixels, of which the first with enough positions is taken.
SIDES = (32, 64, 128)
#: Positions along a side that hold the weights of most convolutions.
ROOM = 9


def incoming_weights(net: Network, tap: str, size: Size | None = None) -> tuple[str, Array] | None:
    """Return the nearest main layer before a tap, and the weights from it to all units of the tap.

    Args:
        net: The network.
        tap: The name of a tap.
        size: (height, width) in pixels of the grey image, by default a small one in which a unit
            sees all that its weights reach.

    Returns:
        The name of the earlier layer and [units, ...] the weights at the positions that any unit
        has; ``None`` for a tap with no main layer before it.

    Example:
        >>> source, weights = incoming_weights(net, "block3b", (16, 16))
        >>> source, weights.shape
        ('stem', (8, 3, 3, 8))
    """
    back = [name for name, level in layers_back(net, tap) if level == -1]
    if not back:
        return None
    units = net.taps[tap].channels or 0
    size = size or _small_size(net, back[0], tap)
    parts = []
    for first in range(0, units, TOGETHER):
        chosen = range(first, min(units, first + TOGETHER))
        found = connections(net, back[0], tap, chosen, size=size)
        parts.append((found.weights, found.corner))
    return back[0], joined(parts)


def _small_size(net: Network, source: str, tap: str) -> Size | None:
    """Return a small size at which a tap can be computed, ``None`` for that of the network."""
    for side in SIDES:
        if not net.computes(tap, side, side):
            continue
        extent = positions_of(net, source, (side, side)).extent
        if extent and min(n or 0 for n in extent) >= ROOM:
            return side, side
    return None


def joined(parts: Sequence[tuple[Array, tuple[int, ...]]]) -> Array:
    """Join weights [units, ..., channels] of different corners, with 0 where one has none.

    >>> a, b = np.ones((1, 2, 1)), np.full((1, 1, 1), 5)
    >>> joined([(a, (3,)), (b, (2,))])[..., 0]
    array([[0., 1., 1.],
           [5., 0., 0.]])
    """
    corners = np.array([corner for _, corner in parts], int)
    ends = corners + np.array([weights.shape[1:-1] for weights, _ in parts], int)
    low, high = corners.min(0, initial=1 << 30), ends.max(0, initial=0)
    grown = []
    for (weights, _), corner, end in zip(parts, corners, ends, strict=True):
        around = [(int(a), int(b)) for a, b in zip(corner - low, high - end, strict=True)]
        grown.append(np.pad(weights, [(0, 0), *around, (0, 0)]))
    return np.concatenate(grown)


def cosines(weights: Array, unit: int) -> Array:
    """Return the cosines of the weights [units, ...] of a unit with those of all units, [units].

    Units without weights have 0.

    >>> cosines(np.array([[1.0, 0.0], [-2.0, 0.0], [3.0, 3.0], [0.0, 0.0]]), 0).round(3)
    array([ 1.   , -1.   ,  0.707,  0.   ])
    """
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    norms = np.sqrt((flat**2).sum(1))
    products = norms * norms[unit]
    found: Array = flat @ flat[unit] / np.where(products > 0, products, 1)
    return found


def most_and_least(
    likeness: Array, unit: int, near: int, far: int
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Return the units most like another, and those least like it that are below 0.

    >>> most_and_least(np.array([1.0, -0.5, 0.7, 0.2]), 0, 2, 2)
    ([(2, 0.7), (3, 0.2)], [(1, -0.5)])
    """
    order = [int(k) for k in np.argsort(-likeness, kind="stable") if k != unit]
    most = [(k, float(likeness[k])) for k in order[:near] if likeness[k] > 0]
    least = [(k, float(likeness[k])) for k in order[::-1][:far] if likeness[k] < 0]
    return most, least
