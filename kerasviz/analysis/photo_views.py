"""Look at one layer of a photo in detail, and at how it is built from earlier layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.analysis.attribution import Attribution
from kerasviz.analysis.explanation import Explanation, LayerShare, short
from kerasviz.analysis.groups import Groups
from kerasviz.analysis.layer_pairs import MOST, MOST_EARLIER, position_pairs, unit_pairs
from kerasviz.analysis.photo_pass import PhotoPass
from kerasviz.types import Array

#: Layers of a chain, whose units are attributed to each other.
CHAIN = 4
#: Units of a layer in a chain, at most: each costs a gradient.
CHAIN_UNITS = 10
#: Positions of the layer that is looked at in detail, if none is named.
USUAL = (64, 400)
#: The most positions that are looked at in detail.
MOST_DETAILED = 4096


@dataclass(frozen=True, eq=False)
class GroupShares:
    """Hold what groups of units contribute to a score.

    Args:
        groups: The groups.
        contributions: [K] What each contributes at all positions together.
    """

    groups: Groups
    contributions: Array

    def to_json(self) -> dict[str, Any]:
        """Return the groups as plain data."""
        return {
            "tap": self.groups.tap,
            "error": short(self.groups.error),
            "contributions": short(self.contributions),
            "places": short(self.groups.places),
            "units": short(self.groups.units),
        }


@dataclass(frozen=True, eq=False)
class LayerPair:
    """Hold what units of a layer are built from in an earlier one, for one photo.

    Args:
        earlier: The name of the earlier layer, of C units.
        later: The name of the later layer.
        units: [N] Units of the later layer.
        shares: [N, C] What each unit of the earlier layer contributes to them.
        positions: [h2, w2, h1, w1] What each position of the earlier layer contributes to the
            length of the vector at each position of the later one; ``None`` where one of them has
            no map or too many positions, and for all but the last such pair.
    """

    earlier: str
    later: str
    units: tuple[int, ...]
    shares: Array
    positions: Array | None

    def partners(self, count: int) -> list[list[tuple[int, float]]]:
        """Return, for each of the units, the earlier ones that raise and lower it most."""
        found = []
        for row in self.shares:
            order = np.argsort(-row, kind="stable")
            ends = [*order[:count], *order[::-1][:count]]
            found.append([(int(n), float(row[n])) for n in dict.fromkeys(ends) if row[n]])
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the pair as plain data."""
        return {
            "earlier": self.earlier,
            "later": self.later,
            "units": list(self.units),
            "shares": short(self.shares),
            "positions": None if self.positions is None else short(self.positions),
        }


def attribute_groups(groups: Groups, run: PhotoPass, found: Attribution) -> GroupShares:
    """Attribute a score to groups of units, by the attribution of their layer.

    It is the sum over positions and units of what is a group's of the activations, times the
    (mean) gradient.
    """
    slopes = run.on_map(found.tap, found.slopes)
    assert slopes is not None  # groups have positions
    return GroupShares(groups, groups.contributions(slopes).sum((1, 2)))


def detailed_layer(run: PhotoPass, taps: Sequence[str]) -> str | None:
    """Return the layer to look at in detail: the last with some 14 x 14 positions, or with any.

    One that has more than 4096 is none.
    """
    counts: dict[str, int] = {}
    for tap in taps:
        mapped = run.on_map(tap, run.values(tap))
        if mapped is not None and mapped.shape[0] * mapped.shape[1] <= MOST_DETAILED:
            counts[tap] = mapped.shape[0] * mapped.shape[1]
    usual = [tap for tap, count in counts.items() if USUAL[0] <= count <= USUAL[1]]
    return next(reversed(usual or list(counts)), None)


def chain_of(taps: Sequence[str], most: int = CHAIN) -> list[str]:
    """Return at most ``most`` of some layers in order, evenly spaced, the last among them.

    >>> chain_of(list("abcdefgh"), 4)
    ['b', 'd', 'f', 'h']
    """
    if len(taps) <= most:
        return list(taps)
    places = (np.arange(1, most + 1) * len(taps) / most).round().astype(int) - 1
    return [taps[place] for place in places]


def pair_layers(
    run: PhotoPass, found: Explanation, taps: Sequence[str], count: int
) -> list[LayerPair]:
    """Attribute units of each layer of a chain to those of the layer before, last layers first.

    The units of a layer are those that decide the score, and ``count`` of each sign that the units
    of the next layer are built from: 10 at most.
    """
    own = {layer.tap: _decisive(layer) for layer in found.layers}
    pairs: list[LayerPair] = []
    wanted: list[int] = []
    for earlier, later in zip(reversed(taps[:-1]), reversed(taps[1:]), strict=True):
        units = tuple(dict.fromkeys([*own[later], *wanted]))[:CHAIN_UNITS]
        shares = unit_pairs(run, earlier, later, units)
        known = any(pair.positions is not None for pair in pairs)
        positions = None if known else _positions(run, earlier, later)
        pair = LayerPair(earlier, later, units, shares, positions)
        wanted = [unit for row in pair.partners(count) for unit, _ in row]
        pairs.append(pair)
    return pairs


def _decisive(layer: LayerShare) -> list[int]:
    return [unit.unit for unit in (*layer.raising, *layer.lowering)]


def _positions(run: PhotoPass, earlier: str, later: str) -> Array | None:
    maps = [run.on_map(tap, run.values(tap)) for tap in (earlier, later)]
    for mapped, most in zip(maps, (MOST_EARLIER, MOST), strict=True):
        if mapped is None or mapped.shape[0] * mapped.shape[1] > most:
            return None
    return position_pairs(run, earlier, later)
