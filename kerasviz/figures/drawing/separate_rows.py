"""Layouts of tables with controls: what each control does alone, and units side by side."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from kerasviz.figures.catalogue.figure import Control
from kerasviz.figures.drawing.icons import Shape
from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SMALL, Sheet, measure, wrap
from kerasviz.figures.layout.sweeps import SEPARATE
from kerasviz.figures.layout.tiles import FigureLayout, Tile, TileRow

Pictures = Mapping[Tile, Image.Image]

#: The width of a picture, and what is between two.
TILE, GAP = 136.0, 10.0
#: Units in a row where each has two pictures, and what is between two units.
UNITS, APART = 3, 34.0


def is_separate(layout: FigureLayout) -> bool:
    """Return whether a figure is drawn as what each of its controls does alone."""
    kinds = [control.kind for control in layout.controls[1:]]
    return len(kinds) > 1 and all(kind in SEPARATE for kind in kinds)


def alone(layout: FigureLayout) -> list[tuple[Control, list[TileRow]]]:
    """Return every control with its rows, those in which all others are at their first value."""
    rows = {block.setting: block for block in layout.blocks}
    unit, count = layout.initial[0], len(layout.controls)
    return [
        (
            control,
            [
                rows[unit, *(i if j == k else 0 for j in range(1, count))]
                for i in range(len(control.values))
            ],
        )
        for k, control in enumerate(layout.controls)
        if k
    ]


def separate_width(layout: FigureLayout) -> float:
    """Return the width of a figure of controls that are shown alone."""
    most = max(len(control.values) for control in layout.controls[1:])
    return _side(layout) + most * (TILE + GAP) - GAP


def _side(layout: FigureLayout) -> float:
    return max(measure(control.title, BOLD) for control in layout.controls[1:]) + 20


def separate_rows(layout: FigureLayout, pictures: Pictures, sheet: Sheet, left: float) -> None:
    """Draw a row for each control: the last picture at each of its values, the others off."""
    first = pictures[layout.tiles[0]]
    size = TILE, TILE * first.height / first.width
    unit = layout.controls[0].values[layout.initial[0]].label
    words = f"{unit}, {layout.column_titles[-1].lower()}. Each alone, stronger to the right."
    y = sheet.text(left, left, wrap(words, PLAIN, separate_width(layout)), PLAIN) + 8
    for control, rows in alone(layout):
        sheet.text(left, y, [control.title], BOLD)
        ends = []
        for i, (value, row) in enumerate(zip(control.values, rows, strict=True)):
            x = left + _side(layout) + i * (TILE + GAP)
            tile = row.tiles[-1]
            below = (
                sheet.picture(
                    x, y, size, pictures[tile], sharp=tile.sharp and first.width < size[0]
                )
                + 3
            )
            ends.append(sheet.text(x, below, [value.label if i else "off"], SMALL, centred=TILE))
        y = max(ends) + 12


def is_paired(layout: FigureLayout) -> bool:
    """Return whether a figure shows two pictures of each of many units."""
    return len(layout.blocks) > UNITS and all(
        block.setting and len(block.places) == 2 for block in layout.blocks
    )


def pairs_width(layout: FigureLayout) -> float:
    """Return the width of a figure of two pictures of each unit."""
    count = min(UNITS, len(layout.blocks))
    return count * (2 * TILE + GAP) + (count - 1) * APART


def pairs(layout: FigureLayout, pictures: Pictures, sheet: Sheet, left: float) -> None:
    """Draw units side by side, each with its two pictures, a rule between them, and its name."""
    first = pictures[layout.tiles[0]]
    size = TILE, TILE * first.height / first.width
    for i in range(min(UNITS, len(layout.blocks))):
        for k, head in enumerate(layout.column_titles):
            x = left + i * (2 * TILE + GAP + APART) + k * (TILE + GAP)
            sheet.text(x, left, [head.split()[0]], SMALL, centred=TILE)
    y = left + SMALL.line + 4
    for start in range(0, len(layout.blocks), UNITS):
        ends = []
        for i, block in enumerate(layout.blocks[start : start + UNITS]):
            x = left + i * (2 * TILE + GAP + APART)
            for k, tile in enumerate(block.tiles):
                below = sheet.picture(x + k * (TILE + GAP), y, size, pictures[tile])
            rule = ((0.0, 0.0), (0.0, size[1]))
            sheet.shapes(x + TILE + GAP / 2, y, [Shape("line", rule, stroke="#8a8a90", width=2)])
            lines = wrap(block.title, SMALL, 2 * TILE + GAP)
            ends.append(sheet.text(x, below + 3, lines, SMALL, centred=2 * TILE + GAP))
        y = max(ends) + 12
