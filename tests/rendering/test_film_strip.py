from __future__ import annotations

import numpy as np
from PIL import Image

from kerasviz.rendering.film_strip import GAP, GROUND, LINE, film_strip


def test_pictures_stand_in_rows_and_columns() -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 90)]
    red, green, blue, grey = (Image.new("RGB", (13, 9), colour) for colour in colours)
    strip = np.asarray(
        film_strip([[red, green], [blue, grey.convert("L")]], ["a", "b"], ["1", "2"])
    )
    assert strip.shape == (LINE + GAP + 2 * (LINE + 9 + GAP), GAP + 2 * (13 + GAP), 3)
    for number, colour in enumerate(colours):
        top = 2 * LINE + GAP + number // 2 * (LINE + 9 + GAP)
        left = GAP + number % 2 * (13 + GAP)
        assert (strip[top : top + 9, left : left + 13] == colour).all()
        assert (strip[top : top + 9, left + 13 : left + 13 + GAP] == GROUND).all()


def test_rows_and_columns_have_names() -> None:
    picture = Image.new("RGB", (40, 10))

    def drawn(name: str, column: str) -> np.ndarray:
        return np.asarray(film_strip([[picture]], [name], [column]))

    for other in (drawn("conv:8", "1"), drawn("conv:3", "2")):
        assert (drawn("conv:3", "1") != other).any()
