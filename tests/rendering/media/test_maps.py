from __future__ import annotations

import numpy as np

from kerasviz.rendering.media.maps import COLOURS, coloured, fitting, heat_maps
from kerasviz.rendering.media.scales import PlotAxis


def brightest(image):
    pixels = np.asarray(image).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - COLOURS[-1]).sum(-1) < 12)
    inside = columns < image.width - 90  # without the scale of colours
    return rows[inside].mean() / image.height, columns[inside].mean() / image.width


def test_colours_run_from_the_least_to_the_largest():
    found = np.asarray(coloured(np.array([[0.0, 1.0, 2.0]]), 0, 2))
    assert found[0, 0].tolist() == COLOURS[0].tolist()
    assert found[0, 2].tolist() == COLOURS[-1].tolist()


def test_frames_run_to_the_right_and_bands_upwards():
    numbers = np.zeros((20, 10, 1))
    numbers[18, 1] = 1.0  # late, in a low band
    down, right = brightest(heat_maps(numbers, [PlotAxis("frame"), PlotAxis("band")]))
    turned = numbers.transpose(1, 0, 2)
    same = brightest(heat_maps(turned, [PlotAxis("band"), PlotAxis("frame")]))
    assert right > 0.7 and down > 0.5
    assert np.allclose(same, (down, right))


def test_rows_of_space_run_down():
    numbers = np.zeros((10, 10, 1))
    numbers[8, 1] = 1.0
    down, right = brightest(heat_maps(numbers, [PlotAxis("height"), PlotAxis("width")]))
    assert down > 0.5 and right < 0.5


def test_planes_keep_their_sides():
    assert fitting((10, 20), 100, 100) == (100, 50)
    assert fitting((1000, 20), 100, 100) == (2, 100)
