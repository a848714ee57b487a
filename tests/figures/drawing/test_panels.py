"""Rows of captioned pictures, and grids of icons: where everything is on the sheet."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kerasviz.figures.catalogue.building_blocks import ACTIVATION_GRID, SPATIAL_ATTRIBUTION
from kerasviz.figures.drawing.drawing import MARGIN, draw
from kerasviz.figures.drawing.panels import GAP, SINGLE, SMALL_GRID, TILE, WIDE
from kerasviz.figures.drawing.sheet import SCALE
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, GradientTile, TileRow

RED, BLUE = (255, 0, 0), (0, 0, 255)


def tile(name, label="", share=1.0):
    made = GradientTile(name, name, "photo", (), (8, 8), label=label)
    if share != 1:
        object.__setattr__(made, "share", share)
    return made


def laid_out(figure, blocks):
    return FigureLayout(figure, "net", (8, 8), tuple(blocks), ())


def boxes(image, colour):
    """Return (left, top, right, bottom) of all that has a colour, in pixels of the layout."""
    pixels = np.asarray(image.convert("RGB"))
    rows, columns = np.nonzero((pixels == colour).all(-1))
    return tuple(
        round(n / SCALE) for n in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    )


def test_wide_pictures_are_wider_and_captions_stand_below():
    square, wide = tile("square", "+1.5"), tile("wide")
    layout = laid_out(SPATIAL_ATTRIBUTION, [TileRow("A class", (), (square, wide))])
    pictures = {square: Image.new("RGB", (8, 8), RED), wide: Image.new("RGB", (20, 8), BLUE)}
    image = draw(layout, pictures)
    left, top, right, bottom = boxes(image, RED)
    assert (left, right - left, bottom - top) == (MARGIN, TILE, TILE)
    other = boxes(image, BLUE)
    assert other[0] == right + GAP and other[1] == top
    assert (other[2] - other[0], other[3] - other[1]) == (WIDE, WIDE * 8 // 20)
    caption = np.asarray(image.convert("L"))[
        (bottom + 3) * SCALE : (bottom + 36) * SCALE, left * SCALE : right * SCALE
    ]
    assert caption.min() < 120  # text


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_icons_are_in_the_middle_of_their_cells_as_large_as_their_share(share):
    photo, icon = tile("photo"), tile("icon", share=share)
    grid = TileRow("layer", (), (EmptyTile("", ""), EmptyTile("", ""), icon), columns=2)
    others = [TileRow("layer", (), (), columns=2)] * 2
    layout = laid_out(ACTIVATION_GRID, [TileRow("Photo", (), (photo,)), grid, *others])
    pictures = {photo: Image.new("RGB", (8, 8), BLUE), icon: Image.new("RGB", (8, 8), RED)}
    image = draw(layout, pictures)
    place = boxes(image, BLUE)
    assert place[2] - place[0] == SINGLE
    left, top, right, bottom = boxes(image, RED)
    cell = SMALL_GRID / 2
    assert right - left == pytest.approx(share * cell, abs=1) == bottom - top
    middle = MARGIN + SINGLE + GAP + cell / 2
    assert (left + right) / 2 == pytest.approx(middle, abs=1)
    assert (top + bottom) / 2 == pytest.approx(place[1] + 1.5 * cell, abs=2)
