"""Say how far the paths between two taps cancel each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.analysis.connections import Connections, blank_image
from kerasviz.analysis.linearization import linearize
from kerasviz.analysis.offsets import Offsets
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.types import Array, Tensor

#: Sums of absolute paths may be smaller than the absolute sum by this share, by rounding.
ROUNDING = 1e-3


def remaining_shares(
    net: Network, found: Connections, *, image: Array | None = None
) -> Array | None:
    """Return which share of the paths between units is left after opposite ones cancel.

    The weights are compared with those of the same network whose kernels are replaced by their
    absolute values: paths of opposite signs, which are hidden in the sum, add up there. A share
    near 0 says that two units look unrelated though much leads from one to the other.

    Args:
        net: The network.
        found: Connections at the middle of the target.
        image: The image at which they were computed; grey by default.

    Returns:
        [units, channels of the source] in [0, 1], NaN where nothing leads from one to the other;
        ``None`` if other weights than those of convolutions are on the way.

    Reference:
        Voss et al., "Visualizing Weights" (Distill 2021), on polarity.

    Example:
        >>> from kerasviz.analysis.connections import connections
        >>> found = connections(net, "stem", "block3b", [7])
        >>> bool((abs(remaining_shares(net, found) - 1) < 1e-3).all())  # one convolution
        True
    """
    net = net.focused([found.source, found.target])
    image = blank_image(net) if image is None else image
    linear = linearize(net, found.source, found.target)
    kernels = replace(
        linear.kernels,
        convolve=_absolute(tf.nn.conv2d),
        convolve_depthwise=_absolute(tf.nn.depthwise_conv2d),
    )
    centre = positions_of(net, found.target, image.shape[:2]).centre
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        offsets = Offsets(net, [found.source], tape, kernels)
        images = tf.constant(image, tf.float32)[None]
        taps = [found.source, found.target]
        row = net.activations(images, taps, kernels=offsets.kernels)[found.target][(0, *centre)]
    ones = tf.one_hot(list(found.units), row.shape[-1], dtype=row.dtype)
    parts = [offsets.derivatives(row, upstream=one)[found.source].numpy()[0] for one in ones]
    whole = np.stack(parts).astype(np.float64)
    axes = tuple(range(1, whole.ndim - 1))
    signed, every = abs(found.weights.astype(np.float64)).sum(axes), whole.sum(axes)
    if whole.min() < 0 or (signed > every * (1 + ROUNDING)).any():
        return None
    shares: Array = np.divide(signed, every, out=np.full_like(every, np.nan), where=every > 0)
    return np.minimum(shares, 1)


def _absolute(convolve: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def absolute(x: Tensor, kernel: Tensor, *settings: Any, **named: Any) -> Tensor:
        return convolve(x, tf.abs(kernel), *settings, **named)

    return absolute
