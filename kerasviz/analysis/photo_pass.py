"""Run a network for one photo, once, and differentiate scores by its layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import PLAIN, Edit
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import scores
from kerasviz.optvis.objectives.structure import structure_of, taps_in
from kerasviz.types import Array, PreActivation, Size, Tensor

#: The most rows of a batch.
AT_ONCE = 16
#: The most numbers of a layer in a batch, 512 MB; a pass and its gradients hold several layers.
MOST_NUMBERS = 1 << 27


@dataclass(frozen=True)
class Score:
    """Hold how to compute one number for each row of a batch.

    Args:
        taps: The names of the taps that it is computed from.
        of: Maps the taps, [B, ..., C] each, and the numbers of the rows [B] to scores [B].
    """

    taps: tuple[str, ...]
    of: Callable[[Mapping[str, Tensor], Tensor], Tensor]


def score_of(
    net: Network, objective: Objective, size: Size, pre_activation: PreActivation = True
) -> Score:
    """Return how to score rows by an objective, for images of ``size`` (height, width)."""
    structure = structure_of(objective, net, pre_activation)
    data = pack_objectives(structure, [objective], net, pre_activation, size)

    def of(values: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        count = rows.shape[0]
        same = {name: tf.repeat(array, count, axis=0) for name, array in data.items()}
        return scores(structure, values, same, tf.range(count))

    return Score(taps_in(structure), of)


class PhotoPass:
    """Hold the values of one photo at some taps, from which later ones are computed again.

    What lies before a tap is computed once; derivatives by the tap start from its values.

    Args:
        net: The network.
        image: [H, W, C] in [0, 1].
        taps: The taps to differentiate by.
        others: Further taps whose values are wanted.

    Raises:
        UsageError: For a tap that does not keep the images of a batch apart.

    Example:
        >>> photo = np.ones((16, 16, 3), np.float32) / 2
        >>> run = PhotoPass(net, photo, ["stem"])
        >>> score = score_of(net, kerasviz.objectives.logit(1), (16, 16))
        >>> found, slopes = run.derivatives("stem", score, [1.0, 0.5])
        >>> found.shape, slopes.shape
        ((2,), (2, 14, 14, 8))
    """

    def __init__(self, net: Network, image: Array, taps: Sequence[str], others: Sequence[str] = ()):
        names = list(dict.fromkeys([*taps, *others]))
        self.net = net.focused(names)
        self.taps = tuple(taps)
        self.size: Size = image.shape[:2]
        self._image = tf.constant(image, tf.float32)[None]
        self._fixed = self.net.fixed_batch(names, self.size)
        self._parts: dict[str, Tensor] = {}
        edits = {part: self._keep(part) for tap in taps for part in self.net.taps[tap].parts}
        found = self.net.activations(
            self._images(self._fixed or 1), names, kernels=replace(PLAIN, edits=edits)
        )
        self._values = {name: value[:1] for name, value in found.items()}
        for tap in taps:
            self._check(tap)

    def _images(self, count: int) -> Tensor:
        return tf.repeat(self._image, count, axis=0)

    def _keep(self, part: str) -> Edit:
        def kept(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
            self._parts[part] = value
            return value

        return kept

    def _check(self, tap: str) -> None:
        parts = self.net.taps[tap].parts
        if any(self._parts[part].shape[0] != (self._fixed or 1) for part in parts):
            raise UsageError(
                f"{self.net.name}: {tap} has no row for each image; name another layer "
                "(kerasviz taps lists them in order)"
            )

    @property
    def _rows(self) -> int:
        """The rows of a batch: fewer where a layer is so large that many would fill the memory."""
        largest: int = max(math.prod(value.shape) for value in self._values.values())
        return max(1, min(AT_ONCE, MOST_NUMBERS // largest))

    def values(self, tap: str) -> Array:
        """Return the values of a tap for the photo, [..., C]."""
        array: Array = self._values[tap].numpy()[0]
        return array

    def on_map(self, tap: str, values: Array) -> Array | None:
        """Return numbers in the shape of a tap on its map, [h, w, C]; ``None`` without a map.

        Special tokens of a row are left out; a map has two positions or more.
        """
        place = positions_of(self.net, tap, self.size)
        if values.ndim < 2 or place.map is None or math.prod(place.map) < 2:
            return None
        mapped: Array = values.reshape(-1, values.shape[-1])[place.special :]
        return mapped.reshape(*place.map, -1)

    def special(self, tap: str) -> int:
        """Return the number of special tokens of a tap, which are not on its map."""
        return positions_of(self.net, tap, self.size).special

    def score(self, score: Score) -> float:
        """Return the score of the photo, whose taps are among those of the pass."""
        values = {tap: self._values[tap] for tap in score.taps}
        return float(score.of(values, tf.range(1)).numpy()[0])

    def derivatives(
        self, tap: str, score: Score, shares: Sequence[float] | Array
    ) -> tuple[Array, Array]:
        """Return the scores [B] of rows and their derivatives by a tap, [B, ..., C].

        Args:
            tap: A tap of the pass.
            score: What is differentiated; row b has the number b.
            shares: [B] The factors by which the tap is multiplied.
        """
        factors = np.asarray(shares, np.float32)
        count = -(-len(factors) // (self._fixed or self._rows))
        found, slopes = [], []
        for rows in np.array_split(np.arange(len(factors)), count):
            own = len(rows)
            if self._fixed:  # all rows are computed, those beyond are dropped
                rows = np.resize(rows, self._fixed)
            totals, gradients = self._differentiated(tap, score, factors[rows], rows)
            found.append(totals[:own].numpy())
            slopes.append(gradients[:own].numpy())
        return np.concatenate(found), np.concatenate(slopes)

    def _differentiated(
        self, tap: str, score: Score, shares: Array, rows: Array
    ) -> tuple[Tensor, Tensor]:
        names = self.net.taps[tap].parts
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            given = {}
            for name in names:
                value = self._parts[name][:1]
                factor = tf.reshape(tf.constant(shares), [-1, *[1] * (value.shape.rank - 1)])
                given[name] = value * tf.cast(factor, value.dtype)
            tape.watch(given)
            kernels = replace(PLAIN, given=given)
            values = self.net.activations(self._images(len(rows)), score.taps, kernels=kernels)
            found = score.of(values, tf.constant(rows, tf.int32))
        gradients = tape.gradient(found, given, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        parts = [gradients[name] for name in names]
        return found, tf.concat(parts, -1) if len(parts) > 1 else parts[0]
