"""Find the circuit of a unit: what it is built from, and what it feeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerasviz.analysis.cancellation import remaining_shares
from kerasviz.analysis.connections import (
    Connections,
    blank_image,
    connections,
    connections_onward,
)
from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.network.positions import Positions, positions_of
from kerasviz.types import Array

#: The layers back that are shown, and those onward.
BACK = 2
ONWARD = 1
#: Layers of one level that are shown: a concatenation may have many.
MOST_LAYERS = 3


@dataclass(frozen=True, eq=False)
class Partner:
    """Hold a unit of another layer, and the weights between the two.

    Args:
        tap: The name of its layer.
        unit: Its number.
        strength: The norm of the weights.
        share: The strength, as a share of those of all units of the layer.
        total: The sum of the weights: above 0 it excites, below it inhibits.
        weights: [h, w] on a map; tokens without a map and vectors are one row.
        remaining: The share of the paths that is left after those of opposite signs cancel, see
            :func:`kerasviz.analysis.cancellation.remaining_shares`; ``None`` if unknown.
    """

    tap: str
    unit: int
    strength: float
    share: float
    total: float
    weights: Array
    remaining: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the partner as plain data."""
        numbers = {"strength": self.strength, "share": self.share, "total": self.total}
        strengths = {name: rounded(value) for name, value in numbers.items()}
        grid = [[rounded(w, 5) for w in row] for row in self.weights]
        left = None if self.remaining is None else rounded(self.remaining, 4)
        return {"tap": self.tap, "unit": self.unit, **strengths, "remaining": left, "weights": grid}


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold the strongest partners of a unit in one layer, and what was held on the way.

    Args:
        tap: The name of the layer.
        level: Layers between, counted from 1; below 0 for earlier ones.
        exciting: Partners whose weights sum to more than 0, strongest first.
        inhibiting: Those whose weights sum to less.
        scale: The largest weight of all units of the layer, by which pictures are scaled.
        held: The gates, attention and statistics that were held at the image.
        curved: The layers on the way that are not linear.
    """

    tap: str
    level: int
    exciting: tuple[Partner, ...]
    inhibiting: tuple[Partner, ...]
    scale: float
    held: tuple[str, ...]
    curved: tuple[str, ...]

    @property
    def partners(self) -> tuple[Partner, ...]:
        """All partners, exciting ones first."""
        return (*self.exciting, *self.inhibiting)

    def to_json(self) -> dict[str, Any]:
        """Return the layer as plain data."""
        return {
            "tap": self.tap,
            "level": self.level,
            "scale": rounded(self.scale),
            "held": list(self.held),
            "curved": list(self.curved),
            "exciting": [partner.to_json() for partner in self.exciting],
            "inhibiting": [partner.to_json() for partner in self.inhibiting],
        }


@dataclass(frozen=True, eq=False)
class Circuit:
    """Hold a unit with its partners in earlier layers and in later ones, nearest first.

    Reference:
        Olah et al., "Zoom In: An Introduction to Circuits" (Distill 2020).
    """

    tap: str
    unit: int
    earlier: tuple[Layer, ...]
    later: tuple[Layer, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers."""
        return (*self.earlier, *self.later)

    def to_json(self) -> dict[str, Any]:
        """Return the circuit as plain data."""
        return {
            "tap": self.tap,
            "unit": self.unit,
            "earlier": [layer.to_json() for layer in self.earlier],
            "later": [layer.to_json() for layer in self.later],
        }


def find_circuit(
    net: Network,
    tap: str,
    unit: int,
    *,
    earlier: Sequence[str] | None = None,
    later: Sequence[str] | None = None,
    partners: int = 6,
    image: Array | None = None,
) -> Circuit:
    """Find the strongest partners of a unit in earlier and later layers.

    Args:
        net: The network.
        tap: The name of the unit's layer.
        unit: Its number.
        earlier: Taps before it; by default the main layers two back.
        later: Taps behind it; by default the next main layers.
        partners: The number of partners of each sign in each layer.
        image: [H, W, C] in [0, 1], at which gates and attention are held; grey by default.

    Raises:
        UsageError: For a unit or taps that the network does not have.

    Example:
        >>> circuit = find_circuit(net, "block3b", 5, partners=2)
        >>> [layer.tap for layer in circuit.earlier], len(circuit.earlier[0].exciting)
        (['stem'], 2)
    """
    if partners < 1:
        raise UsageError(f"partners {partners}: expected 1 or more")
    before = [(name, -1) for name in earlier] if earlier is not None else layers_back(net, tap)
    behind = [(name, 1) for name in later] if later is not None else layers_onward(net, tap)
    if not before and not behind:
        raise UsageError(f"{net.name}: no main layer is before or behind {tap}; name one")
    found = []
    for name, level in before:
        weights = connections(net, name, tap, [unit], image=image)
        rows = np.moveaxis(weights.weights[0], -1, 0)
        shares = remaining_shares(net, weights, image=image)
        layer = _layer(_tokens(net, name, image), weights, (name, level), rows, partners)
        found.append(layer if shares is None else _with_shares(layer, shares[0]))
    onward = []
    for name, level in behind:
        weights = connections_onward(net, tap, unit, name, image=image)
        rows, place = weights.weights[..., 0], _tokens(net, name, image)
        onward.append(_layer(place, weights, (name, level), rows, partners))
    return Circuit(tap, unit, tuple(found), tuple(onward))


