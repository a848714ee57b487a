"""Explain a score for one photo: which units and positions of every layer decide it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.analysis.attribution import STEPS, Attribution, attribute_layer
from kerasviz.analysis.photo_pass import PhotoPass, score_of
from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.network.positions import traced_shapes
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
        attribution: All contributions of the layer.
    """

    tap: str
    map: Array | None
    special: float
    raising: tuple[UnitShare, ...]
    lowering: tuple[UnitShare, ...]
    score: float
    baseline: float
    missing: float
    attribution: Attribution

    def to_json(self) -> dict[str, Any]:
        """Return the layer as plain data."""
        numbers = {"score": self.score, "baseline": self.baseline, "missing": self.missing}
        return {
            "tap": self.tap,
            **{name: short(value) for name, value in numbers.items()},
            "special": short(self.special),
            "raising": [_unit_json(unit) for unit in self.raising],
            "lowering": [_unit_json(unit) for unit in self.lowering],
            "units": short(self.attribution.by_channel),
            "map": None if self.map is None else short(self.map),
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
            "score": short(self.score),
            "steps": self.steps,
            "layers": [layer.to_json() for layer in self.layers],
        }


def explain(
    run: PhotoPass,
    target: str,
    objective: Objective,
    taps: Sequence[str],
    *,
    units: int = 4,
    steps: int = STEPS,
) -> Explanation:
    """Find the units and positions that decide the score of a photo.

    Args:
        run: A pass of the photo with the layers, and the taps of the objective.
        target: The text of the objective.
        objective: A class, a unit, a direction, or a difference of two of them.
        taps: Layers before the objective.
        units: The number of units of each layer and sign.
        steps: The number of averaged gradients; 1 for activation x gradient at the photo.

    Raises:
        UsageError: For a layer that the score does not depend on.

    Example:
        >>> run = pass_for(net, np.ones((16, 16, 3), np.float32) / 2, kerasviz.objectives.logit(1))
        >>> found = explain(run, "dog", kerasviz.objectives.logit(1), ["stem"], steps=2)
        >>> [layer.tap for layer in found.layers]
        ['stem']
    """
    if units < 1:
        raise UsageError(f"units {units}: expected 1 or more")
    score = score_of(run.net, objective, run.size)
    traced_shapes(run.net, taps, run.size)  # at once, which is faster than layer by layer
    found = [attribute_layer(run, score, tap, steps) for tap in taps]
    layers = tuple(_layer(run, a, units) for a in found)
    return Explanation(target, run.score(score), steps, layers)


def pass_for(
    net: Network, image: Array, objective: Objective, taps: Sequence[str] = ()
) -> PhotoPass:
    """Run a photo for :func:`explain`, once, with the logits of a network that has classes.

    Args:
        net: The network.
        image: [H, W, C] in [0, 1].
        objective: The objective, or another with its taps: ``logit(0)`` stands for every class.
        taps: Layers before the objective; by default all main layers before it.

    Raises:
        UsageError: Where no layer is before the objective.
    """
    names = list(taps) or layers_before(net, objective)
    if not names:
        text = objective.terms[0].tap or "the target"
        raise UsageError(f"{net.name}: no main layer is before {text}; name layers with taps")
    own = taps_in(structure_of(objective, net))
    logits = [net.require_logits().name] if net.classes.logits in net.taps else []
    return PhotoPass(net, image, names, [*own, *logits])


def layers_before(net: Network, objective: Objective) -> list[str]:
    """Return the main layers that an objective depends on, without its own.

    >>> layers_before(net, kerasviz.objectives.channel("block3b", 2))
    ['stem']
    """
    own = {p for name in taps_in(structure_of(objective, net)) for p in net.taps[name].parts}
    before = _ancestors(net, own)
    return [name for name in net.main_taps if set(net.taps[name].parts) <= before - own]


def is_before(net: Network, tap: str, later: str) -> bool:
    """Return whether a tap is computed from another.

    >>> is_before(net, "stem", "block3b"), is_before(net, "block3b", "stem")
    (True, False)
    """
    return set(net.taps[tap].parts) <= _ancestors(net, net.taps[later].parts)


def _ancestors(net: Network, names: Iterable[str]) -> set[str]:
    """Return the values that some values are computed from."""
    values = net.program.values
    before: set[str] = set()
    todo = [source for name in names if name in values for source in values[name].inputs]
    while todo:
        name = todo.pop()
        if name in values and name not in before:
            before.add(name)
            todo.extend(values[name].inputs)
    return before


def _layer(run: PhotoPass, found: Attribution, units: int) -> LayerShare:
    mapped = run.on_map(found.tap, found.values)
    special = 0.0
    if mapped is not None and run.special(found.tap):
        special = float(found.values.sum(dtype=np.float64) - mapped.sum(dtype=np.float64))
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
        attribution=found,
    )


def short(value: Any) -> Any:
    """Return numbers with 6 digits, and arrays as lists of them.

    >>> short(np.array([[1 / 3, 2.0]]))
    [[0.333333, 2.0]]
    """
    if np.ndim(value):
        return [short(item) for item in value]
    return rounded(value)


def _unit_json(unit: UnitShare) -> dict[str, Any]:
    return {
        "unit": unit.unit,
        "contribution": short(unit.contribution),
        "position": None if unit.position is None else list(unit.position),
    }
