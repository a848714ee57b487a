"""Attribute a score to the channels and positions of a layer, for one photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.analysis.offsets import Offsets
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import scores
from kerasviz.optvis.objectives.structure import structure_of, taps_in
from kerasviz.types import Array, PreActivation, Tensor

#: The number of points between 0 and the photo's activations at which gradients are averaged.
STEPS = 32

#: Compute one number for each image from its taps.
Score = Callable[[Mapping[str, Tensor]], Tensor]


@dataclass(frozen=True, eq=False)
class Attribution:
    """Hold how much each number of a layer contributes to a score.

    Args:
        tap: The name of the layer.
        values: [h, w, C], [tokens, C] or [C]: activation times (mean) gradient.
        activations: The layer itself, in the same shape.
        score: The score of the photo.
        baseline: The score where the layer is 0 throughout.
        steps: The number of averaged gradients; 1 for the linear approximation at the photo.

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018); Sundararajan et al.,
        "Axiomatic Attribution for Deep Networks" (2017).
    """

    tap: str
    values: Array
    activations: Array
    score: float
    baseline: float
    steps: int

    @property
    def by_channel(self) -> Array:
        """The contributions of the channels, [C]: the sums over positions."""
        sums: Array = self.values.sum(tuple(range(self.values.ndim - 1)), dtype=np.float64)
        return sums

    @property
    def by_position(self) -> Array:
        """The contributions of the positions, [h, w] or [tokens]: the sums over channels."""
        sums: Array = self.values.sum(-1, dtype=np.float64)
        return sums

    @property
    def missing(self) -> float:
        """What the contributions lack of score - baseline; 0 where the network is linear."""
        return float(self.score - self.baseline - self.values.sum(dtype=np.float64))

    def top(self, count: int = 4) -> tuple[list[int], list[int]]:
        """Return the channels that raise the score most, and those that lower it most."""
        order = np.argsort(-self.by_channel, kind="stable")
        most = [int(n) for n in order[:count] if self.by_channel[n] > 0]
        return most, [int(n) for n in order[::-1][:count] if self.by_channel[n] < 0]


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
    structure = structure_of(objective, net, pre_activation)
    data = pack_objectives(structure, [objective], net, pre_activation, image.shape[:2])
    names = taps_in(structure)
    net = net.focused([*names, *taps])

    def score(values: Mapping[str, Tensor]) -> Tensor:
        rows = {name: tf.repeat(array, steps, axis=0) for name, array in data.items()}
        count = next(iter(values.values())).shape[0]
        some = {name: array[:count] for name, array in rows.items()}
        return scores(structure, values, some, tf.range(count))

    return [_attributed(net, score, names, image, tap, steps) for tap in taps]


def _attributed(
    net: Network, score: Score, names: Sequence[str], image: Array, tap: str, steps: int
) -> Attribution:
    """Attribute a score to one layer; the rows of one batch are the points on the way."""
    shares = (np.arange(steps) + 0.5) / steps
    slopes, activations, reached = derivatives(net, score, names, image, tap, np.array([1.0, 0.0]))
    total = slopes[0]
    if steps > 1:
        batches = [shares[k : k + AT_ONCE] for k in range(0, steps, AT_ONCE)]
        total = sum(derivatives(net, score, names, image, tap, b)[0].sum(0) for b in batches)
    if not slopes.any() and not total.any():
        raise UsageError(
            f"{net.name}: the score does not depend on {tap}; name a layer before it "
            "(kerasviz taps lists them in order)"
        )
    return Attribution(
        tap=tap,
        values=activations[0] * (total / steps),
        activations=activations[0],
        score=float(reached[0]),
        baseline=float(reached[1]),
        steps=steps,
    )


#: The rows of a batch.
AT_ONCE = 16


def derivatives(
    net: Network, score: Score, names: Sequence[str], image: Array, tap: str, shares: Array
) -> tuple[Array, Array, Array]:
    """Differentiate a score by a layer that is multiplied by each of some ``shares`` [B].

    Returns the derivatives [B, ..., C], the layer before it is multiplied [B, ..., C], and the
    scores [B].
    """
    images = tf.repeat(tf.constant(image, tf.float32)[None], len(shares), axis=0)
    rank = len(net.taps[tap].shape or ())
    factor = tf.reshape(tf.constant(shares, tf.float32), [-1, *[1] * (rank - 1)])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        offsets = Offsets(net, [tap], tape, scale=factor)
        found = score(net.activations(images, [*names, tap], kernels=offsets.kernels))
    slopes = offsets.derivatives(found)[tap]
    return slopes.numpy(), offsets.values[tap].numpy(), found.numpy()
