"""Explain a score for one photo: which units and positions of every layer decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.analysis.attribution import STEPS, Attribution, attribute
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.structure import structure_of, taps_in
from kerasviz.types import Array


@dataclass(frozen=True)
class UnitShare:
    """Hold what a unit contributes to a score, and where it is largest.

    Args:
        unit: Its number.
        contribution: The sum of its contributions over positions.
        position: (y, x) of its largest contribution on the map, ``None`` without a map.
    """

    unit: int
    contribution: float
    position: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class LayerShare:
    """Hold what the units and positions of a layer contribute to a score.

    Args:
        tap: The name of the layer.
        map: [h, w] The contributions of the positions, ``None`` for a layer without a map. The
            special tokens of a row are not on it.
        special: What the special tokens contribute together; 0 without any.
        raising: The units that raise the score most, most first.
        lowering: Those that lower it most.
        score: The score of the photo.
        baseline: The score where the layer is 0.
        missing: What the contributions lack of score - baseline.
    """

    tap: str
    map: Array | None
    special: float
    raising: tuple[UnitShare, ...]
    lowering: tuple[UnitShare, ...]
    score: float
    baseline: float
    missing: float

    def to_json(self) -> dict[str, Any]:
        """Return the layer as plain data."""
        numbers = {"score": self.score, "baseline": self.baseline, "missing": self.missing}
        return {
            "tap": self.tap,
            **{name: _short(value) for name, value in numbers.items()},
            "special": _short(self.special),
            "raising": [_unit_json(unit) for unit in self.raising],
            "lowering": [_unit_json(unit) for unit in self.lowering],
            "map": None if self.map is None else [[_short(n) for n in row] for row in self.map],
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """Hold what decides a score, layer by layer.

    Args:
        target: The text of the target.
        score: Its score for the photo.
        steps: The number of averaged gradients.
        layers: The layers in the order of the network.
    """

    target: str
    score: float
    steps: int
    layers: tuple[LayerShare, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain data."""
        return {
            "target": self.target,
            "score": _short(self.score),
            "steps": self.steps,
            "layers": [layer.to_json() for layer in self.layers],
        }


def explain(
    net: Network,
    target: str,
    objective: Objective,
    image: Array,
    *,
    taps: Sequence[str] = (),
    units: int = 4,
    steps: int = STEPS,
) -> Explanation:
    """Find the units and positions that decide the score of a photo.

    Args:
        net: The network.
        target: The text of the objective.
        objective: A class, a unit, a direction, or a difference of two of them.
        image: [H, W, C] in [0, 1].
        taps: Layers before the objective; by default all main layers before it.
        units: The number of units of each layer and sign.
        steps: The number of averaged gradients; 1 for activation x gradient at the photo.

    Raises:
        UsageError: For a layer that the score does not depend on, or where no layer is before it.

    Example:
        >>> photo = np.ones((16, 16, 3), np.float32) / 2
        >>> found = explain(net, "dog", kerasviz.objectives.logit(1), photo, steps=2)
        >>> [layer.tap for layer in found.layers]
        ['stem', 'block3b']
    """
    if units < 1:
        raise UsageError(f"units {units}: expected 1 or more")
    names = list(taps) or layers_before(net, objective)
    if not names:
        raise UsageError(f"{net.name}: no main layer is before {target}; name layers with taps")
    found = attribute(net, objective, image, names, steps=steps)
    layers = tuple(_layer(net, a, image, units) for a in found)
    return Explanation(target, found[0].score, steps, layers)


def layers_before(net: Network, objective: Objective) -> list[str]:
    """Return the main layers that an objective depends on, without its own.

    >>> layers_before(net, kerasviz.objectives.channel("block3b", 2))
    ['stem']
    """
    values = net.program.values
    own = {p for name in taps_in(structure_of(objective, net)) for p in net.taps[name].parts}
    before: set[str] = set()
    todo = [source for name in own if name in values for source in values[name].inputs]
    while todo:
        name = todo.pop()
        if name in values and name not in before:
            before.add(name)
            todo.extend(values[name].inputs)
    return [name for name in net.main_taps if set(net.taps[name].parts) <= before - own]


def _layer(net: Network, found: Attribution, image: Array, units: int) -> LayerShare:
    place = positions_of(net, found.tap, image.shape[:2])
    mapped = None
    special = 0.0
    if found.values.ndim > 1 and place.map is not None:
        rows = found.values.reshape(-1, found.values.shape[-1])[place.special :]
        mapped = rows.reshape(*place.map, -1)
        special = float(found.by_position.sum() - rows.sum(dtype=np.float64))
    contributions = found.by_channel

    def share(unit: int) -> UnitShare:
        position = None
        if mapped is not None:
            signed = mapped[..., unit] * np.sign(contributions[unit])
            y, x = np.unravel_index(int(np.argmax(signed)), signed.shape)
            position = (int(y), int(x))
        return UnitShare(unit, float(contributions[unit]), position)

    raising, lowering = found.top(units)
    return LayerShare(
        tap=found.tap,
        map=None if mapped is None else mapped.sum(-1, dtype=np.float64),
        special=special,
        raising=tuple(share(unit) for unit in raising),
        lowering=tuple(share(unit) for unit in lowering),
        score=found.score,
        baseline=found.baseline,
        missing=found.missing,
    )


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _unit_json(unit: UnitShare) -> dict[str, Any]:
    return {
        "unit": unit.unit,
        "contribution": _short(unit.contribution),
        "position": None if unit.position is None else list(unit.position),
    }
