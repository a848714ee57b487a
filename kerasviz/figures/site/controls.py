"""The controls of a figure's page: pickers, sliders and switches, with their pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kerasviz.figures.catalogue.figure import Control
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, OptimizedTile, Tile, TileRow


@dataclass(frozen=True)
class Option:
    """Hold a value of a control: its label and its thumbnails."""

    label: str
    thumbs: tuple[Tile, ...] = ()


@dataclass(frozen=True)
class PageControl:
    """Describe a control as the page shows it.

    ``kind`` is ``picker`` (of units or photos, by their pictures), ``slider`` (of ordered values)
    or ``switch`` (off and on). ``role`` is its place in a setting, counted from 0.
    """

    kind: str
    role: str
    title: str
    values: tuple[Option, ...]
    initial: int


def rows_of(layout: FigureLayout) -> tuple[tuple[TileRow, ...], tuple[int, ...]]:
    """Return the rows of a figure, each with the setting that shows it, and the initial setting.

    Sums of units have a row for each pair: the two units and their sum.
    """
    if layout.figure.layout != "sums":
        return layout.blocks, layout.initial
    firsts, seconds = _sides(layout)
    rows = [
        TileRow("", (), (first, second, layout.blocks[j + 1].places[i + 1]), (i, j))
        for i, first in enumerate(firsts)
        for j, second in enumerate(seconds)
    ]
    wanted = zip(layout.figure.controls, (firsts, seconds), strict=True)
    return tuple(rows), tuple(min(c.initial, len(side) - 1) for c, side in wanted)


def controls_of(layout: FigureLayout) -> tuple[PageControl, ...]:
    """Return the controls of a figure's page, in the order of the numbers of a setting."""
    if layout.figure.layout == "sums":
        _, initial = rows_of(layout)
        return tuple(
            PageControl(
                "picker", str(k), control.title, tuple(_option(t) for t in side), initial[k]
            )
            for k, (control, side) in enumerate(
                zip(layout.figure.controls, _sides(layout), strict=True)
            )
        )
    found = [_shown(layout, k, control) for k, control in enumerate(layout.controls)]
    return tuple(found)


def _sides(layout: FigureLayout) -> tuple[list[Tile], list[Tile]]:
    """Return the single units over the columns and beside the rows of a sheet of sums."""
    top, *rest = layout.blocks
    return list(top.tiles), [row.tiles[0] for row in rest]


def _option(tile: Tile) -> Option:
    return Option(tile.words, (tile,))


def _shown(layout: FigureLayout, k: int, control: Control) -> PageControl:
    labels = [value.label for value in control.values]
    options = tuple(Option(label) for label in labels)
    if control.kind != "unit":
        kind = "switch" if labels == ["off", "on"] else "slider"
        return PageControl(kind, str(k), control.title, options, control.initial)
    with_pictures = tuple(
        replace(option, thumbs=_thumbs(layout, k, i)) for i, option in enumerate(options)
    )
    return PageControl("picker", str(k), control.title, with_pictures, control.initial)


def _thumbs(layout: FigureLayout, k: int, value: int) -> tuple[Tile, ...]:
    """Return the thumbnails of a value, from its row with the other controls as at first."""
    setting = (*layout.initial[:k], value, *layout.initial[k + 1 :])
    row = next((b for b in layout.blocks if b.setting == setting), None)
    if row is None or not row.tiles:
        return ()
    tiles = [place for place in row.places if not isinstance(place, EmptyTile)]
    first, last = tiles[0], tiles[-1]
    if not isinstance(first, OptimizedTile):
        return (first,)
    return (first, last) if first.request.rows > 1 else (last,)
