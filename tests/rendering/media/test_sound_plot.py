from __future__ import annotations

import numpy as np
import pytest

from kerasviz.rendering.media.sound_plot import (
    LEFT,
    SPECTRUM,
    TOP,
    WIDTH,
    coloured,
    draw_sound,
    log_levels,
    nice_step,
)


def tone(hz, rate, seconds):
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize("hz", [110.0, 440.0, 3520.0])
@pytest.mark.parametrize("rate", [16000, 22050])
def test_a_tone_is_a_line_at_its_frequency(hz, rate):
    levels = log_levels(tone(hz, rate, 1), rate, 50, 240, 40.0)
    row = np.argmax(levels[:, 25])
    octaves = np.log2(rate / 2 / 40)
    found = rate / 2 / 2 ** (octaves * (row + 0.5) / 240)
    assert abs(np.log2(found / hz)) < 0.12 and levels.max() == pytest.approx(0, abs=3)


def test_the_line_is_drawn_at_the_row_of_its_name():
    image = np.asarray(draw_sound(tone(1000.0, 16000, 1), 16000)).astype(int)
    plot = image[TOP : TOP + SPECTRUM, LEFT : LEFT + WIDTH].sum(axis=2)
    row = int(np.argmax(plot[:, WIDTH // 2]))
    assert abs(row - SPECTRUM * np.log(8) / np.log(200)) < 4
    ticks = [y for y in range(TOP, TOP + SPECTRUM) if tuple(image[y, LEFT - 3]) == (102, 102, 107)]
    assert min(abs(y - TOP - row) for y in ticks) < 4


@pytest.mark.parametrize(
    "samples", [np.zeros(800), np.ones(1), tone(440, 8000, 0.01), tone(5, 400, 3)]
)
def test_silence_and_short_sounds_are_drawn(samples):
    image = draw_sound(samples, 8000)
    assert image.size == (640, 416) and image.mode == "RGB"


def test_louder_is_brighter():
    bright = coloured(np.array([-80.0, -60.0, -40.0, -20.0, 0.0])).astype(int).sum(axis=1)
    assert (np.diff(bright) > 0).all()


def test_steps_of_axes_are_round():
    assert [nice_step(x) for x in (0.011, 0.2, 1.0, 4.0)] == [0.02, 0.2, 1.0, 5.0]
