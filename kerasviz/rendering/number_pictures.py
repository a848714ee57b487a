"""Draw pictures from recorded numbers: maps over photos, marks, cuts, curves and patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasviz.rendering.overlay import coloured, overlay, plain
from kerasviz.types import Array

#: The width of the frame around a position, as a share of the photo's longer side.
FRAME = 0.012
#: The side of a drawn pattern, of which every cell is a square, in pixels at least.
PATTERN = 64
#: The size of a plot of curves in pixels, the margins (left, top, right, bottom), and the line.
PLOT = (560, 250)
MARGINS = (64, 14, 18, 44)
LINE = 3
#: Plots are drawn larger, and made smaller smoothly.
SMOOTH = 2
INK = (40, 40, 44)
GREY = (150, 150, 156)


def overlaid(photo: Array, numbers: Sequence[Any]) -> Image.Image:
    """Draw contributions over a photo: orange above 0, blue below; ``numbers`` are rows [h][w]."""
    return overlay(photo, np.array(numbers, float))


def tinted(photo: Array, numbers: Sequence[Any]) -> Image.Image:
    """Draw one colour over a photo, as opaque as a map says: ((R, G, B), rows [h][w] in [0, 1])."""
    colour, rows = numbers
    strengths = np.array(rows, float)
    return coloured(photo, np.broadcast_to(np.array(colour), (*strengths.shape, 3)), strengths)


def marked(photo: Array, numbers: Sequence[Any]) -> Image.Image:
    """Frame a position of a map on a photo: (y, x, height and width of the map).

    >>> drawn = marked(np.ones((40, 40, 3)), (1, 0, 2, 2))
    >>> drawn.getpixel((0, 20)), drawn.getpixel((10, 30)), drawn.getpixel((30, 10))
    ((255, 140, 0), (255, 255, 255), (255, 255, 255))
    """
    y, x, height, width = numbers
    image = plain(photo)
    across, down = image.width / width, image.height / height
    box = (x * across, y * down, (x + 1) * across - 1, (y + 1) * down - 1)
    thick = max(1, round(FRAME * max(image.size)))
    draw = ImageDraw.Draw(image)
    draw.rectangle(tuple(round(n) for n in box), outline=(255, 140, 0), width=thick)
    return image


def cut(photo: Array, numbers: Sequence[Any]) -> Image.Image:
    """Cut a part of a photo: (top, left, height, width) in pixels.

    >>> cut(np.ones((40, 40, 3)), (30, 20, 10, 20)).size
    (20, 10)
    """
    top, left, height, width = numbers
    return plain(photo[top : top + height, left : left + width])


def pattern(numbers: Sequence[Any]) -> Image.Image:
    """Draw cells of given colours, rows [h][w] of (R, G, B) in bytes, each as a square.

    >>> pattern([[(255, 0, 0), (0, 0, 255)]]).size
    (64, 32)
    """
    cells = np.array(numbers, np.uint8)
    factor = max(1, -(-PATTERN // max(cells.shape[:2])))
    size = (cells.shape[1] * factor, cells.shape[0] * factor)
    return Image.fromarray(cells).resize(size, Image.Resampling.NEAREST)


def lines(numbers: Sequence[Any]) -> Image.Image:
    """Draw curves in a box: (the texts below it, ((name, (R, G, B), (numbers...)), ...)).

    The height is from the least number, or 0, to the largest; a line marks 0.
    """
    texts, curves = numbers
    left, top, right, bottom = MARGINS
    width, height = PLOT[0] - left - right, PLOT[1] - top - bottom
    low = min(0.0, *(min(values) for _, _, values in curves))
    high = max(0.0, *(max(values) for _, _, values in curves)) or 1.0
    large = Image.new("RGB", (width * SMOOTH, height * SMOOTH), "white")
    draw = ImageDraw.Draw(large)

    def points(values: Sequence[float]) -> list[tuple[float, float]]:
        across = np.linspace(0, large.width - 1, len(values))
        up = (np.asarray(values, float) - low) / (high - low)
        down = (large.height - 1) * (1 - up)
        return [(float(x), float(y)) for x, y in zip(across, down, strict=True)]

    draw.line(points([0.0, 0.0]), GREY, SMOOTH)
    for _, colour, values in curves:
        draw.line(points(values), tuple(colour), LINE * SMOOTH, "curve")
    image = Image.new("RGB", PLOT, "white")
    image.paste(large.resize((width, height), Image.Resampling.LANCZOS), (left, top))
    draw = ImageDraw.Draw(image)
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=(222, 222, 226))
    draw.text((left - 8, top + 7), f"{high:.3g}", INK, _font(14), anchor="rm")
    draw.text((left - 8, top + height - 7), f"{low:.3g}", INK, _font(14), anchor="rm")
    for k, text in enumerate(texts):
        place = left + width * k / max(1, len(texts) - 1)
        draw.text((place, top + height + 5), text, INK, _font(13), anchor="ma")
    _legend(draw, curves)
    return image


def _legend(draw: ImageDraw.ImageDraw, curves: Sequence[Any]) -> None:
    x = float(MARGINS[0])
    for name, colour, _ in curves:
        draw.line((x, PLOT[1] - 10, x + 18, PLOT[1] - 10), tuple(colour), LINE)
        draw.text((x + 24, PLOT[1] - 10), name, INK, _font(14), anchor="lm")
        x += 44 + draw.textlength(name, _font(14))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


#: What draws a kind of picture over a photo [H, W, C] in [0, 1].
ON_PHOTO: Mapping[str, Callable[[Array, Sequence[Any]], Image.Image]] = {
    "overlay": overlaid,
    "tint": tinted,
    "marked": marked,
    "cut": cut,
}
#: What draws a kind of picture from numbers alone.
ALONE: Mapping[str, Callable[[Sequence[Any]], Image.Image]] = {"pattern": pattern, "lines": lines}
