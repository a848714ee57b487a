"""Which units are like another: by their responses to data, or else by their weights."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from kerasviz.analysis.weight_neighbours import cosines, incoming_weights, most_and_least
from kerasviz.errors import UsageError
from kerasviz.examples.statistics.index import FAR, NEAR
from kerasviz.service.networks import Networks
from kerasviz.types import Array

if TYPE_CHECKING:
    from kerasviz.examples.folder import Examples

#: Layers whose weights are kept.
KEPT = 8
#: Units of a layer beyond which weights are not compared.
MOST_UNITS = 2048


@dataclass(frozen=True)
class LikeUnits:
    """Hold the units that are like another, with numbers in [-1, 1], and how they were found.

    ``how`` is ``correlation`` over the images of a dataset, ``cosine`` of the weights from
    ``source``, or empty where neither is known.
    """

    how: str
    source: str
    near: tuple[tuple[int, float], ...] = ()
    far: tuple[tuple[int, float], ...] = ()
    images: int = 0


class UnitNeighbours:
    """Finds the neighbours of units; callers enter ``slots`` before."""

    def __init__(self, networks: Networks, at_once: int = 1):
        self.networks = networks
        self.slots = asyncio.Semaphore(at_once)
        self._weights = lru_cache(maxsize=KEPT)(self._compute)

    def of(self, name: str, tap: str, unit: int, examples: Examples | None) -> LikeUnits:
        """Return the units that are active together with a unit, or have weights like its own."""
        if examples is not None and examples.has_statistics(tap) and examples.index is not None:
            found = examples.index.unit(tap, unit)
            opposites = tuple((u, r) for u, r in found.opposites if r < 0)
            images = int(examples.data["seen"])
            return LikeUnits("correlation", "", found.neighbours, opposites, images)
        weights = self._weights(name, tap)
        if weights is None:
            return LikeUnits("", "")
        near, far = most_and_least(cosines(weights[1], unit), unit, NEAR, FAR)
        return LikeUnits("cosine", weights[0], tuple(near), tuple(far))

    def cosines(self, name: str, tap: str, unit: int) -> Array | None:
        """Return the cosines [units] of the weights of each unit with those of one.

        ``None`` where no weights lead to the layer, and for too many units.
        """
        weights = self._weights(name, tap)
        return None if weights is None else cosines(weights[1], unit)

    def _compute(self, name: str, tap: str) -> tuple[str, Array] | None:
        net = self.networks.get(name)
        if (net.taps[tap].channels or 0) > MOST_UNITS:
            return None
        try:
            return incoming_weights(net, tap)
        except UsageError:  # gates alone lead from the layer before
            return None
