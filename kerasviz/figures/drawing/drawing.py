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
from kerasviz.figures.drawing.panels import grids, grids_width, panels, panels_width
from kerasviz.figures.drawing.separate_rows import (
    is_paired,
    is_separate,
    pairs,
    pairs_width,
    separate_rows,
    separate_width,
)
from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SMALL, Sheet, Style, measure, wrap
from kerasviz.figures.drawing.unit_rows import unit_rows, unit_rows_width
from kerasviz.figures.layout.tiles import (
    EmptyTile,
    ExamplesTile,
    FigureLayout,
    GradientTile,
    OptimizedTile,
    Tile,
    TileRow,
)

Pictures = Mapping[Tile, Image.Image]

MARGIN = 24
#: A figure of few tiles is still as wide as this, for the text under it.
NARROWEST = 560


def draw(layout: FigureLayout, pictures: Pictures) -> Image.Image:
    """Draw a figure from the pictures of its tiles, with title, caption and notes below.

    Pictures are scaled smoothly to the tile width of the layout and keep their proportions.
    """
    sheet = _LAYOUTS[layout.figure.layout](layout, pictures)
    width = sheet.width - 2 * MARGIN
    y = sheet.bottom + 18
    y = sheet.text(MARGIN, y, wrap(layout.figure.title, BOLD, width), BOLD)
    y = sheet.text(MARGIN, y + 2, wrap(layout.caption, PLAIN, width), PLAIN)
    y += 6
    for note in (f"Network: {layout.network}.", *layout.notes):
        y = sheet.text(MARGIN, y, wrap(note, SMALL, width), SMALL)
    return sheet.finish(MARGIN)


def layers_line(block: TileRow) -> str:
    """Write the layers of a block in brackets.

    >>> layers_line(TileRow("Parts", ("mixed4b", "mixed4c"), ()))
    '(layers mixed4b & mixed4c)'
    """
    return f"(layer{'s' if len(block.layers) > 1 else ''} {' & '.join(block.layers)})"


def _sheet(width: float) -> Sheet:
    return Sheet(max(NARROWEST, width + 2 * MARGIN))


def _tile_size(width: float, tiles: tuple[Tile, ...], pictures: Pictures) -> tuple[float, float]:
    """Return the size of a tile of this width: all pictures have the same proportions."""
    picture = pictures[tiles[0]]
    return width, width * picture.height / picture.width


