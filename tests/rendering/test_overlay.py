"""Contributions over a photo."""

from __future__ import annotations

import numpy as np

from kerasviz.rendering.overlay import coloured, overlay, plain


def test_colours_follow_the_sign_and_strength():
    photo = np.full((8, 16, 3), 0.5, np.float32)
    drawn = np.asarray(overlay(photo, np.array([[1.0, 1.0, -1.0, -1.0]])))
    red, blue = drawn[4, 0], drawn[4, -1]
    assert red[0] > 200 and red[2] < 60
    assert blue[2] > 200 and blue[0] < 60
    still = np.asarray(overlay(photo, np.zeros((3, 4))))
    assert np.ptp(still) == 0  # nothing contributes: the photo, dim
    weak = np.asarray(overlay(photo, np.array([[0.1, 0.1, -1.0, -1.0]])))
    assert weak[4, 0, 0] < red[0]


def test_grey_photos_are_drawn_too():
    photo = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4, 1)
    assert plain(photo).mode == "RGB"
    assert overlay(photo, np.ones((1, 1))).size == (4, 3)


def test_colours_of_clear_cells_do_not_show():
    photo = np.full((8, 16, 3), 0.5, np.float32)
    colours = np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)
    drawn = np.asarray(coloured(photo, colours, np.array([[1.0, 0.0]])), int)
    plain_grey = np.asarray(coloured(photo, colours, np.zeros((1, 2))), int)
    assert drawn[4, 0].tolist() == [218, 14, 14]  # 0.8 of red, 0.2 of the dim grey
    assert (drawn[4, -1] == plain_grey[4, -1]).all() and (drawn[..., 0] >= plain_grey[..., 0]).all()
