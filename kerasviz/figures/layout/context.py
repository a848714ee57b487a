"""The context of a figure: options, and the taps and units for its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kerasviz.examples import Examples
from kerasviz.figures.catalogue.figure import Figure, PlaceGroup, Unit
from kerasviz.figures.layout.directions import DirectionGroup
from kerasviz.figures.layout.layers import called, map_layers
from kerasviz.figures.layout.photo_facets import PhotoFacets
from kerasviz.figures.layout.units import Units, card_of, pick_units
from kerasviz.network.network import Network
from kerasviz.network.size import USUAL
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.adapting import first_activation
from kerasviz.rendering.request import Request, make_requests


@dataclass(frozen=True)
class FigureOptions:
    """Hold the options that all figures of a set share.

    With ``quick``, figures of many settings show fewer of them. ``photos`` are files for the
    figures of gradients, ``layers`` the taps that have a page of all their units, as have the
    ``directions``, ``examples`` the images of a data set to which units respond. Where there are
    ``facets`` of photos, those pages show them instead of diverse pictures. Penalties have
    ``penalty_factor`` times the article's weights, see
    :func:`kerasviz.figures.layout.penalty_weights.weight_factor`.
    """

    net: Network
    recipe: Recipe
    seed: int = 0
    quick: bool = False
    photos: tuple[Path, ...] = ()
    layers: tuple[str, ...] = ()
    examples: Examples | None = None
    penalty_factor: float = 1.0
    directions: tuple[DirectionGroup, ...] = ()
    facets: tuple[PhotoFacets, ...] = ()

    @cached_property
    def class_size(self) -> tuple[int, int]:
        """Return the height and width of pictures of classes: the recipe's, if the network can.

        Classifiers with a dense layer after a pool of fixed size take only their own size.
        """
        logits, size = self.net.classes.logits, self.recipe.size
        if logits is None or logits not in self.net.taps or self.net.computes(logits, *size):
            return size
        card = card_of(self.net)
        return self.net.fitting_size(card.input_size if card is not None else USUAL)

    @cached_property
    def photo_size(self) -> tuple[int, int]:
        """Return the height and width of photos: the network's own, unless the recipe names one."""
        trained = self.net.trained_size
        if trained is None or self.recipe.size != Recipe("").size:
            return self.class_size
        return self.net.fitting_size(trained)


@dataclass(frozen=True)
class FigureContext:
    """Hold a figure with the taps and units that stand for its layers in a network.

    ``placing`` says in one line how the layers were found, or "".
    """

    figure: Figure
    options: FigureOptions
    taps: Mapping[str, str]
    units: Mapping[str, Units]
    placing: str = ""

    def request(
        self,
        target: Target,
        snapshots: Sequence[int] = (),
        steps: int | None = None,
        rows: int = 1,
    ) -> Request:
        """Return the request of a target, with the recipe and the seed of the set of figures."""
        options, recipe = self.options, self.options.recipe
        if any(term.kind in ("logit", "probability") for term in target.objective.terms):
            recipe = recipe.replace(size=options.class_size)
        recipe = recipe.replace(steps=steps or recipe.steps)
        (request,) = make_requests(
            options.net, [target], recipe, seed=options.seed, rows=rows, snapshots=snapshots
        )
        return request

    @property
    def linear(self) -> tuple[str, ...]:
        """Return the taps whose channels are optimized after the ReLU, see ``adapt_recipe``."""
        first = (
            first_activation(self.options.net, self.options.recipe.pre_activation)
            if self.options.recipe.pre_activation and self.units
            else None
        )
        return (first,) if first is not None and first in self.taps.values() else ()

    @property
    def linear_notes(self) -> list[str]:
        """Say which channels are optimized after the ReLU."""
        return [
            f"Channels of {called(self.options.net, tap)} are optimized after its ReLU, because "
            "before it a flat colour is best."
            for tap in self.linear
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """Say how layers and units were found, and which are optimized after the ReLU."""
        first = [self.placing] if self.placing else []
        own = self.figure.seeds or (self.figure.stimuli and self.by_rule)  # whose layout says it
        units = [_unit_note(self)] if self.units and not own else []
        return (*first, *units, *self.linear_notes)

    @property
    def by_rule(self) -> bool:
        """Return whether neither the article nor a model card names units for this network."""
        return all(found.sources == {"rule"} for found in self.units.values())

    @property
    def only(self) -> tuple[str, Unit]:
        """Return tap and unit of a figure that shows a single unit."""
        name = self.figure.places[0].layer
        return self.taps[name], self.units[name].units[0]


def _unit_note(context: FigureContext) -> str:
    """Say in one line how the units were found."""
    sources = {source for found in context.units.values() for source in found.sources}
    rule = (
        "evenly spaced over the C channels of a layer, floor((i + f) C / n) for tile i of n, "
        "where f is 1/2, 1/6 and 5/6 in turn from layer to layer"
    )
    words = {
        "article": context.figure.source,
        "card": "chosen by eye for this network, from its model card",
        "rule": f"{rule}. The article's numbers hold for its own network only",
    }
    if (context.figure.columns or context.figure.steps) and context.figure.layout != "table":
        tap, unit = context.only
        words["rule"] = "the middle one of the layer; the article's is one of its own network"
        return f"Unit: {tap}:{unit.number}, {words[next(iter(sources))]}."
    if len(sources) == 1:
        return f"Units: {words[next(iter(sources))]}."
    return f"Units: {words[min(sources)]}; where these do not suffice, {rule}."


def resolve(figure: Figure, options: FigureOptions) -> FigureContext:
    """Find the layers and units of a figure.

    Raises :class:`UsageError` where the network has no layer with positions.
    """
    names = [place.layer for place in figure.places]
    taps, placing = map_layers(names, options.net) if names else ({}, "")
    shares = {name: n for group in figure.groups for name, n in _shares(group, taps).items()}
    units = {
        name: pick_units(figure, name, taps[name], count, options.net)
        for name, count in shares.items()
        if count
    }
    return FigureContext(figure, options, taps, units, placing)


def _shares(group: PlaceGroup, taps: Mapping[str, str]) -> dict[str, int]:
    """Share the tiles of a group between those of its layers that the network has."""
    there = [place.layer for place in group.places if place.layer in taps]
    total = sum(place.tiles for place in group.places)
    if len(there) == len(group.places):
        return {place.layer: place.tiles for place in group.places}
    return {name: total // len(there) for name in there}


def channel_target(tap: str, unit: int) -> Target:
    """Make the target of a channel."""
    return Target(f"{tap}:{unit}", channel(tap, unit))


def moments(wanted: Sequence[int], steps: int) -> tuple[int, ...]:
    """Return the steps that a run of ``steps`` steps shows in place of the ``wanted`` ones.

    The run's last step replaces the last one if the run reaches the others. A shorter run shows
    steps at equal distances on a logarithmic scale.

    >>> moments((0, 4, 48, 2048), 2560), moments((0, 4, 48, 2048), 128)
    ((0, 4, 48, 2048), (0, 4, 48, 128))
    >>> moments((0, 4, 48, 2048), 24)
    (0, 3, 8, 24)
    """
    last = min(wanted[-1], steps)
    if last >= 2 * wanted[-2]:
        return (*wanted[:-1], last)
    between = len(wanted) - 1
    spread = [round(last ** (i / between)) for i in range(1, between)]
    return tuple(sorted({wanted[0], *spread, last}))
