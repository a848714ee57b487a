"""The layout of ``appendix-layer``: a unit in each row, under the titles of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from kerasviz.figures.drawing.gradient_layouts import panel
from kerasviz.figures.drawing.sheet import BOLD, SMALL, Sheet, wrap
from kerasviz.figures.layout.appendix import first_rows
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, Tile

Pictures = Mapping[Tile, Image.Image]

#: The width of a picture, what is between two, and more of it between the kinds of objectives.
TILE, GAP, APART = 147.0, 10.0, 26.0


def _columns(layout: FigureLayout) -> list[tuple[float, tuple[int, ...]]]:
    """Return the left edge of each column and the places in it; diverse pictures share one."""
    heads = layout.column_titles
    x = 0.0
    negative = len(dict.fromkeys(heads[: _negative(heads)]))
    found: list[tuple[float, tuple[int, ...]]] = []
    for first, head in enumerate(heads):
        if first and head == heads[first - 1]:
            continue
        if first:
            x += APART if len(found) in (1, negative) else GAP
        found.append((x, tuple(i for i, other in enumerate(heads) if other == head)))
        x += TILE
    return found


def _negative(heads: Sequence[str]) -> int:
    """Return the first place of the negative side."""
    return next(i for i, head in enumerate(heads) if head.startswith("Negative"))


def unit_rows_width(layout: FigureLayout) -> float:
    """Return the width of a row."""
    return _columns(layout)[-1][0] + TILE


def unit_rows(layout: FigureLayout, pictures: Pictures, sheet: Sheet, left: float) -> None:
    """Draw the first units of the first layer, each with its title."""
    rows = first_rows(layout)
    first = pictures[rows[0].tiles[0]]
    tile = TILE, TILE * first.height / first.width
    columns = _columns(layout)
    # The neuron stands alone, then come the positive side and the negative.
    negative = next(x for x, some in columns if _negative(layout.column_titles) in some)
    for x, words in ((columns[1][0], "Positive"), (negative, "Negative")):
        sheet.text(left + x, left, [words], BOLD)
    top = left + BOLD.line
    ends = [
        sheet.text(left + x, top, wrap(layout.column_titles[some[0]], SMALL, TILE), SMALL)
        for x, some in columns
    ]
    y = max(ends) + 4
    for row in rows:
        y = sheet.text(left, y, wrap(row.title, BOLD, unit_rows_width(layout)), BOLD) + 3
        for x, some in columns:
            places = [row.places[i] for i in some]
            width = tile[0] if len(places) == 1 else (tile[0] - 1) / 2
            size = width, width * first.height / first.width
            for k, place in enumerate(places):
                at = left + x + k % 2 * (size[0] + 1), y + k // 2 * (size[1] + 1)
                if isinstance(place, EmptyTile):
                    panel(sheet, *at, size, place)
                else:
                    sheet.picture(*at, size, pictures[place])
        y += tile[1] + 12
