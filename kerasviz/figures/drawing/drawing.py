"""Drawing a figure as one picture, laid out as the article lays it out."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from kerasviz.figures.drawing.gradient_layouts import (
    halves_width,
    marks,
    marks_width,
    paired_rows,
    panel,
)
from kerasviz.figures.drawing.icons import ICON_SIZE, arrow, icon
from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SMALL, Sheet, Style, measure, wrap
from kerasviz.figures.drawing.unit_rows import unit_rows, unit_rows_width
from kerasviz.figures.layout.tiles import (
    EmptyTile,
    ExamplesTile,
    FigureLayout,
    OptimizedTile,
    Tile,
    TileRow,
)

__all__ = ["draw", "layers_line", "shown_rows", "spans"]

Pictures = Mapping[Tile, Image.Image]

MARGIN = 24
#: A figure of few tiles is still as wide as this, for the text under it.
NARROWEST = 560


def draw(choice: FigureLayout, pictures: Pictures) -> Image.Image:
    """Draw a figure from the pictures of its cells: tiles, words, caption and notes below.

    Pictures are scaled smoothly to the tile width of the layout and keep their proportions.
    """
    sheet = _LAYOUTS[choice.figure.layout](choice, pictures)
    width = sheet.width - 2 * MARGIN
    y = sheet.bottom + 18
    y = sheet.text(MARGIN, y, wrap(choice.figure.title, BOLD, width), BOLD)
    y = sheet.text(MARGIN, y + 2, wrap(choice.figure.caption, PLAIN, width), PLAIN)
    y += 6
    for note in (f"Network: {choice.network}.", *choice.notes):
        y = sheet.text(MARGIN, y, wrap(note, SMALL, width), SMALL)
    return sheet.finish(MARGIN)


def layers_line(block: TileRow) -> str:
    """The layers of a block in brackets, as they stand under it.

    >>> layers_line(Block("Parts", ("mixed4b", "mixed4c"), ()))
    '(layers mixed4b & mixed4c)'
    """
    return f"(layer{'s' if len(block.layers) > 1 else ''} {' & '.join(block.layers)})"


def _sheet(width: float) -> Sheet:
    return Sheet(max(NARROWEST, width + 2 * MARGIN))


def _tile(width: float, cells: tuple[Tile, ...], pictures: Pictures) -> tuple[float, float]:
    """The size of a tile of this width: all pictures of a figure have the same proportions."""
    picture = pictures[cells[0]]
    return width, width * picture.height / picture.width


def _blocks(choice: FigureLayout, pictures: Pictures) -> Sheet:
    """Blocks in a row, each two tiles wide, with its title and layers under it."""
    gap, between = 5, 20
    tile = _tile(100, choice.cells, pictures)
    wide = 2 * tile[0] + gap
    sheet = _sheet(len(choice.blocks) * (wide + between) - between)
    rows = max(-(-len(block.cells) // 2) for block in choice.blocks)
    for i, block in enumerate(choice.blocks):
        x = MARGIN + i * (wide + between)
        for j, cell in enumerate(block.cells):
            place = x + j % 2 * (tile[0] + gap), MARGIN + j // 2 * (tile[1] + gap)
            sheet.picture(*place, tile, pictures[cell])
        y = MARGIN + rows * (tile[1] + gap) + 3
        y = sheet.text(x, y, wrap(block.title, BOLD, wide), BOLD)
        sheet.text(x, y, wrap(layers_line(block), SMALL, wide), SMALL)
    return sheet


def _sequence(choice: FigureLayout, pictures: Pictures) -> Sheet:
    """Tiles in a row with arrows between them and a caption under each."""
    cells, gap = choice.cells, 40
    tile = _tile(140, cells, pictures)
    sheet = _sheet(len(cells) * (tile[0] + gap) - gap)
    y = MARGIN
    for i, cell in enumerate(cells):
        x = MARGIN + i * (tile[0] + gap)
        sheet.picture(x, y, tile, pictures[cell])
        sheet.text(x, y + tile[1] + 5, [cell.label], PLAIN, centred=tile[0])
        if i:
            sheet.shapes(x - gap + 8, y + tile[1] / 2, arrow(gap - 16))
    return sheet


def _columns(choice: FigureLayout, pictures: Pictures) -> Sheet:
    """One column for each objective: icon, picture, title, formula, target; a legend beside."""
    cells, gap, aside = choice.cells, 16, 130
    tile = _tile(150, cells, pictures)
    sheet = _sheet(len(cells) * (tile[0] + gap) + aside)
    top = MARGIN + ICON_SIZE[1] + 10
    for i, cell in enumerate(cells):
        column = cell.column
        if column is None:
            continue
        x = MARGIN + i * (tile[0] + gap)
        sheet.shapes(x + (tile[0] - ICON_SIZE[0]) / 2, MARGIN, icon(column.kind))
        y = sheet.picture(x, top, tile, pictures[cell]) + 6
        y = sheet.text(x, y, wrap(column.title, BOLD, tile[0]), BOLD)
        y = sheet.text(x, y, wrap(column.formula, PLAIN, tile[0]), PLAIN)
        sheet.text(x, y, wrap(cell.name, SMALL, tile[0]), SMALL)
    x, y = MARGIN + len(cells) * (tile[0] + gap) + 8, top
    for letter, meaning in choice.legend:
        sheet.text(x, y, [letter], _LETTER)
        y = sheet.text(x + 30, y, wrap(meaning, SMALL, aside - 38), SMALL) + 4
    return sheet


_LETTER = Style(12, 16, bold=True)


def _rows(choice: FigureLayout, pictures: Pictures) -> Sheet:
    """One row for each layer, its name at the side and a caption under every tile."""
    gap, side = 10, 150.0
    tile = _tile(130, choice.cells, pictures)
    names = [line for b in choice.blocks for n in b.layers for line in wrap(n, BOLD, side)]
    side = max(measure(line, BOLD) for line in names) + 16
    widest = max(len(block.cells) for block in choice.blocks)
    sheet = _sheet(side + widest * (tile[0] + gap) - gap)
    y: float = MARGIN
    for block in choice.blocks:
        sheet.text(MARGIN, y, [w for n in block.layers for w in wrap(n, BOLD, side)], BOLD)
        ends = [sheet.bottom]
        for i, cell in enumerate(block.cells):
            x = MARGIN + side + i * (tile[0] + gap)
            below = sheet.picture(x, y, tile, pictures[cell]) + 2
            ends.append(sheet.text(x, below, wrap(_unit_line(cell), SMALL, tile[0]), SMALL))
        y = max(ends) + gap
    return sheet


def shown_rows(choice: FigureLayout) -> list[TileRow]:
    """The rows of a table that its picture shows: where a reader changes one control at most.

    Of several controls the first, which unit it is, stays as it is.
    """
    if not choice.controls:
        return list(choice.blocks)
    fixed = 1 if len(choice.controls) > 1 else 0
    return [
        block
        for block in choice.blocks
        if block.setting[:fixed] == choice.initial[:fixed]
        and sum(a != b for a, b in zip(block.setting, choice.initial, strict=True)) <= 1
    ]


def _table(choice: FigureLayout, pictures: Pictures) -> Sheet:
    """Rows and columns of pictures, a word at each; empty panels say what is missing."""
    rows = shown_rows(choice)
    columns = max(len(row.places) for row in rows)
    gap, width = 10, min(136.0, max(84.0, 900 / columns - 10))
    made = tuple(t for t in choice.tiles if not isinstance(t, ExamplesTile)) or choice.tiles
    tile = _tile(width, made, pictures)
    sharp = pictures[made[0]].width < tile[0]
    side = 0.0
    if any(row.title for row in rows):
        lines = [line for row in rows for line in wrap(row.title, SMALL, 150)]
        side = max(measure(line, SMALL) for line in lines) + 12
    sheet = _sheet(side + columns * (tile[0] + gap) - gap)
    y: float = MARGIN
    if choice.column_titles:
        ends = []
        for first, count in spans(choice.column_titles):
            wide = count * (tile[0] + gap) - gap
            lines = wrap(choice.column_titles[first], SMALL, wide)
            ends.append(
                sheet.text(MARGIN + side + first * (tile[0] + gap), y, lines, SMALL, centred=wide)
            )
        y = max(ends) + 4
    for row in rows:
        below = y + tile[1]
        if row.title:
            below = max(below, sheet.text(MARGIN, y, wrap(row.title, SMALL, 150), SMALL))
        for i, place in enumerate(row.places):
            x = MARGIN + side + i * (tile[0] + gap)
            if isinstance(place, EmptyTile):
                panel(sheet, x, y, tile, place)
            else:
                sheet.picture(x, y, tile, pictures[place], sharp=_sharp(place, sharp))
        y = below + gap
    return sheet


def _sharp(tile: Tile, optimized: bool) -> bool:
    """Whether single pixels are to be seen: of optimized pictures if ``optimized`` says so."""
    return tile.sharp or (optimized and not isinstance(tile, ExamplesTile))


def spans(heads: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where runs of equal heads start, and how long they are."""
    if not heads:
        return []
    starts = [i for i, head in enumerate(heads) if not i or head != heads[i - 1]]
    ends = [*starts[1:], len(heads)]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def _halves(choice: FigureLayout, pictures: Pictures) -> Sheet:
    sheet = _sheet(halves_width(choice))
    paired_rows(choice, pictures, sheet, MARGIN)
    return sheet


def _marks(choice: FigureLayout, _: Pictures) -> Sheet:
    sheet = _sheet(marks_width(choice))
    marks(choice, sheet, MARGIN)
    return sheet


def _layer(choice: FigureLayout, pictures: Pictures) -> Sheet:
    sheet = _sheet(unit_rows_width(choice))
    unit_rows(choice, pictures, sheet, MARGIN)
    return sheet


def _unit_line(cell: OptimizedTile) -> str:
    unit = f"Unit {cell.unit}"
    return f"{unit}: {cell.label}" if cell.label else unit


_LAYOUTS = {
    "blocks": _blocks,
    "sequence": _sequence,
    "columns": _columns,
    "rows": _rows,
    "table": _table,
    "sums": _table,
    "halves": _halves,
    "marks": _marks,
    "layer": _layer,
}
