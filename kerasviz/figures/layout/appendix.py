"""The figure ``appendix-layer``: every unit of a layer, each in a row of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.catalogue.figure import Unit
from kerasviz.figures.layout.context import FigureContext, FigureOptions, channel_target
from kerasviz.figures.layout.directions import (
    COSINE,
    DirectionGroup,
    NumberedDirection,
    is_group,
)
from kerasviz.figures.layout.example_panels import EXAMPLES, MOST, example_notes, example_place
from kerasviz.figures.layout.layers import called, map_layers
from kerasviz.figures.layout.photo_facets import facet_names
from kerasviz.figures.layout.tables import FACETS, NO_DIRECTIONS, Table, facets, shown
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, OptimizedTile, Tile, TileRow
from kerasviz.figures.layout.units import ARTICLE_NETWORK, Units, card_of, evenly_spaced
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import neuron
from kerasviz.optvis.objectives.targets import Target, negated
from kerasviz.optvis.objectives.term import Objective
from kerasviz.rendering.facet_records import facet_words
from kerasviz.rendering.facets import facet_name

#: The layer that is shown where none is named.
DEFAULT = "mixed4a"
#: Units shown of it, or of any layer with ``quick``, and in the figure's PNG: rendering all units
#: of a layer takes a day, and should be asked for.
SOME_UNITS = ROWS = 8
#: The words over the panels of a row, without those of its facets.
HEADS = (
    "Neuron objective",
    "Channel objective",
    "Dataset examples",
    "Negative optimized",
    "Negative dataset examples",
)
#: The words over the panels between them: of diverse pictures.
DIVERSITY = ("Diversity",) * FACETS
#: The widths of the branches of an article's layer (paper's network): 1x1, 3x3, 5x5, pooling.
BRANCHES = {
    "mixed3a": (64, 128, 32, 32),
    "mixed3b": (128, 192, 96, 64),
    "mixed4a": (192, 204, 48, 64),
    "mixed4b": (160, 224, 64, 64),
    "mixed4c": (128, 256, 64, 64),
    "mixed4d": (112, 288, 64, 64),
    "mixed4e": (256, 320, 128, 128),
    "mixed5a": (256, 320, 128, 128),
    "mixed5b": (384, 384, 128, 128),
}


def layer_title(net: Network, tap: str) -> str:
    """Return the title of a layer: the article's for its own layers, else the map's name.

    >>> layer_title(net, "stem")
    'Layer stem'
    """
    if is_group(tap):
        return f"Directions {called(net, tap)}"
    return f"Layer {tap.removeprefix('mixed') if tap in BRANCHES else called(net, tap)}"


def parts(net: Network, tap: str, numbers: Sequence[int]) -> list[tuple[str, int]]:
    """Return the parts of a layer's page that a reader may jump to: title and first unit.

    Parts are the branches of a layer of the article's own network, else every 64th unit, or more
    units where a page has few.
    """
    card = card_of(net)
    if card is not None and card.name == ARTICLE_NETWORK and tap in BRANCHES:
        ends = [0, *accumulate(BRANCHES[tap])]
        if list(numbers) == list(range(ends[-1])):
            names = ("1x1", "3x3", "5x5", "pool")
            return [
                (f"{name} {low} to {high - 1}", low)
                for name, (low, high) in zip(names, pairwise(ends), strict=True)
            ]
    step = 64 if len(numbers) > 128 else 8 if len(numbers) > 16 else 1
    return [(str(number), number) for number in numbers[::step]]


def first_rows(layout: FigureLayout) -> tuple[TileRow, ...]:
    """Return the rows of the figure's PNG: the first units of the first layer."""
    return tuple(b for b in layout.blocks[:ROWS] if b.layers == layout.blocks[0].layers)


