"""Pictures of recorded numbers."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.rendering.number_pictures import (
    ALONE,
    MARGINS,
    ON_PHOTO,
    PLOT,
    cut,
    lines,
    marked,
    overlaid,
    pattern,
    tinted,
)
from kerasviz.rendering.overlay import overlay

PHOTO = np.random.default_rng(0).uniform(0.2, 0.8, (40, 60, 3)).astype(np.float32)


def test_maps_are_drawn_as_the_pages_of_photos_draw_them():
    rows = [[1.0, -1.0], [0.25, 0.0]]
    np.testing.assert_array_equal(overlaid(PHOTO, rows), overlay(PHOTO, np.array(rows)))
    tint = np.asarray(tinted(PHOTO, ((0, 0, 255), [[1.0, 0.0]])), int)
    assert tint[20, 2, 2] - tint[20, 2, 0] > 150  # blue where the map is 1
    assert np.ptp(tint[20, -2]) == 0  # grey where it is 0


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 5)])
def test_the_frame_is_around_the_position(place):
    y, x = place
    drawn = np.asarray(marked(np.zeros((40, 60, 3), np.float32), (y, x, 4, 6)))
    rows, columns = np.nonzero(drawn.any(-1))
    assert (rows.min(), rows.max()) == (10 * y, 10 * y + 9)
    assert (columns.min(), columns.max()) == (10 * x, 10 * x + 9)
    assert not drawn[10 * y + 5, 10 * x + 5].any()  # the position itself stays as it is


def test_a_cut_has_the_pixels_of_the_photo():
    wanted = np.rint(PHOTO[5:25, 30:60] * 255)
    assert np.abs(np.asarray(cut(PHOTO, (5, 30, 20, 30)), int) - wanted).max() <= 1


def test_cells_of_a_pattern_keep_their_colours():
    cells = np.random.default_rng(1).integers(0, 256, (3, 5, 3))
    drawn = np.asarray(pattern(cells.tolist()))
    factor = drawn.shape[1] // 5
    np.testing.assert_array_equal(drawn[factor // 2 :: factor, factor // 2 :: factor], cells)


def test_curves_stand_at_their_numbers():
    """A straight line from -1 to 3 over the box; 0 is a quarter above its foot."""
    red = (255, 0, 0)
    drawn = np.asarray(lines((("0°", "360°"), (("before", red, (-1.0, 3.0)),))), int)
    left, top, right, bottom = MARGINS
    box = drawn[top : PLOT[1] - bottom, left : PLOT[0] - right]
    for share in (0.1, 0.5, 0.9):
        column = box[:, round(share * (box.shape[1] - 1))]
        pixels = np.flatnonzero((column[:, 0] > 200) & (column[:, 1] < 90))
        assert pixels.mean() == pytest.approx((1 - share) * (box.shape[0] - 1), abs=2)
    grey = np.flatnonzero(np.abs(box[:, 2] - 200).max(-1) < 45)
    assert grey.mean() == pytest.approx(0.75 * (box.shape[0] - 1), abs=1.5)
    legend = drawn[-20:, left : left + 18]
    assert ((legend[..., 0] > 200) & (legend[..., 1] < 50)).any()


def test_no_kind_is_drawn_in_two_ways():
    assert not set(ON_PHOTO) & set(ALONE)
