"""Draw a sound: its spectrogram over a logarithmic axis of frequencies, and its waveform."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from kerasviz.rendering.media.scales import BLUE, GRID, INK, SOFT, TEXT, canvas, font
from kerasviz.types import Array

#: The colours of levels from the softest to the loudest.
COLOURS = (
    *((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122)),
    *((229, 80, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191)),
)
#: Decibels below the loudest that are shown.
RANGE = 70
#: The lowest frequency in Hz that is shown.
LOWEST = 40.0
#: The seconds of a frame.
FRAME = 0.08
#: The frequencies in Hz that are named.
FREQUENCIES = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
#: Places of the plot in pixels.
WIDTH = 500
LEFT = 68
RIGHT = 72
TOP = 12
SPECTRUM = 250
GAP = 16
WAVES = 90
BOTTOM = 48


def draw_sound(samples: Array, rate: int) -> Image.Image:
    """Draw samples [T] in [-1, 1] as spectrogram and waveform, with axes.

    >>> draw_sound(np.sin(np.arange(800)), 8000).size
    (640, 416)
    """
    samples = np.asarray(samples, np.float64)
    size = (LEFT + WIDTH + RIGHT, TOP + SPECTRUM + GAP + WAVES + BOTTOM)
    image, draw = canvas(size)
    lowest = min(LOWEST, rate / 8)
    levels = log_levels(samples, rate, WIDTH, SPECTRUM, lowest)
    image.paste(Image.fromarray(coloured(levels)), (LEFT, TOP))
    _frequency_axis(draw, rate, lowest)
    _level_bar(image, draw)
    _waveform(draw, samples)
    _time_axis(draw, len(samples) / rate)
    return image


def log_levels(samples: Array, rate: int, columns: int, rows: int, lowest: float) -> Array:
    """Return decibels [rows, columns] of a sound, 0 at its loudest; the top is half of the rate.

    Rows are evenly spaced over the logarithm of frequencies, from ``lowest`` Hz at the bottom.
    """
    whole = 2 ** round(math.log2(max(16, FRAME * rate)))
    fft = min(whole, 2 ** max(4, math.floor(math.log2(max(16, len(samples))))))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft)
    padded = np.pad(samples, fft // 2)
    starts = np.linspace(0, max(0, len(padded) - fft), columns).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[starts]
    spectra = np.abs(np.fft.rfft(frames * window, axis=1))
    decibels = 20 * np.log10(np.maximum(spectra, 1e-12) / max(float(spectra.max()), 1e-12))
    places = np.exp(np.linspace(math.log(rate / 2), math.log(lowest), 4 * rows)) * fft / rate
    below = np.minimum(places.astype(int), fft // 2 - 1)
    share = places - below
    fine = decibels[:, below] * (1 - share) + decibels[:, below + 1] * share
    levels: Array = fine.reshape(columns, rows, 4).max(axis=2).T
    return levels


def coloured(levels: Array) -> Array:
    """Return levels in decibels, 0 the loudest, as colours [..., 3] of bytes."""
    places = np.clip(1 + levels / RANGE, 0, 1) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    parts = [np.interp(places, steps, [colour[k] for colour in COLOURS]) for k in range(3)]
    return np.rint(np.stack(parts, axis=-1)).astype(np.uint8)


def _frequency_axis(draw: ImageDraw.ImageDraw, rate: int, lowest: float) -> None:
    """Name frequencies left of the spectrogram."""
    octaves = math.log(rate / 2 / lowest)
    for hz in FREQUENCIES:
        if lowest <= hz <= rate / 2:
            y = TOP + SPECTRUM * math.log(rate / 2 / hz) / octaves
            draw.line((LEFT - 5, y, LEFT - 1, y), SOFT)
            name = f"{hz // 1000}k" if hz >= 1000 else str(hz)
            draw.text((LEFT - 8, y), name, INK, font(), anchor="rm")
    draw.text((6, TOP + SPECTRUM / 2), "Hz", SOFT, font(), anchor="lm")


def _level_bar(image: Image.Image, draw: ImageDraw.ImageDraw) -> None:
    """Draw what the colours stand for, right of the spectrogram."""
    left = LEFT + WIDTH + 12
    bar = coloured(np.linspace(0, -RANGE, SPECTRUM)[:, None].repeat(10, axis=1))
    image.paste(Image.fromarray(bar), (left, TOP))
    for decibels in range(0, RANGE + 1, 20):
        y = TOP + SPECTRUM * decibels / RANGE
        name = "0 dB" if decibels == 0 else f"-{decibels}"
        draw.text((left + 14, max(y, TOP + TEXT / 2)), name, INK, font(), anchor="lm")


def _waveform(draw: ImageDraw.ImageDraw, samples: Array) -> None:
    """Draw the lowest and the highest sample of each column, and the largest number."""
    top, largest = TOP + SPECTRUM + GAP, float(np.abs(samples).max(initial=0.0))
    middle, half = top + WAVES / 2, WAVES / 2
    draw.rectangle((LEFT, top, LEFT + WIDTH - 1, top + WAVES), outline=GRID)
    draw.line((LEFT, middle, LEFT + WIDTH - 1, middle), GRID)
    scale = half / (largest or 1.0)
    edges = np.linspace(0, len(samples), WIDTH + 1)
    for column in range(WIDTH):
        # One more sample, so that the columns of a slow wave are connected.
        first, last = int(edges[column]), math.ceil(edges[column + 1]) + 1
        part = samples[min(first, len(samples) - 1) : last]
        high, low = middle - scale * part.max(), middle - scale * part.min()
        draw.line((LEFT + column, high, LEFT + column, low), BLUE)
    for value, y in ((largest, top + TEXT / 2), (0.0, middle), (-largest, top + WAVES - TEXT / 2)):
        name = f"{value:.2g}"
        draw.text((LEFT - 8, y), name, INK, font(), anchor="rm")
    if largest > 1:
        softer = f"softer in the WAV, by {20 * math.log10(largest):.1f} dB"
        draw.text((LEFT + WIDTH - 6, top + 3), softer, INK, font(), anchor="ra")


def _time_axis(draw: ImageDraw.ImageDraw, seconds: float) -> None:
    """Name moments below the waveform."""
    top = TOP + SPECTRUM + GAP + WAVES
    step, unit = nice_step(seconds / 5), "seconds" if seconds >= 0.5 else "milliseconds"
    factor = 1 if unit == "seconds" else 1000
    for number in range(int(seconds / step * (1 + 1e-9)) + 1):
        x = LEFT + (WIDTH - 1) * number * step / seconds
        draw.line((x, top + 1, x, top + 5), SOFT)
        draw.text((x, top + 7), f"{number * step * factor:.6g}", INK, font(), anchor="ma")
    draw.text((LEFT + WIDTH / 2, top + 25), unit, SOFT, font(), anchor="ma")


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten from ``least`` on.

    >>> nice_step(0.3), nice_step(12)
    (0.5, 20.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
