"""A white sheet for text, pictures and shapes, drawn at twice the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from kerasviz.figures.drawing.icons import Shape
from kerasviz.io.images import on_checkerboard

#: Pixels of the file for a pixel of the layout, so that screens of high density look sharp.
SCALE = 2


@dataclass(frozen=True)
class Style:
    """Describe how text looks: ``size`` and ``line`` height in pixels, colour, weight."""

    size: int
    line: int
    colour: str = "#222222"
    bold: bool = False


PLAIN = Style(13, 18)
BOLD = Style(15, 20, bold=True)
SMALL = Style(12, 16, "#6a6a70")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)  # the typeface that comes with Pillow


def measure(text: str, style: Style) -> float:
    """Return the width of a line of text in pixels."""
    return _font(style.size * SCALE).getbbox(text)[2] / SCALE + (0.5 if style.bold else 0)


def wrap(text: str, style: Style, width: float) -> list[str]:
    """Break text into lines of at most ``width`` pixels.

    A word that is too long is broken after a slash or underscore, or before a colon or at sign,
    so that numbers stay whole; without these, anywhere.

    >>> wrap("mixed4b & mixed4c", SMALL, 60)
    ['mixed4b &', 'mixed4c']
    >>> wrap("inception_4a/output:192", SMALL, 130)
    ['inception_4a/output', ':192']
    """
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and measure(joined, style) <= width:
            lines[-1] = joined
            continue
        while measure(word, style) > width and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if _fits(word, n, style, width))
            cut = _seam(word, fits) or fits
            lines.append(word[:cut])
            word = word[cut:]
        lines.append(word)
    return lines


def _seam(word: str, most: int) -> int:
    """Return where a name breaks best after at most ``most`` letters; 0 for nowhere."""
    after = max(word.rfind(mark, 0, most) for mark in "/_") + 1
    before = max(word.rfind(mark, 0, most + 1) for mark in ":@")
    return max(after, before, 0)


def _fits(word: str, n: int, style: Style, width: float) -> bool:
    return n == 1 or measure(word[:n], style) <= width


class Sheet:
    """Collect drawings, and make the image once all are placed and the height is known."""

    def __init__(self, width: float):
        self.width = width
        self.bottom = 0.0
        self._drawn: list[Callable[[Image.Image], None]] = []

    def text(
        self, x: float, y: float, lines: Sequence[str], style: Style, centred: float = 0
    ) -> float:
        """Write lines below y, from x, or centred over ``centred`` pixels; returns the end in y."""
        font = _font(style.size * SCALE)
        for i, line in enumerate(lines):
            left = x + max(0.0, (centred - measure(line, style)) / 2) if centred else x
            self._write(left * SCALE, (y + (i + 0.5) * style.line) * SCALE, line, style, font)
        return self._reach(y + len(lines) * style.line)

    def _write(
        self,
        x: float,
        middle: float,
        line: str,
        style: Style,
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    ) -> None:
        def write(image: Image.Image) -> None:
            pen = ImageDraw.Draw(image)
            # There is no bold face: the line is written twice, half a pixel apart.
            for shift in (0, 1) if style.bold else (0,):
                pen.text((round(x) + shift, middle), line, style.colour, font, anchor="lm")

        self._drawn.append(write)

    def picture(
        self,
        x: float,
        y: float,
        size: tuple[float, float],
        picture: Image.Image,
        *,
        sharp: bool = False,
    ) -> float:
        """Place a picture, scaled to ``size`` (width, height); returns its end in y.

        Smoothly, or with ``sharp`` so that single pixels stay visible.
        """
        pixels = (round(size[0] * SCALE), round(size[1] * SCALE))
        way = Image.Resampling.NEAREST if sharp else Image.Resampling.LANCZOS
        scaled = on_checkerboard(picture).resize(pixels, way)
        corner = (round(x * SCALE), round(y * SCALE))
        self._drawn.append(lambda image: image.paste(scaled, corner))
        return self._reach(y + size[1])

    def shapes(self, x: float, y: float, shapes: Sequence[Shape]) -> None:
        """Draw shapes, later ones over earlier ones, with their own origin at (x, y)."""

        def paint(image: Image.Image) -> None:
            pen = ImageDraw.Draw(image, "RGBA")  # which lets colours shine through
            for shape in shapes:
                points = [((x + right) * SCALE, (y + down) * SCALE) for right, down in shape.points]
                _paint(pen, shape, points)

        self._drawn.append(paint)
        self._reach(y)

    def _reach(self, y: float) -> float:
        self.bottom = max(self.bottom, y)
        return y

    def finish(self, margin: float) -> Image.Image:
        """Draw everything; ``margin`` pixels stay free below."""
        size = (round(self.width * SCALE), round((self.bottom + margin) * SCALE))
        image = Image.new("RGB", size, "white")
        for draw in self._drawn:
            draw(image)
        return image


def _paint(pen: ImageDraw.ImageDraw, shape: Shape, points: Sequence[tuple[float, float]]) -> None:
    """Draw a shape whose points are in pixels of the image."""
    width = max(1, round(shape.width * SCALE))
    if shape.kind == "polygon":
        pen.polygon(points, shape.rgba(), None)
        pen.line([*points, points[0]], shape.stroke, width, joint="curve")
    elif shape.kind == "line":
        pen.line(points, shape.stroke, width)
    elif shape.kind == "circle":
        (x, y), r = points[0], shape.radius * SCALE
        pen.ellipse((x - r, y - r, x + r, y + r), shape.rgba(), shape.stroke, width)
    else:
        font = _font(round(shape.radius * SCALE))
        pen.text(points[0], shape.text, shape.stroke, font, anchor="mm")
