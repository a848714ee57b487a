"""Scales of plots: the ticks of an axis, their texts, and the typeface."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

#: The left, top, right and bottom of a part of a picture, in pixels.
Box = tuple[int, int, int, int]

#: The width of plots in pixels.
WIDTH = 640
#: Plots are drawn this many times larger, and made smaller smoothly.
SMOOTH = 3
#: The size of texts in pixels.
TEXT = 15
#: The colours of grounds, texts, softer texts, and lines behind curves.
GROUND = (255, 255, 255)
INK = (29, 29, 31)
SOFT = (102, 102, 107)
GRID = (227, 227, 230)
#: Colours of curves, which people who confuse red and green can tell apart.
BLUE = (0, 90, 181)
ORANGE = (196, 86, 0)


@dataclass(frozen=True)
class PlotAxis:
    """Name an axis of positions; moments have a ``rate`` in Hz where it is known."""

    name: str
    rate: int | None = None

    @property
    def title(self) -> str:
        """The text below the axis."""
        if self.name == "time":
            return "seconds" if self.rate else "samples"
        return self.name

    def places(self, length: int, most: int = 7) -> list[tuple[float, str]]:
        """Return places of ticks along the axis, from 0 to ``length`` - 1, with their texts.

        >>> PlotAxis("time", 100).places(301, most=4)
        [(0.0, '0'), (100.0, '1'), (200.0, '2'), (300.0, '3')]
        """
        unit = self.rate if self.name == "time" and self.rate else 1
        values = ticks(0, max(length - 1, 1) / unit, most)
        if unit == 1:
            values = [v for v in values if v == int(v)]
        return [(v * unit, text_of(v)) for v in values]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most ``most`` round numbers in a range: multiples of 1, 2 or 5 times 10^k.

    >>> ticks(-1, 1, 5), ticks(0, 7.3, 4)
    ([-1.0, -0.5, 0.0, 0.5, 1.0], [0.0, 2.0, 4.0, 6.0])
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [round(k * step, 12) for k in range(first, last + 1)]


def text_of(value: float) -> str:
    """Return a number in a few characters, of those that the typeface has."""
    return f"{value:.4g}"


@lru_cache(maxsize=8)
def font(size: int = TEXT) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the typeface that Pillow comes with."""
    return ImageFont.load_default(size)


def width_of(texts: Sequence[str], size: int = TEXT) -> int:
    """Return the width of the widest of some texts in pixels."""
    return max((math.ceil(font(size).getlength(text)) for text in texts), default=0)


def canvas(size: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return an empty picture of a (width, height), and what draws on it."""
    image = Image.new("RGB", size, GROUND)
    return image, ImageDraw.Draw(image)


def bottom_axis(draw: ImageDraw.ImageDraw, box: Box, axis: PlotAxis, length: int) -> None:
    """Write the ticks of an axis below a box, and its title.

    The first place is the left edge of the box, the last one its right edge.
    """
    left, _, right, bottom = box
    most = max(2, (right - left) // 70)
    for place, text in axis.places(length, most):
        x = left + (right - left) * place / max(length - 1, 1)
        draw.line((x, bottom, x, bottom + 5), SOFT)
        draw.text((x, bottom + 7), text, INK, font(), anchor="ma")
    draw.text(((left + right) / 2, bottom + 25), axis.title, SOFT, font(), anchor="ma")
