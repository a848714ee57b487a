"""Layouts of figures about one photo: dictionaries, grids, attribution and groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasviz.analysis.groups import find_groups
from kerasviz.analysis.layer_view import coarse, view_layer
from kerasviz.analysis.photo_views import MOST_DETAILED, attribute_groups
from kerasviz.errors import UsageError
from kerasviz.figures.explain.colours import GROUPS as COLOURS
from kerasviz.figures.explain.colours import rgb
from kerasviz.figures.layout.context import FigureContext, channel_target
from kerasviz.figures.layout.photo_views import (
    ViewedPhoto,
    direction_tile,
    icon_note,
    icon_tile,
    short_rows,
    summed,
)
from kerasviz.figures.layout.tables import Table
from kerasviz.figures.layout.tiles import OptimizedTile, TileRow

#: Positions of a semantic dictionary, and the units of each.
PLACES = 3
UNITS = 5
#: Cells of a grid along each side: of the only layer, of several, and of quick figures.
CELLS = 14
CELLS_OF_LAYERS = 8
QUICK_CELLS = 7
#: Numbers of a map along each side, at most.
MAP = 56
#: Units of each sign of a class.
DECISIVE = 6
#: Groups of a layer.
GROUPS = 6


def _dictionary(context: FigureContext) -> Table:
    viewed = ViewedPhoto.of(context)
    tap = viewed.detailed
    activations = viewed.activations(tap)
    height, width = activations.shape[:2]
    groups = find_groups(tap, activations, PLACES)
    peaks = [np.unravel_index(place.argmax(), place.shape) for place in groups.places]
    view = view_layer(tap, activations, UNITS)
    rows = []
    for k, (y, x) in enumerate(dict.fromkeys((int(y), int(x)) for y, x in peaks)):
        mark = viewed.tile("marked", f"position {y},{x}", "", (y, x, height, width), k)
        units = [
            _unit(context, tap, int(unit), f"{value:.3g}")
            for unit, value in zip(view.units[y, x], view.values[y, x], strict=True)
        ]
        rows.append(TileRow("", (tap,), (mark, *units)))
    note = (
        f"Positions: those of {height}x{width} where a group of units of {tap} is most active, of "
        f"{PLACES} groups. Numbers: activations, the largest of the position first."
    )
    return tuple(rows), (), (), [*viewed.notes, note]


def _unit(context: FigureContext, tap: str, unit: int, label: str) -> OptimizedTile:
    target = channel_target(tap, unit)
    request = context.request(target)
    return OptimizedTile(request, request.recipe.steps, target.text, label)


def _grid_block(
    viewed: ViewedPhoto, tap: str, most: int, scaled: bool
) -> tuple[TileRow, tuple[int, int]]:
    """Return the grid of a layer, and its number of positions."""
    activations = viewed.activations(tap)
    cells = coarse(activations, most)
    height, width = cells.shape[:2]
    sides = view_layer(tap, cells, 1).sides
    tiles = tuple(
        icon_tile(
            viewed.context,
            tap,
            cells[y, x],
            f"{tap} at {y},{x} of {viewed.photo.name}",
            share=float(sides[y, x]) if scaled else 1.0,
        )
        for y in range(height)
        for x in range(width)
    )
    return TileRow(tap, (tap,), tiles, columns=width), activations.shape[:2]


def _coarse_notes(shapes: dict[str, tuple[int, int]], blocks: list[TileRow]) -> list[str]:
    """Say of which layers a cell stands for several positions."""
    merged = [
        f"{block.title} has {shapes[block.title][0]}x{shapes[block.title][1]} positions"
        for block in blocks
        if len(block.places) < shapes[block.title][0] * shapes[block.title][1]
    ]
    if not merged:
        return []
    return [f"Each cell has the largest activations of several positions: {', '.join(merged)}."]


def _grid(context: FigureContext) -> Table:
    viewed = ViewedPhoto.of(context)
    tap = viewed.detailed
    most = QUICK_CELLS if context.options.quick else CELLS
    block, shape = _grid_block(viewed, tap, most, scaled=False)
    photo = TileRow("Photo", (), (viewed.tile("photo", viewed.photo.name),))
    notes = [icon_note(block.optimized), *_coarse_notes({tap: shape}, [block])]
    return (photo, block), (), (), [*viewed.notes, *notes]


def _grids(context: FigureContext) -> Table:
    viewed = ViewedPhoto.of(context)
    taps = list(context.taps.values())
    most = QUICK_CELLS - 2 if context.options.quick else CELLS_OF_LAYERS
    found = {tap: _grid_block(viewed, tap, most, scaled=True) for tap in taps}
    blocks = [block for block, _ in found.values()]
    shapes = {tap: shape for tap, (_, shape) in found.items()}
    photo = TileRow("Photo", (), (viewed.tile("photo", viewed.photo.name),))
    notes = [icon_note(blocks[0].optimized), *_coarse_notes(shapes, blocks)]
    return (photo, *blocks), (), (), [*viewed.notes, *notes]


def _spatial(context: FigureContext) -> Table:
    viewed = ViewedPhoto.of(context)
    rows, row, furthest = [], 0, 0.0
    for number in viewed.classes:
        tiles = [viewed.tile("photo", viewed.photo.name)]
        for tap in context.taps.values():
            viewed.activations(tap)  # which has to have positions
            found = viewed.attribution(tap, number)
            mapped = viewed.run.on_map(tap, found.values)
            assert mapped is not None
            numbers = short_rows(summed(mapped.sum(-1), MAP))
            tiles.append(viewed.tile("overlay", tap, f"{found.values.sum():+.3g}", numbers, row))
            whole = abs(found.score - found.baseline)
            furthest = max(furthest, abs(found.missing) / max(whole, 1e-12))
            row += 1
        rows.append(TileRow(viewed.class_name(number), tuple(context.taps.values()), tuple(tiles)))
    note = (
        "Attribution: activations times the mean of gradients at equal distances from none of the "
        "layer's activations to all. Numbers: the sums over all positions; they differ from what "
        f"the layers add to the logits by at most {furthest:.0%}."
    )
    return tuple(rows), (), (), [*viewed.notes, note]


def _channels(context: FigureContext) -> Table:
    viewed = ViewedPhoto.of(context)
    tap = viewed.detailed
    rows = []
    for number in viewed.classes:
        found = viewed.attribution(tap, number)
        raising, lowering = found.top(DECISIVE)
        name = viewed.class_name(number)
        for words, units in ((f"For {name}", raising), (f"Against {name}", lowering)):
            tiles = tuple(
                _unit(context, tap, unit, f"{found.by_channel[unit]:+.3g}") for unit in units
            )
            if tiles:
                rows.append(TileRow(words, (tap,), tiles))
    note = (
        f"Numbers: what a unit of {tap} contributes to the logit at all positions together, for "
        "this photo."
    )
    return tuple(rows), (), (), [*viewed.notes, note]


def _groups(context: FigureContext) -> Table:
    viewed = ViewedPhoto.of(context)
    number = viewed.classes[0]
    rows, notes, row = [], list(viewed.notes), 0
    for tap in context.taps.values():
        activations = viewed.activations(tap)
        if activations.shape[0] * activations.shape[1] > MOST_DETAILED:
            raise UsageError(
                f"groups: {tap} has {activations.shape[0]}x{activations.shape[1]} positions; "
                f"groups are found among at most {MOST_DETAILED}"
            )
        groups = find_groups(tap, activations, GROUPS)
        shares = attribute_groups(groups, viewed.run, viewed.attribution(tap, number))
        icons, places = [], []
        for k, vector in enumerate(groups.units):
            colour = rgb(COLOURS[k % len(COLOURS)])
            numbers = (colour, short_rows(groups.places[k]))
            name = f"group {k + 1} of {tap}"
            places.append(viewed.tile("tint", name, "", numbers, row))
            share = f"{shares.contributions[k]:+.3g}"
            own = f"{name} of {viewed.photo.name}"
            icons.append(direction_tile(context, tap, vector, own, share))
            row += 1
        rows += [TileRow(tap, (tap,), tuple(places)), TileRow("", (tap,), tuple(icons))]
        notes.append(f"{tap}: {len(groups.units)} groups lack {groups.error:.0%} of its norm.")
    notes.append(f"Numbers: what a group contributes to the logit of {viewed.class_name(number)}.")
    return tuple(rows), (), (), notes


#: The builder of every figure of this kind.
BUILDING_BLOCKS_TABLES: dict[str, Callable[[FigureContext], Table]] = {
    "semantic-dictionary": _dictionary,
    "activation-grid": _grid,
    "activation-grid-layers": _grids,
    "spatial-attribution": _spatial,
    "channel-attribution": _channels,
    "neuron-groups": _groups,
}
