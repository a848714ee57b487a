"""Say what each unit of an earlier layer contributes to a unit on one photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.analysis.attribution import channel_sums, position_sums, strongest
from kerasviz.analysis.connections import connections, cropped
from kerasviz.analysis.edits import unit_edits
from kerasviz.analysis.offsets import Offsets
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import Kernels
from kerasviz.types import Array

#: UnitContributions that miss less than this share of the unit's value are those of a linear way.
EXACT = 1e-4


@dataclass(frozen=True, eq=False)
class UnitContributions:
    """Hold what the units of a layer contribute to a unit at one position of a photo.

    Args:
        source: The name of the earlier tap.
        target: The name of the later tap, before its activation function.
        unit: The number of its unit.
        position: Where the unit was taken; () for a vector.
        values: [h, w, C], [tokens, C] or [C], in the box that the unit sees.
        corner: The position in the source of the first value.
        score: The unit itself.
        rest: What the unit would be if the source were 0: its bias, and ways around the source.
        exact: Whether the way between is linear, so that values and rest sum to the score. Else
            the values are activation times gradient.
    """

    source: str
    target: str
    unit: int
    position: tuple[int, ...]
    values: Array
    corner: tuple[int, ...]
    score: float
    rest: float
    exact: bool

    @property
    def by_channel(self) -> Array:
        """The sums over positions, [C]."""
        return channel_sums(self.values)

    @property
    def by_position(self) -> Array:
        """The sums over channels, [h, w], [tokens] or a number."""
        return position_sums(self.values)

    @property
    def missing(self) -> float:
        """What the values lack of score - rest."""
        return float(self.score - self.rest - self.values.sum(dtype=np.float64))

    def top(self, count: int = 6) -> tuple[list[int], list[int]]:
        """Return the channels that raise the unit most, and those that lower it most."""
        return strongest(self.by_channel, count)


def unit_contributions(
    net: Network,
    source: str,
    target: str,
    unit: int,
    image: Array,
    *,
    position: tuple[int, ...] | None = None,
) -> UnitContributions:
    """Compute what each number of an earlier layer contributes to a unit on a photo.

    Args:
        net: The network.
        source: The name of the earlier tap.
        target: The name of the unit's tap; the unit is taken before its activation function.
        unit: The number of the unit.
        image: [H, W, C] in [0, 1].
        position: Where the unit is taken; by default where it is largest.

    Returns:
        Activations times weights where the way is linear, else activations times gradients.

    Raises:
        UsageError: If nothing leads from one tap to the other, and for a unit and a position that
            are not there.

    Example:
        >>> found = unit_contributions(net, "stem", "block3b", 5, images[0])
        >>> found.exact, abs(found.missing) < 1e-4
        (True, True)
    """
    net = net.focused([source, target])
    target = net.taps[target].pre_activation or target
    unit_edits(net, {target: {unit: 0.0}})  # checks the unit
    images = tf.constant(image, tf.float32)[None]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        offsets = Offsets(net, [source], tape)
        values = net.activations(images, [source, target], kernels=offsets.kernels)[target]
        at = _position(net, target, unit, values, position, image.shape[:2])
        score = values[(0, *at, unit)]
    gradient = offsets.derivatives(score)[source].numpy()[0]
    before = offsets.values[source].numpy()[0]
    channels = net.taps[source].channels or 0
    silent = unit_edits(net, {source: dict.fromkeys(range(channels), 0.0)})
    whole = net.activations(images, [target], kernels=Kernels(edits=silent))[target]
    rest = float(whole[(0, *at, unit)])
    weights = connections(net, source, target, [unit], position=at, image=image)
    box = tuple(
        slice(k, k + n) for k, n in zip(weights.corner, weights.weights.shape[1:-1], strict=True)
    )
    made = before[box].astype(np.float64) * weights.weights[0]
    corner = weights.corner
    scale = max(abs(float(score)), abs(rest), float(abs(made).sum()))
    exact = bool(abs(float(score) - rest - made.sum()) <= EXACT * scale)
    if not exact:
        cut, corner = cropped((before * gradient)[None])
        made = cut[0].astype(np.float64)
    return UnitContributions(source, target, unit, at, made, corner, float(score), rest, exact)


def _position(
    net: Network,
    target: str,
    unit: int,
    values: tf.Tensor,
    position: tuple[int, ...] | None,
    size: Sequence[int],
) -> tuple[int, ...]:
    """Return the index of a position, by default that of the largest value of the unit."""
    if position is not None:
        return positions_of(net, target, (size[0], size[1])).index(position, unit=unit)
    own = values[0, ..., unit].numpy()
    return tuple(int(n) for n in np.unravel_index(int(np.argmax(own)), own.shape))
