"""Layouts of figures of gradients: groups of pictures side by side, and a table of marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from PIL import Image

from kerasviz.figures.catalogue.gradient_figures import WEAK
from kerasviz.figures.drawing.icons import Shape
from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SMALL, Sheet, wrap
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, GradientTile, Tile, TileRow

Pictures = Mapping[Tile, Image.Image]

#: Bars where a pooling layer lies, where a convolution has a stride, and elsewhere (the article's
#: orange and pale lavender; it does not mark strides).
BARS = {"pool": "#ff6600", "stride": "#2f6fde", "": "#d9d6ee"}


def reduced(blocks: Sequence[TileRow], pictures: Pictures) -> dict[Tile, str]:
    """Return the maps after which the size is reduced: by a ``pool`` or a ``stride``."""
    found: dict[Tile, str] = {}
    for block in blocks:
        tiles = [tile for tile in block.tiles if isinstance(tile, GradientTile)]
        for tile, after in pairwise(tiles):
            if tile.kind == "magnitude" and pictures[after].width < pictures[tile].width:
                found[tile] = "pool" if tile.pool else "stride"
    return found


def paired_rows(layout: FigureLayout, pictures: Pictures, sheet: Sheet, left: float) -> None:
    """Draw blocks side by side: title, pictures in a row, names under them.

    With bars between the pictures, blocks are drawn below each other.
    """
    bars = layout.figure.bars
    gap, between = (16, 16) if bars else (10, 36)
    width = _width(layout)
    first = pictures[layout.tiles[0]]
    tile = width, width * first.height / first.width
    kinds = reduced(layout.blocks, pictures)
    x = top = left
    for block in layout.blocks:
        if bars:
            x, top = left, max(left, sheet.bottom + 14)
        y = top
        if block.title:
            wide = len(block.places) * (width + gap) - gap
            y = sheet.text(x, y, wrap(block.title, BOLD, wide), BOLD) + 4
        for i, place in enumerate(block.places):
            if isinstance(place, EmptyTile):
                panel(sheet, x, y, tile, place)
            else:
                below = sheet.picture(x, y, tile, pictures[place], sharp=place.sharp) + 4
                words = [place.label] if place.label else []
                words.append(place.name)
                lines = [line for w in words for line in wrap(w, SMALL, width)]
                sheet.text(x, below, lines, SMALL)
                if bars and block is layout.blocks[0] and i + 1 < len(block.places):
                    _bar(sheet, x + width + gap / 2, y, tile[1], kinds.get(place, ""))
            x += width + gap
        x += between - gap


def _width(layout: FigureLayout) -> float:
    return 88.0 if layout.figure.bars else 150.0


def halves_width(layout: FigureLayout) -> float:
    """Return the width of all blocks side by side."""
    gap, between = (16, 16) if layout.figure.bars else (10, 36)
    tiles = [len(block.places) for block in layout.blocks]
    if layout.figure.bars:
        return max(tiles) * (_width(layout) + gap) - gap
    return sum(n * (_width(layout) + gap) - gap for n in tiles) + between * (len(tiles) - 1)


def _bar(sheet: Sheet, x: float, y: float, height: float, kind: str) -> None:
    """Draw a bar; where maps become smaller it has an arrow in the direction of the gradient."""
    colour = BARS[kind]
    corners = ((-1.5, 0.0), (1.5, 0.0), (1.5, height), (-1.5, height))
    shapes = [Shape("polygon", corners, colour, stroke=colour)]
    if kind:
        middle = height / 2
        head = ((-6.5, middle), (1.5, middle - 7), (1.5, middle + 7))
        shapes.append(Shape("polygon", head, colour, stroke=colour))
    sheet.shapes(x, y, shapes)


def panel(sheet: Sheet, x: float, y: float, tile: tuple[float, float], empty: EmptyTile) -> None:
    """Draw a grey panel that says what is missing."""
    if not empty.name:
        return
    corners = ((0.0, 0.0), (tile[0], 0.0), tile, (0.0, tile[1]))
    sheet.shapes(x, y, [Shape("polygon", corners, "#f4f4f6", stroke="#c8c8cf")])
    lines = [*wrap(empty.name, SMALL, tile[0] - 12), *wrap(empty.why, SMALL, tile[0] - 12)]
    top = y + max(4.0, (tile[1] - len(lines) * SMALL.line) / 2)
    sheet.text(x + 6, top, lines, SMALL, centred=tile[0] - 12)


#: Widths of the columns of a table of marks: the name, a mark, the word on it.
NAME, MARK, GIST = 190, 112, 330


def marks_width(layout: FigureLayout) -> float:
    """Return the width of a table of marks."""
    return NAME + len(layout.column_titles) * MARK + GIST


def marks(layout: FigureLayout, sheet: Sheet, left: float) -> None:
    """Draw a table without pictures: works in rows, a dot in each column that applies."""
    columns = [left + NAME + i * MARK for i in range(len(layout.column_titles))]
    for title, low, high in (
        ("Weak regularization", 0, WEAK),
        ("Strong regularization", WEAK, len(columns)),
    ):
        wide = (high - low) * MARK
        sheet.text(columns[low], left, [title], BOLD, centred=wide)
        line = ((6.0, 0.0), (wide - 6.0, 0.0))
        sheet.shapes(columns[low], left + BOLD.line + 3, [Shape("line", line)])
    y = left + BOLD.line + 8
    ends = [
        sheet.text(x, y, wrap(head, SMALL, MARK - 8), SMALL, centred=MARK)
        for x, head in zip(columns, layout.column_titles, strict=True)
    ]
    y = max(ends) + 6
    for work in layout.figure.works:
        rule = Shape("line", ((0.0, 0.0), (marks_width(layout), 0.0)), stroke="#dddde2")
        sheet.shapes(left, y, [rule])
        name = work.name.replace("Ø", "O")  # which the typeface that comes with Pillow lacks
        end = sheet.text(left, y + 5, wrap(name, PLAIN, NAME - 8), PLAIN)
        right = left + NAME + len(columns) * MARK + 8
        end = max(end, sheet.text(right, y + 6, wrap(work.gist, SMALL, GIST - 8), SMALL))
        for column in work.marks:
            dot = Shape("circle", ((MARK / 2, 14.0),), "#44444c", stroke="#44444c", radius=5)
            sheet.shapes(columns[column], y, [dot])
        y = end + 5
