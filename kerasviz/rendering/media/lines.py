"""Draw signals over time as lines: one with numbers, several stacked, with detail and spectrum."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from kerasviz.rendering.media.maps import heat_maps
from kerasviz.rendering.media.scales import (
    BLUE,
    GRID,
    GROUND,
    INK,
    ORANGE,
    SMOOTH,
    SOFT,
    WIDTH,
    Box,
    PlotAxis,
    bottom_axis,
    canvas,
    font,
    text_of,
    ticks,
    width_of,
)
from kerasviz.types import Array

#: Channels that are lines, at most; more are rows of a map.
MOST_LINES = 24
#: The height of the plot of one signal, of the lane of one of few and of many channels.
ALONE = 220
TALL = 70
LOW = 30
#: Signals of more places have a detail and a spectrum below.
DETAILED = 300
#: The share of the length that the detail shows, and the places that it has at least.
DETAIL = 0.08
LEAST = 120
#: The height of these plots, and what is free above and below a plot, for its title and its axis.
SMALL = 130
ABOVE = 26
BELOW = 50
RIGHT = 18
#: Pixels between a text and what it names.
GAP = 8


def stacked_lines(signal: Array, low: Array, high: Array, axis: PlotAxis) -> Image.Image:
    """Draw a signal [T, C] as lines, one channel above the other.

    ``low`` and ``high`` [C] are the ends of the range of each channel. Long signals have a detail,
    the part with the most energy, and the amplitudes of their frequencies below.
    """
    length, channels = signal.shape
    if channels > MOST_LINES:
        return heat_maps(signal[..., None], [axis, PlotAxis("channel")])
    lane = ALONE if channels == 1 else TALL if channels <= 8 else LOW
    has_more = length > DETAILED
    height = ABOVE + lane * channels + BELOW + (ABOVE + SMALL + BELOW if has_more else 0)
    image, draw = canvas((WIDTH, height))
    names = _left_texts(low, high)
    left = width_of(names) + 2 * GAP + 4
    box = (left, ABOVE, WIDTH - RIGHT, ABOVE + lane * channels)
    _lanes(image, box, signal, low, high)
    bottom_axis(draw, box, axis, length)
    if channels > 1:
        draw.text((GAP, ABOVE - GAP), "channel", SOFT, font(), anchor="ls")
    if has_more:
        top = box[3] + BELOW + ABOVE
        middle = (WIDTH - left - RIGHT) // 2 - 2 * GAP
        _detail(image, (left, top, left + middle, top + SMALL), signal, low, high, axis)
        start = WIDTH - RIGHT - middle
        _spectrum(image, (start, top, start + middle, top + SMALL), signal, axis)
    return image


def _left_texts(low: Array, high: Array) -> list[str]:
    if len(low) > 1:
        return [str(k) for k in range(len(low))] + ["chan"]
    return [text_of(value) for value in ticks(float(low[0]), float(high[0]), 5)]


def _lanes(image: Image.Image, box: Box, signal: Array, low: Array, high: Array) -> None:
    """Draw the channels of a signal into a box, from the top, each with the ends of its range."""
    left, top, right, bottom = box
    draw, channels = ImageDraw.Draw(image), signal.shape[1]
    lane = (bottom - top) / channels
    if channels == 1:
        span = float(high[0] - low[0])
        for value in ticks(float(low[0]), float(high[0]), 5):
            y = bottom - (bottom - top) * (value - float(low[0])) / span
            draw.line((left, y, right, y), GRID)
            draw.text((left - GAP, y), text_of(value), INK, font(), anchor="rm")
    else:
        for k in range(channels):
            y = top + (k + 0.5) * lane
            draw.line((left, y, right, y), GRID)
            draw.text((left - GAP, y), str(k), INK, font(), anchor="rm")
    curves = []
    for k in range(channels):
        up = (signal[:, k] - low[k]) / (high[k] - low[k])
        curves.append((k * lane + lane * (1 - (0.04 + 0.92 * up)), BLUE if k % 2 == 0 else ORANGE))
    if channels == 1:
        curves = [((bottom - top) * (1 - (signal[:, 0] - low[0]) / (high[0] - low[0])), BLUE)]
    _draw(image, box, curves)


def _draw(image: Image.Image, box: Box, curves: list[tuple[Array, tuple[int, int, int]]]) -> None:
    """Draw curves, pixels from the top of a box, smoothly over it."""
    left, top, right, bottom = box
    size = ((right - left) * SMOOTH, (bottom - top) * SMOOTH)
    for heights, colour in curves:
        mask = Image.new("L", size, 0)
        draw = ImageDraw.Draw(mask)
        across = np.linspace(0, size[0] - 1, len(heights))
        down = np.clip(np.asarray(heights, float) * SMOOTH, 1, size[1] - 2)
        points = [(float(x), float(y)) for x, y in zip(across, down, strict=True)]
        if len(points) == 1:
            points = [(0.0, points[0][1]), (float(size[0] - 1), points[0][1])]
        draw.line(points, 255, _thickness(len(heights), right - left), "curve")
        small = mask.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        image.paste(Image.new("RGB", small.size, colour), (left, top), small)


def _thickness(places: int, pixels: int) -> int:
    """Return the thickness of a line, thinner where it goes up and down within a pixel."""
    return round((1.8 if places < 2 * pixels else 1.2) * SMOOTH)


def _detail(
    image: Image.Image, box: Box, signal: Array, low: Array, high: Array, axis: PlotAxis
) -> None:
    """Draw the part of a signal with the most energy."""
    start, stop = strongest(signal, max(LEAST, round(DETAIL * len(signal))))
    draw = ImageDraw.Draw(image)
    title = f"detail, from sample {start}"
    if axis.title == "seconds" and axis.rate:
        title = f"detail, from {start / axis.rate:.2f} s"
    draw.text((box[0], box[1] - GAP), title, INK, font(), anchor="ls")
    draw.rectangle(box, GROUND, GRID)
    lane = (box[3] - box[1]) / signal.shape[1]
    curves = []
    for k in range(signal.shape[1]):
        part = signal[start:stop, k]
        bottom, span = float(part.min()), float(np.ptp(part)) or 1.0
        up = 0.06 + 0.88 * (part - bottom) / span
        curves.append((lane * (k + 1 - up), BLUE if k % 2 == 0 else ORANGE))
    _draw(image, box, curves)
    bottom_axis(draw, box, axis, stop - start)


def strongest(signal: Array, width: int) -> tuple[int, int]:
    """Return the first place of the part of a signal [T, C] with the most energy, and its end.

    >>> strongest(np.array([[0.0], [0.0], [3.0], [-3.0], [0.0]]), 2)
    (2, 4)
    """
    energy = np.square(signal - signal.mean(0, keepdims=True)).sum(1)
    sums = np.concatenate([[0.0], np.cumsum(energy, dtype=np.float64)])
    start = int(np.argmax(sums[width:] - sums[:-width]))
    return start, start + width


def amplitudes(signal: Array) -> Array:
    """Return the amplitudes [T // 2 + 1] of the frequencies of a signal [T, C], over channels.

    They are those of the windowed signal (Hann), without the straight line that fits it best.

    >>> wave = np.sin(2 * np.pi * 5 * np.arange(100) / 100)[:, None]
    >>> int(np.argmax(amplitudes(wave)))
    5
    """
    window = np.hanning(len(signal) + 2)[1:-1, None]
    places = np.linspace(-1, 1, len(signal))[:, None]
    slope = (places * signal).sum(0) / max(float(np.square(places).sum()), 1e-12)
    centred = (signal - signal.mean(0, keepdims=True) - slope * places) * window
    spectrum = np.abs(np.fft.rfft(centred, axis=0)) / (window.sum() / 2)
    found: Array = np.sqrt(np.mean(np.square(spectrum), axis=1))
    return found


def _spectrum(image: Image.Image, box: Box, signal: Array, axis: PlotAxis) -> None:
    """Draw the amplitudes of the frequencies of a signal, and name what stands out.

    That is the largest one times the root of its frequency: first signals have all octaves alike.
    """
    found = amplitudes(signal)
    half = (axis.rate or 1) / 2
    raised = found * np.sqrt(np.arange(len(found)))  # above those of which octaves are as strong
    largest = half * int(np.argmax(raised)) / max(len(found) - 1, 1)
    unit = "Hz" if axis.rate else "cycles a sample"
    shown = _shown(found)
    draw = ImageDraw.Draw(image)
    draw.rectangle(box, GROUND, GRID)
    title = f"spectrum, stands out at {largest:.3g} {unit}"
    draw.text((box[0], box[1] - GAP), title, INK, font(), anchor="ls")
    top = float(found.max()) or 1.0
    height = box[3] - box[1]
    _draw(image, box, [(height * (1 - 0.94 * found[:shown] / top), BLUE)])
    end = half * (shown - 1) / max(len(found) - 1, 1)
    for value in ticks(0, end, 5):
        x = box[0] + (box[2] - box[0]) * value / end
        draw.line((x, box[3], x, box[3] + 5), SOFT)
        draw.text((x, box[3] + 7), text_of(value), INK, font(), anchor="ma")
    draw.text(((box[0] + box[2]) / 2, box[3] + 25), unit, SOFT, font(), anchor="ma")


def _shown(found: Array) -> int:
    """Return how many frequencies are drawn: up to twice the one below which most energy lies."""
    energy = np.cumsum(np.square(found.astype(np.float64)))
    if not energy[-1] > 0:
        return len(found)
    most = int(np.searchsorted(energy, 0.98 * energy[-1]))
    return int(np.clip(2 * most + 8, min(24, len(found)), len(found)))
