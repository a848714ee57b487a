from __future__ import annotations

import numpy as np

from kerasviz.rendering.media.lines import amplitudes, stacked_lines, strongest
from kerasviz.rendering.media.scales import BLUE, PlotAxis


def test_the_amplitude_of_a_wave_is_found():
    time = np.arange(1000) / 250
    signal = np.stack([3 + 2 * np.sin(2 * np.pi * 13 * time), np.zeros(1000)], axis=1)
    found = amplitudes(signal)
    assert np.argmax(found) == 52  # 13 Hz in 4 seconds
    assert np.isclose(found[52], 2 / np.sqrt(2), rtol=0.05)


def test_the_strongest_part_is_found():
    signal = np.zeros((500, 2))
    signal[300:320, 1] = 1.0
    start, stop = strongest(signal, 40)
    assert stop - start == 40 and start <= 300 and stop >= 320


def test_a_line_is_where_its_numbers_are():
    signal = np.linspace(-1, 1, 101)[:, None]
    picture = np.asarray(stacked_lines(signal, np.array([-1.0]), np.array([1.0]), PlotAxis("time")))
    blue = np.abs(picture.astype(int) - BLUE).sum(-1) < 60
    rows, columns = np.nonzero(blue)
    assert np.corrcoef(rows, columns)[0, 1] < -0.999
