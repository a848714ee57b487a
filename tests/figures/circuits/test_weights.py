"""Drawings of weights."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from kerasviz.figures.circuits.weights import pattern_image, weight_image, weight_url


def test_colours_of_weights_and_squares_of_pixels():
    image = np.asarray(weight_image(np.array([[2.0, 0.0], [-2.0, 1.0]]), 2.0))
    assert image.shape == (64, 64, 3)
    corners = [tuple(int(n) for n in image[y, x]) for y, x in ((0, 0), (0, 63), (63, 0), (63, 63))]
    assert corners == [(202, 0, 32), (247, 247, 247), (5, 113, 176), (244, 165, 130)]
    assert len(np.unique(image[:32, :32].reshape(-1, 3), axis=0)) == 1


def test_weights_of_zero_are_white_and_the_address_is_a_png():
    data = weight_url(np.zeros((3, 5)), 0.0)
    image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2])))
    assert image.getpixel((0, 0)) == (247, 247, 247)
    assert image.size[0] * 3 == image.size[1] * 5


def test_patterns_have_colours_of_their_own():
    patterns = np.zeros((2, 2, 3))
    patterns[0, 0, 0], patterns[1, 1, 2] = 2.0, 1.0
    image = np.asarray(pattern_image(patterns))
    assert image.shape == (44, 66, 3)
    assert [tuple(int(n) for n in image[y, x]) for y, x in ((0, 0), (43, 65), (0, 65))] == [
        (232, 67, 47),
        (24, 87, 39),
        (0, 0, 0),
    ]
    assert tuple(int(n) for n in np.asarray(pattern_image(patterns[1:], 1))[43, 65]) == (
        47,
        174,
        78,
    )
