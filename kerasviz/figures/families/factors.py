"""Factorize the weights of families, and of all units of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.analysis.connections import Connections, connections
from kerasviz.analysis.factors import (
    FamilyFactors,
    UnitFactors,
    band_score,
    factorize_family,
    factorize_unit,
    in_matched_order,
)
from kerasviz.analysis.families import Family
from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.types import Array

#: The factors of each family, and of each unit of the layer.
OF_FAMILY = 2
OF_UNIT = 3


@dataclass(frozen=True, eq=False)
class FactorSheets:
    """Hold the factors of the weights between two taps.

    Args:
        source: The name of the earlier tap.
        families: The factors of each family, by its name.
        units: The factors of all units of the layer, alike ones beside each other.
        order: The numbers of these units.
        bands: How far the weights of these units lie in horizontal bands, 0 to 1.
    """

    source: str
    families: dict[str, FamilyFactors]
    units: tuple[UnitFactors, ...]
    order: tuple[int, ...]
    bands: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the factors as plain data, without the patterns of single units."""
        return {
            "from": self.source,
            "families": {
                name: {
                    "explained": rounded(found.explained, 4),
                    "strengths": [
                        [rounded(n, 4) for n in row]
                        for row in np.linalg.norm(found.patterns, axis=(1, 2))
                    ],
                    "strongest": [
                        [int(k) for k in np.argsort(-row, kind="stable")[:4]]
                        for row in found.directions
                    ],
                }
                for name, found in self.families.items()
            },
            "band_scores": {
                str(u): rounded(n, 4) for u, n in zip(self.order, self.bands, strict=True)
            },
            "mean_band_score": rounded(float(np.mean(self.bands)), 4),
        }


def factor_sheets(net: Network, source: str, tap: str, families: Sequence[Family]) -> FactorSheets:
    """Factorize the weights from a tap to all units of a layer.

    Raises:
        UsageError: If nothing leads from one to the other, and for weights without a map.
    """
    channels = net.taps[tap].channels or 0
    found = connections(net, source, tap, range(channels))
    weights = _maps(found)
    height, width, inputs = weights.shape[1:]
    by_family = {}
    for family in families:
        own = weights[list(family.units)]
        if own.any():
            by_family[family.name] = factorize_family(own, min(OF_FAMILY, inputs))
    chosen = [n for n in range(channels) if weights[n].any()]
    count = min(OF_UNIT, height * width, inputs)
    factors = in_matched_order([factorize_unit(weights[n], count) for n in chosen])
    order = _alike_together([unit.patterns for unit in factors])
    return FactorSheets(
        source,
        by_family,
        tuple(factors[k] for k in order),
        tuple(chosen[k] for k in order),
        tuple(band_score(weights[chosen[k]]) for k in order),
    )


def _maps(found: Connections) -> Array:
    if found.weights.ndim != 4:
        raise UsageError(
            f"{found.source} to {found.target}: the weights have no map to factorize; name another "
            "tap with --from"
        )
    return found.weights


def _alike_together(patterns: Sequence[Array]) -> list[int]:
    """Return an order in which each pattern is followed by the most similar one that is left."""
    flat = np.stack([p.ravel() / (np.linalg.norm(p) or 1) for p in patterns])
    left = list(range(1, len(flat)))
    order = [0]
    while left:
        nearest = max(left, key=lambda n: (float(flat[n] @ flat[order[-1]]), -n))
        order.append(nearest)
        left.remove(nearest)
    return order
