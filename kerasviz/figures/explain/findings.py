"""Gather all that is shown of one photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.analysis.attribution import STEPS
from kerasviz.analysis.class_map import ClassMap, class_logits, map_classes
from kerasviz.analysis.explanation import Explanation, explain, is_before, pass_for, short
from kerasviz.analysis.groups import GROUPS, find_groups
from kerasviz.analysis.layer_view import LayerView, coarse, view_layer
from kerasviz.analysis.photo_pass import PhotoPass
from kerasviz.analysis.photo_views import (
    MOST_DETAILED,
    GroupShares,
    LayerPair,
    attribute_groups,
    chain_of,
    detailed_layer,
    pair_layers,
)
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import logit
from kerasviz.optvis.objectives.targets import Target, parse_targets
from kerasviz.types import Array

#: Earlier units of each sign that a unit is said to be built from.
PARTNERS = 3
#: Classes that are named beside the explained one.
GUESSES = 5


@dataclass(frozen=True)
class ViewOptions:
    """Choose what is shown of photos.

    Args:
        units: Units of each layer and sign.
        gradients: Gradients that are averaged.
        groups: Groups of units; 0 for none.
        detail: The layer that is shown in detail; "" for one that is chosen.
    """

    units: int = 4
    gradients: int = STEPS
    groups: int = GROUPS
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Findings:
    """Hold all that is shown of one photo.

    Args:
        name: The name of the photo's page.
        image: [H, W, C] in [0, 1].
        guesses: The classes with the largest logits, and these.
        explanation: What decides the score, by layer.
        winners: The most active units of each layer that has positions, in cells of its map.
        view: The most active units of the detailed layer; ``None`` without positions.
        vectors: [h, w, C] Its activations.
        groups: Its groups; ``None`` where none are asked for.
        classes: What its positions say for classes; ``None`` for a network without classes.
        pairs: Pairs of layers, the last first.
        special: The number of special tokens of the detailed layer, which its map leaves out.
    """

    name: str
    image: Array
    guesses: tuple[tuple[int, float], ...]
    explanation: Explanation
    winners: tuple[LayerView, ...]
    view: LayerView | None
    vectors: Array | None
    groups: GroupShares | None
    classes: ClassMap | None
    pairs: tuple[LayerPair, ...]
    special: int

    def to_json(self) -> dict[str, Any]:
        """Return all numbers as plain data."""
        return {
            "explanation": self.explanation.to_json(),
            "winners": {v.tap: v.winners.tolist() for v in self.winners},
            "detail": None if self.view is None else _view_json(self.view, self.special),
            "groups": None if self.groups is None else self.groups.to_json(),
            "classes": None if self.classes is None else _classes_json(self.classes),
            "pairs": [pair.to_json() for pair in self.pairs],
        }


def find(
    net: Network,
    name: str,
    image: Array,
    target: Target | None,
    taps: Sequence[str],
    options: ViewOptions,
) -> Findings:
    """Run a photo once, and find all that is shown of it.

    Without a ``target`` the class is explained that the network sees.
    """
    if target is None:
        net.require_logits()
    run = pass_for(net, image, logit(0) if target is None else target.objective, taps)
    names = list(run.taps)
    has_classes = net.classes.logits in net.taps
    logits = class_logits(run) if has_classes else None
    if target is None:
        assert logits is not None
        target = one_target(net, f"logit:{int(logits.argmax())}")
    found = explain(
        run, target.text, target.objective, names, units=options.units, steps=options.gradients
    )
    detail = _detailed(run, options.detail, names)
    view = groups = classes = activations = None
    if detail is not None:
        activations = run.on_map(detail, run.values(detail))
        assert activations is not None
        view = view_layer(detail, activations)
        if options.groups:
            shares = next(layer for layer in found.layers if layer.tap == detail).attribution
            groups = attribute_groups(find_groups(detail, activations, options.groups), run, shares)
        if has_classes and is_before(net, detail, net.require_logits().name):
            classes = map_classes(run, detail)
    pairs = pair_layers(run, found, chain_of(names), PARTNERS)
    return Findings(
        name=name,
        image=image,
        guesses=() if logits is None else _guesses(logits),
        explanation=found,
        winners=_winners(run, names),
        view=view,
        vectors=activations,
        groups=groups,
        classes=classes,
        pairs=tuple(pairs),
        special=0 if detail is None else run.special(detail),
    )


def one_target(net: Network, text: str) -> Target:
    """Return the one target of a text; raise :class:`UsageError` for several."""
    found = parse_targets([text], net)
    if len(found) != 1:
        raise UsageError(f"target {text!r} names {len(found)}; explain one")
    return found[0]


def _guesses(logits: Array) -> tuple[tuple[int, float], ...]:
    order = np.argsort(-logits, kind="stable")[:GUESSES]
    return tuple((int(n), float(logits[n])) for n in order)


def _detailed(run: PhotoPass, wanted: str, taps: Sequence[str]) -> str | None:
    if not wanted:
        return detailed_layer(run, taps)
    if wanted not in taps:
        raise UsageError(
            f"detail {wanted}: not among the layers that are explained; give --tap {wanted} too"
        )
    mapped = run.on_map(wanted, run.values(wanted))
    if mapped is None:
        raise UsageError(f"detail {wanted}: it has no positions; name a layer that has a map")
    if mapped.shape[0] * mapped.shape[1] > MOST_DETAILED:
        raise UsageError(
            f"detail {wanted}: it has {mapped.shape[0]}x{mapped.shape[1]} positions, at most "
            f"{MOST_DETAILED} can be shown; name a later layer"
        )
    return wanted


def _winners(run: PhotoPass, taps: Sequence[str]) -> tuple[LayerView, ...]:
    maps = {tap: run.on_map(tap, run.values(tap)) for tap in taps}
    return tuple(view_layer(tap, coarse(a), 1) for tap, a in maps.items() if a is not None)


def _view_json(view: LayerView, special: int) -> dict[str, Any]:
    return {
        "tap": view.tap,
        "special": special,
        "units": view.units.tolist(),
        "activations": short(view.values),
        "sides": short(view.sides),
    }


def _classes_json(classes: ClassMap) -> dict[str, Any]:
    return {
        "tap": classes.tap,
        "classes": list(classes.classes),
        "logits": short(classes.logits),
        "missing": short(classes.missing),
        "special": short(classes.special),
        "contributions": short(classes.contributions),
    }
