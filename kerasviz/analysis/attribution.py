"""Attribute a score to the channels and positions of a layer, for one photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasviz.analysis.photo_pass import PhotoPass, Score, score_of
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.types import Array, PreActivation

#: The number of points between 0 and the photo's activations at which gradients are averaged.
STEPS = 12


def channel_sums(values: Array) -> Array:
    """Return contributions [..., C] summed over positions, [C]."""
    sums: Array = values.sum(tuple(range(values.ndim - 1)), dtype=np.float64)
    return sums


def position_sums(values: Array) -> Array:
    """Return contributions [..., C] summed over channels, [...]."""
    sums: Array = values.sum(-1, dtype=np.float64)
    return sums


def strongest(sums: Array, count: int) -> tuple[list[int], list[int]]:
    """Return the channels with the largest sums above 0, and those with the least below it."""
    order = np.argsort(-sums, kind="stable")
    most = [int(n) for n in order[:count] if sums[n] > 0]
    return most, [int(n) for n in order[::-1][:count] if sums[n] < 0]


@dataclass(frozen=True, eq=False)
class Attribution:
    """Hold how much each number of a layer contributes to a score.

    Args:
        tap: The name of the layer.
        activations: [h, w, C], [tokens, C] or [C] The layer.
        slopes: The (mean) gradient of the score by the layer, in the same shape.
        score: The score of the photo.
        baseline: The score where the layer is 0 throughout.
        steps: The number of averaged gradients; 1 for the linear approximation at the photo.

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018); Sundararajan et al.,
        "Axiomatic Attribution for Deep Networks" (2017).
    """

    tap: str
    activations: Array
    slopes: Array
    score: float
    baseline: float
    steps: int

    @property
    def values(self) -> Array:
        """The contributions in the shape of the layer: activation times (mean) gradient."""
        product: Array = self.activations * self.slopes
        return product

    @property
    def by_channel(self) -> Array:
        """The contributions of the channels, [C]: the sums over positions."""
        return channel_sums(self.values)

    @property
    def by_position(self) -> Array:
        """The contributions of the positions, [h, w] or [tokens]: the sums over channels."""
        return position_sums(self.values)

    @property
    def missing(self) -> float:
        """What the contributions lack of score - baseline; 0 where the network is linear."""
        return float(self.score - self.baseline - self.values.sum(dtype=np.float64))

    def top(self, count: int = 4) -> tuple[list[int], list[int]]:
        """Return the channels that raise the score most, and those that lower it most."""
        return strongest(self.by_channel, count)


def attribute(
    net: Network,
    objective: Objective,
    image: Array,
    taps: Sequence[str],
    *,
    steps: int = STEPS,
    pre_activation: PreActivation = True,
) -> list[Attribution]:
    """Attribute the score of an objective to layers.

    With one step the contributions are activation x gradient at the photo. With more, the gradient
    is the mean of those at equal distances on the way from 0 to the layer's activations, and the
    contributions sum to what the layer adds to the score.

    Args:
        net: The network.
        objective: A unit, a class, a direction or a sum of them: ``logit(a) - logit(b)`` tells
            what decides between two classes.
        image: [H, W, C] in [0, 1].
        taps: The names of layers before the objective's.
        steps: The number of gradients.
        pre_activation: Whether units are taken before their ReLU.

    Raises:
        UsageError: For a layer that the score does not depend on.

    Example:
        >>> photo = np.ones((16, 16, 3), np.float32) / 2
        >>> found, = attribute(net, kerasviz.objectives.logit(2), photo, ["stem"])
        >>> found.by_channel.shape, found.by_position.shape
        ((8,), (14, 14))
    """
    if steps < 1:
        raise UsageError(f"steps {steps}: expected 1 or more")
    score = score_of(net, objective, image.shape[:2], pre_activation)
    run = PhotoPass(net, image, taps, score.taps)
    return [attribute_layer(run, score, tap, steps) for tap in taps]


def attribute_layer(run: PhotoPass, score: Score, tap: str, steps: int = STEPS) -> Attribution:
    """Attribute a score to one layer of a photo; ``score.taps`` are among those of the pass.

    Raises :class:`UsageError` for a layer that the score does not depend on.
    """
    # A score is piecewise linear where activation functions are: with equal distances the sum is
    # nearer to its limit than with the nodes of Gauss and Legendre.
    shares = (np.arange(steps) + 0.5) / steps if steps > 1 else [1.0]
    found, slopes = run.derivatives(tap, score, [*shares, 0.0])
    if not slopes.any():
        raise UsageError(
            f"{run.net.name}: the score does not depend on {tap}; name a layer before it "
            "(kerasviz taps lists them in order)"
        )
    return Attribution(
        tap=tap,
        activations=run.values(tap),
        slopes=slopes[:-1].mean(0),
        score=run.score(score),
        baseline=float(found[-1]),
        steps=steps,
    )