def _tokens(net: Network, tap: str, image: Array | None) -> Positions | None:
    """Return the positions of a row of tokens; ``None`` for other taps."""
    if len(net.taps[tap].shape or ()) != 3:
        return None
    image = blank_image(net) if image is None else image
    return positions_of(net, tap, image.shape[:2])


def _layer(
    place: Positions | None,
    found: Connections,
    layer: tuple[str, int],
    rows: Array,
    count: int,
) -> Layer:
    """Choose the partners by the weights [units of the layer, ...] to each of its units."""
    tap, level = layer
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    strengths, totals = np.sqrt((flat**2).sum(1)), flat.sum(1)
    whole = strengths.sum()

    def partner(n: int) -> Partner:
        strength, total = float(strengths[n]), float(totals[n])
        grid = _grid(place, rows[n], found.corner)
        return Partner(tap, n, strength, float(strength / whole), total, grid)

    order = [int(n) for n in np.argsort(-strengths, kind="stable") if strengths[n] > 0]
    return Layer(
        tap=tap,
        level=level,
        exciting=tuple(partner(n) for n in order if totals[n] >= 0)[:count],
        inhibiting=tuple(partner(n) for n in order if totals[n] < 0)[:count],
        scale=float(np.abs(flat).max()),
        held=found.held,
        curved=found.curved,
    )


def _with_shares(layer: Layer, shares: Array) -> Layer:
    """Return a layer whose partners know how far the paths to them cancel."""

    def known(partners: Iterable[Partner]) -> tuple[Partner, ...]:
        return tuple(replace(p, remaining=float(shares[p.unit])) for p in partners)

    return replace(layer, exciting=known(layer.exciting), inhibiting=known(layer.inhibiting))


def _grid(place: Positions | None, weights: Array, corner: Sequence[int]) -> Array:
    """Return weights of positions as a map [h, w]; rows of tokens by the map they are made of."""
    if weights.ndim == 2:
        return weights
    if weights.ndim == 0:
        return weights.reshape(1, 1)
    if place is None or place.map is None or not corner:
        return weights[None]
    whole = np.zeros(place.special + place.map[0] * place.map[1], weights.dtype)
    whole[corner[0] : corner[0] + len(weights)] = weights
    return whole[place.special :].reshape(place.map)


def layers_back(net: Network, tap: str, levels: int = BACK) -> list[tuple[str, int]]:
    """Return the main layers before a tap with their levels, -1 for the nearest ones.

    >>> layers_back(net, "block3b")
    [('stem', -1)]
    """
    sources = _sources(net, tap)
    return _walk([tap], lambda name: sources.get(name, ()), levels, -1)


def layers_onward(net: Network, tap: str, levels: int = ONWARD) -> list[tuple[str, int]]:
    """Return the main layers behind a tap with their levels, 1 for the nearest ones.

    >>> layers_onward(net, "stem")
    [('block3b', 1)]
    """
    users: dict[str, list[str]] = {}
    for name, sources in _sources(net, tap).items():
        for source in sources:
            users.setdefault(source, []).append(name)
    return _walk([tap], lambda name: users.get(name, ()), levels, 1)


def _sources(net: Network, tap: str) -> dict[str, list[str]]:
    """Return the main layers that each main layer, and a tap, are computed from next.

    The tap is under the name that it was given by.
    """
    values = {net.taps[name].name: name for name in net.main_taps}
    values[net.taps[tap].name] = tap
    nearest = net.map.flow.nearest([name for name in values if name in net.map.flow.values])
    return {values[n]: [values[source] for source in sources] for n, sources in nearest.items()}


def _walk(names: Iterable[str], step: Any, levels: int, direction: int) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    ends = list(names)
    start = set(ends)
    for level in range(1, levels + 1):
        following = [n for name in ends for n in step(name) if n not in start and n not in found]
        ends = list(dict.fromkeys(following))[:MOST_LAYERS]
        found.update(dict.fromkeys(ends, direction * level))
    return list(found.items())
