from __future__ import annotations

import io

import numpy as np
from PIL import Image

from kerasviz.rendering.media.scales import PlotAxis
from kerasviz.rendering.media.slices import film, film_gif, slices

ENDS = np.zeros(3), np.ones(3)
AXES = [PlotAxis("depth"), PlotAxis("height"), PlotAxis("width")]


def test_three_planes_of_each_channel():
    one = slices(np.random.default_rng(0).uniform(size=(6, 7, 8, 1)), AXES)
    two = slices(np.random.default_rng(0).uniform(size=(6, 7, 8, 2)), AXES)
    assert one.width == two.width == 640 and two.height > 1.5 * one.height


def test_frames_are_in_colours_where_there_are_three_channels():
    video = np.zeros((4, 5, 6, 3))
    video[2, :, :, 0] = 1.0
    frames = Image.open(io.BytesIO(film_gif(video, *ENDS)))
    assert frames.n_frames in (2, 3, 4)  # equal ones may be joined
    assert film(video, *ENDS, [PlotAxis("time", 2), *AXES[1:]]).width == 640