def _blocks(layout: FigureLayout, pictures: Pictures) -> Sheet:
    """Draw blocks in a row, each two tiles wide, with its title and layers under it."""
    gap, between = 5, 20
    size = _tile_size(100, layout.optimized, pictures)
    wide = 2 * size[0] + gap
    sheet = _sheet(len(layout.blocks) * (wide + between) - between)
    rows = max(-(-len(block.optimized) // 2) for block in layout.blocks)
    for i, block in enumerate(layout.blocks):
        x = MARGIN + i * (wide + between)
        for j, tile in enumerate(block.optimized):
            place = x + j % 2 * (size[0] + gap), MARGIN + j // 2 * (size[1] + gap)
            sheet.picture(*place, size, pictures[tile])
        y = MARGIN + rows * (size[1] + gap) + 3
        y = sheet.text(x, y, wrap(block.title, BOLD, wide), BOLD)
        sheet.text(x, y, wrap(layers_line(block), SMALL, wide), SMALL)
    return sheet


def _sequence(layout: FigureLayout, pictures: Pictures) -> Sheet:
    """Draw tiles in a row with arrows between them and a caption under each."""
    tiles, gap = layout.optimized, 40
    size = _tile_size(140, tiles, pictures)
    sheet = _sheet(len(tiles) * (size[0] + gap) - gap)
    y = MARGIN
    for i, tile in enumerate(tiles):
        x = MARGIN + i * (size[0] + gap)
        sheet.picture(x, y, size, pictures[tile])
        sheet.text(x, y + size[1] + 5, [tile.label], PLAIN, centred=size[0])
        if i:
            sheet.shapes(x - gap + 8, y + size[1] / 2, arrow(gap - 16))
    return sheet


def _columns(layout: FigureLayout, pictures: Pictures) -> Sheet:
    """Draw a column for each objective: icon, picture, title, formula, target; a legend beside."""
    tiles, gap, aside = layout.optimized, 16, 130
    size = _tile_size(150, tiles, pictures)
    sheet = _sheet(len(tiles) * (size[0] + gap) + aside)
    top = MARGIN + ICON_SIZE[1] + 10
    for i, tile in enumerate(tiles):
        column = tile.column
        if column is None:
            continue
        x = MARGIN + i * (size[0] + gap)
        sheet.shapes(x + (size[0] - ICON_SIZE[0]) / 2, MARGIN, icon(column.kind))
        y = sheet.picture(x, top, size, pictures[tile]) + 6
        y = sheet.text(x, y, wrap(column.title, BOLD, size[0]), BOLD)
        y = sheet.text(x, y, wrap(column.formula, PLAIN, size[0]), PLAIN)
        sheet.text(x, y, wrap(tile.name, SMALL, size[0]), SMALL)
    x, y = MARGIN + len(tiles) * (size[0] + gap) + 8, top
    for letter, meaning in layout.legend:
        sheet.text(x, y, [letter], _LETTER)
        y = sheet.text(x + 30, y, wrap(meaning, SMALL, aside - 38), SMALL) + 4
    return sheet


_LETTER = Style(12, 16, bold=True)


def _rows(layout: FigureLayout, pictures: Pictures) -> Sheet:
    """Draw a row for each layer, its name at the side and a caption under every tile."""
    gap, side = 10, 150.0
    size = _tile_size(130, layout.optimized, pictures)
    names = [line for b in layout.blocks for n in b.layers for line in wrap(n, BOLD, side)]
    side = max(measure(line, BOLD) for line in names) + 16
    widest = max(len(block.optimized) for block in layout.blocks)
    sheet = _sheet(side + widest * (size[0] + gap) - gap)
    y: float = MARGIN
    for block in layout.blocks:
        sheet.text(MARGIN, y, [w for n in block.layers for w in wrap(n, BOLD, side)], BOLD)
        ends = [sheet.bottom]
        for i, tile in enumerate(block.optimized):
            x = MARGIN + side + i * (size[0] + gap)
            below = sheet.picture(x, y, size, pictures[tile]) + 2
            ends.append(sheet.text(x, below, wrap(_unit_line(tile), SMALL, size[0]), SMALL))
        y = max(ends) + gap
    return sheet


def shown_rows(layout: FigureLayout) -> list[TileRow]:
    """Return the rows of a table for its PNG: at most one control differs, or only switches do.

    Where there are several controls, the first (the unit) keeps its initial value.
    """
    if not layout.controls:
        return list(layout.blocks)
    fixed = 1 if len(layout.controls) > 1 else 0
    switches = [len(control.values) == 2 for control in layout.controls]

    def near(setting: tuple[int, ...]) -> bool:
        changed = [
            k for k, (a, b) in enumerate(zip(setting, layout.initial, strict=True)) if a != b
        ]
        return len(changed) <= 1 or all(switches[k] for k in changed)

    return [
        block
        for block in layout.blocks
        if block.setting[:fixed] == layout.initial[:fixed] and near(block.setting)
    ]


def _table(layout: FigureLayout, pictures: Pictures) -> Sheet:
    """Draw rows and columns of pictures with titles; empty panels say what is missing."""
    if is_separate(layout):
        sheet = _sheet(separate_width(layout))
        separate_rows(layout, pictures, sheet, MARGIN)
        return sheet
    if is_paired(layout):
        sheet = _sheet(pairs_width(layout))
        pairs(layout, pictures, sheet, MARGIN)
        return sheet
    rows = shown_rows(layout)
    columns = max(len(row.places) for row in rows)
    gap, width = 10, min(136.0, max(84.0, 900 / columns - 10))
    made = tuple(t for t in layout.tiles if not isinstance(t, ExamplesTile)) or layout.tiles
    size = _tile_size(width, made, pictures)
    side = 0.0
    if any(row.title for row in rows):
        lines = [line for row in rows for line in wrap(row.title, SMALL, 150)]
        side = max(measure(line, SMALL) for line in lines) + 12
    sheet = _sheet(side + columns * (size[0] + gap) - gap)
    y: float = MARGIN
    if layout.column_titles:
        ends = []
        for first, count in spans(layout.column_titles):
            wide = count * (size[0] + gap) - gap
            lines = wrap(layout.column_titles[first], SMALL, wide)
            ends.append(
                sheet.text(MARGIN + side + first * (size[0] + gap), y, lines, SMALL, centred=wide)
            )
        y = max(ends) + 4
    for row in rows:
        below = y + size[1]
        if row.title:
            below = max(below, sheet.text(MARGIN, y, wrap(row.title, SMALL, 150), SMALL))
        for i, place in enumerate(row.places):
            x = MARGIN + side + i * (size[0] + gap)
            if isinstance(place, EmptyTile):
                panel(sheet, x, y, size, place)
            else:
                sheet.picture(x, y, size, pictures[place], sharp=_sharp(place, pictures, size))
        y = below + gap
    return sheet


def _sharp(tile: Tile, pictures: Pictures, size: tuple[float, float]) -> bool:
    """Return whether pixels stay sharp; of optimized pictures only where they are enlarged."""
    return tile.sharp and (isinstance(tile, GradientTile) or pictures[tile].width < size[0])


def spans(heads: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the start and length of each run of equal titles."""
    if not heads:
        return []
    starts = [i for i, head in enumerate(heads) if not i or head != heads[i - 1]]
    ends = [*starts[1:], len(heads)]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def _halves(layout: FigureLayout, pictures: Pictures) -> Sheet:
    sheet = _sheet(halves_width(layout))
    paired_rows(layout, pictures, sheet, MARGIN)
    return sheet


def _marks(layout: FigureLayout, _: Pictures) -> Sheet:
    sheet = _sheet(marks_width(layout))
    marks(layout, sheet, MARGIN)
    return sheet


def _layer(layout: FigureLayout, pictures: Pictures) -> Sheet:
    sheet = _sheet(unit_rows_width(layout))
    unit_rows(layout, pictures, sheet, MARGIN)
    return sheet


def _panels(layout: FigureLayout, pictures: Pictures) -> Sheet:
    sheet = _sheet(panels_width(layout, pictures))
    panels(layout, pictures, sheet, MARGIN)
    return sheet


def _grids(layout: FigureLayout, pictures: Pictures) -> Sheet:
    sheet = _sheet(grids_width(layout))
    grids(layout, pictures, sheet, MARGIN)
    return sheet


def _unit_line(tile: OptimizedTile) -> str:
    unit = f"Unit {tile.unit}"
    return f"{unit}: {tile.label}" if tile.label else unit


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
    "panels": _panels,
    "grids": _grids,
}