def layers_of(options: FigureOptions) -> list[str]:
    """Return the taps whose units are shown: the named ones, else the default one.

    Raises :class:`UsageError` for an unknown layer and one without channels with positions.
    """
    net = options.net
    there, _ = map_layers([place.layer for place in APPENDIX_LAYER.places], net)
    known = known_taps(net)
    if not options.layers:
        names = list(there.values())
        return [there.get(DEFAULT, names[len(names) // 2])]
    found = []
    for name in options.layers:
        # A layer of the article that the network does not have by name is the one in its place.
        tap = net.taps[there[name] if name in there and name not in net.taps else name]
        shape = tap.shape or ()
        if len(shape) not in (3, 4, 5) or shape[-1] is None:
            raise UsageError(
                f"layer {name!r} has no channels with positions; the layers in the place of the "
                f"article's are {', '.join(there.values())}"
            )
        found.append(known[tap.name])
    return list(dict.fromkeys(found))


def known_taps(net: Network) -> dict[str, str]:
    """Return the name that figures use for each tap of a network; some are aliases.

    A tap has one name, so that no picture is rendered twice. A network with a card has those of its
    file, others have those of the map.
    """
    there, _ = map_layers([place.layer for place in APPENDIX_LAYER.places], net)
    called = {net.taps[name].name: name for name in there.values()}
    if card_of(net) is None:
        called = {tap: net.map.name_of(tap) for tap in net.taps} | called
    return {tap: called.get(tap, tap) for tap in net.taps}


def _row(context: FigureContext, tap: str, number: int) -> TileRow:
    target = channel_target(tap, number)
    options, net = context.options, context.options.net
    places: tuple[Tile | EmptyTile, ...] = (
        shown(context, Target(f"{target.text}@center", neuron(tap, number))),
        shown(context, target),
        *_facets(context, tap, target),
        example_place(options, tap, number, "top"),
        shown(context, Target(f"-{target.text}", -target.objective)),
        example_place(options, tap, number, "bottom"),
    )
    return TileRow(f"{layer_title(net, tap)}, Unit {number}", (tap,), places)


def _facets(context: FigureContext, name: str, target: Target) -> list[OptimizedTile]:
    """Make the tiles of a target's facets: diverse pictures, or those steered towards photos."""
    if not context.options.facets:
        return facets(context, target)
    terms = next(each.terms for each in context.options.facets if each.name == name)
    return [
        shown(context, Target(target.text + facet_words(facet_name(term)), steered))
        for term in terms
        for steered in [target.objective + Objective((term,))]
    ]


def _direction_row(
    context: FigureContext, group: DirectionGroup, shown_direction: NumberedDirection
) -> TileRow:
    target = shown_direction.target
    places: tuple[Tile | EmptyTile, ...] = (
        shown(context, shown_direction.by_cosine),
        shown(context, target),
        *_facets(context, group.name, target),
        NO_DIRECTIONS,
        shown(context, Target(negated(target.text), -target.objective)),
        NO_DIRECTIONS,
    )
    title = f"{layer_title(context.options.net, group.name)}, Direction {shown_direction.number}"
    return TileRow(title, (group.name,), places)


def _appendix(context: FigureContext) -> Table:
    net, some = context.options.net, context.options.quick or not context.options.layers
    units = {}
    groups = context.options.directions
    for tap in layers_of(context.options) if context.options.layers or not groups else ():
        channels = net.taps[tap].channels or 0
        numbers = evenly_spaced(SOME_UNITS, channels) if some else range(channels)
        units[tap] = Units(tuple(map(Unit, numbers)), frozenset({"rule"}))
    blocks = tuple(_row(context, tap, u.number) for tap in units for u in units[tap].units)
    notes = [
        f"Shown here: {called(net, tap)}, {len(found.units)} of {net.taps[tap].channels} units"
        + (", evenly spaced." if len(found.units) < (net.taps[tap].channels or 0) else ".")
        for tap, found in units.items()
    ]
    blocks += tuple(_direction_row(context, g, each) for g in groups for each in g.directions)
    notes += [
        f"Directions of {called(net, group.name)}: the first picture of each is that of its score "
        f"times the cosine to the power {COSINE:g}, advised for concepts."
        for group in groups
    ]
    taps = {tap: tap for tap in units} | {group.name: group.tap for group in groups}
    own = replace(context, taps=taps, units=units)
    names = facet_names(context.options.facets)
    if names:
        notes.append(
            "Facets, steered towards what probes of earlier layers tell apart in photos: "
            f"{', '.join(names)}."
        )
    heads = tuple(f"Facet {name}" for name in names) or DIVERSITY
    many = f"at most {MOST} in a panel and {EXAMPLES} on the page of a layer"
    notes += [*own.linear_notes, *example_notes(context.options, many)]
    return blocks, (*HEADS[:2], *heads, *HEADS[2:]), (), notes


#: The builder of the figure, by its slug.
APPENDIX = {APPENDIX_LAYER.slug: _appendix}
