"""Layouts of figures of photos: rows of captioned pictures, and grids of icons side by side."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from kerasviz.figures.drawing.gradient_layouts import panel
from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SCALE, SMALL, Sheet, wrap
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, Tile, TileRow

Pictures = Mapping[Tile, Image.Image]

#: The width of a captioned picture, and of one that is much wider than high, in pixels.
TILE = 130
WIDE = 400
#: The ratio of width and height from which on a picture is wide.
RATIO = 1.8
GAP = 12
#: The side of a grid, of one among more than two, and of a single picture beside it, in pixels.
GRID = 504
SMALL_GRID = 250
SINGLE = 224


def panels_width(layout: FigureLayout, pictures: Pictures) -> float:
    """Return the width of the widest row of captioned pictures."""
    return max(
        sum(_width(place, pictures) + GAP for place in block.places) - GAP
        for block in layout.blocks
    )


def _width(place: Tile | EmptyTile, pictures: Pictures) -> float:
    if isinstance(place, EmptyTile):
        return TILE
    picture = pictures[place]
    return WIDE if picture.width > RATIO * picture.height else TILE


def panels(layout: FigureLayout, pictures: Pictures, sheet: Sheet, top: float) -> None:
    """Draw rows of pictures, each row with its title above and a caption under every picture."""
    y = top
    for block in layout.blocks:
        if block.title:
            y = sheet.text(top, y, wrap(block.title, BOLD, sheet.width - 2 * top), BOLD) + 4
        x, ends = top, [y]
        for place in block.places:
            width = _width(place, pictures)
            if isinstance(place, EmptyTile):
                panel(sheet, x, y, (width, width), place)
                ends.append(y + width)
            else:
                picture = pictures[place]
                size = (width, width * picture.height / picture.width)
                end = sheet.picture(x, y, size, picture, sharp=place.sharp) + 3
                if place.label:
                    end = sheet.text(x, end, wrap(place.label, PLAIN, width), PLAIN)
                ends.append(sheet.text(x, end, wrap(place.name, SMALL, width), SMALL))
            x += width + GAP
        y = max(ends) + GAP


def grids_width(layout: FigureLayout) -> float:
    """Return the width of grids and single pictures side by side."""
    return sum(_block_width(block, layout) + GAP for block in layout.blocks) - GAP


def _block_width(block: TileRow, layout: FigureLayout) -> float:
    several = sum(bool(block.columns) for block in layout.blocks) > 2
    grid = SMALL_GRID if several else GRID
    return grid if block.columns else SINGLE


def grids(layout: FigureLayout, pictures: Pictures, sheet: Sheet, top: float) -> None:
    """Draw blocks side by side: a grid of icons, each of its share of a cell, or one picture."""
    x = top
    for block in layout.blocks:
        width = _block_width(block, layout)
        y = sheet.text(x, top, wrap(block.title, BOLD, width), BOLD) + 4
        if block.columns:
            _grid(block, pictures, sheet, (x, y), width / block.columns)
        else:
            for tile in block.tiles:
                picture = pictures[tile]
                y = sheet.picture(x, y, (width, width * picture.height / picture.width), picture)
                y = sheet.text(x, y + 3, wrap(tile.words, SMALL, width), SMALL) + GAP
        x += width + GAP


def _grid(
    block: TileRow,
    pictures: Pictures,
    sheet: Sheet,
    corner: tuple[float, float],
    cell: float,
) -> None:
    for k, place in enumerate(block.places):
        if isinstance(place, EmptyTile):
            continue
        row, column = divmod(k, block.columns)
        left, right = (_edge(corner[0] + (column + n) * cell) for n in (0, 1))
        top, bottom = (_edge(corner[1] + (row + n) * cell) for n in (0, 1))
        across, down = (right - left) * place.share, (bottom - top) * place.share
        x, y = left + (right - left - across) / 2, top + (bottom - top - down) / 2
        sheet.picture(x, y, (across, down), pictures[place])


def _edge(place: float) -> float:
    """Return a place between pixels of the sheet, so that neighbours meet without a seam."""
    return round(place * SCALE) / SCALE
