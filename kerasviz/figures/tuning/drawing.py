"""Draw tuning as pictures: radial plots, heat maps with their curves, and sheets of stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.sweeps import StimulusAxis, Sweep
from kerasviz.analysis.tuning import Tuning
from kerasviz.figures.circuits.weights import weight_image
from kerasviz.figures.tuning.geometry import (
    FULL,
    NONE,
    PICTURE,
    RIM,
    colour_of,
    plot_points,
    radial_points,
    rim_point,
    spread,
    ticks,
    value_text,
)
from kerasviz.io.images import contact_sheet, to_image
from kerasviz.types import Array

#: The side of a radial plot in pixels, and how much larger it is drawn before it is smoothed.
SIDE = 900
SMOOTH = 2
#: The size of a curve or heat map in pixels, and the margins around it: left, top, right, bottom.
PLOT = (540, 200)
MARGINS = (110, 34, 24, 44)
#: The opacity of the colour inside of a radial curve, 0 to 255: 40 %; of its line 85 %.
FILL = 102
EDGE = 217
#: Stimuli of a row of a sheet, and the side of one in pixels.
ACROSS = 8
THUMB = 72
INK = (40, 40, 44)
GREY = (150, 150, 156)
RED = (202, 0, 32)


def radial_image(
    tunings: Sequence[Tuning], period: float, pictures: Mapping[str, Path]
) -> Image.Image:
    """Draw curves of units around a circle, with their pictures at their largest responses.

    ``period`` is that of the curves in degrees.
    """
    side = SIDE * SMOOTH
    canvas = Image.new("RGBA", (side, side), "white")
    for tuning in tunings:
        layer = Image.new("RGBA", (side, side), (255, 255, 255, 0))
        points = [(x, y) for x, y in radial_points(tuning.curve, period, side)]
        colour = colour_of(tuning.preferred, period)
        drawn = ImageDraw.Draw(layer)
        drawn.polygon(points, (*colour, FILL))
        drawn.line([*points, points[0]], (*colour, EDGE), 2 * SMOOTH, "curve")
        canvas.alpha_composite(layer)
    image = canvas.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    draw.circle((SIDE / 2, SIDE / 2), NONE * SIDE, fill="white", outline=GREY)
    draw.circle((SIDE / 2, SIDE / 2), (NONE + FULL) * SIDE, outline=GREY)
    for degrees in (0, 90, 180, 270):
        angle, radius = np.radians(degrees), 0.75 * NONE * SIDE
        middle = (SIDE / 2 + radius * np.cos(angle), SIDE / 2 - radius * np.sin(angle))
        draw.text(middle, f"{degrees}°", GREY, _font(15), anchor="mm")
    gap = 1.15 * 360 * PICTURE / (2 * np.pi * RIM)
    for tuning, place in zip(tunings, spread([t.preferred for t in tunings], gap), strict=True):
        _label(image, tuning, rim_point(place, SIDE), pictures.get(tuning.name))
    return image


def _label(
    image: Image.Image, tuning: Tuning, place: tuple[float, float], picture: Path | None
) -> None:
    draw, half = ImageDraw.Draw(image), round(PICTURE * SIDE / 2)
    below = 0
    if picture is not None:
        with Image.open(picture) as file:
            small = file.convert("RGB").resize((2 * half, 2 * half), Image.Resampling.LANCZOS)
        image.paste(small, (round(place[0]) - half, round(place[1]) - half))
        below = half + 9
    draw.text((place[0], place[1] + below), str(tuning.unit), INK, _font(14), anchor="mm")


def unit_image(tuning: Tuning) -> Image.Image:
    """Draw the curve of a unit above its heat map: red excites, blue inhibits."""
    left, top, right, bottom = MARGINS
    width, height = PLOT
    cell = max(12, min(28, height // len(tuning.heat)))
    rows = cell * len(tuning.heat)
    canvas = Image.new("RGB", (left + width + right, 2 * top + height + rows + 2 * bottom), "white")
    draw = ImageDraw.Draw(canvas)
    at = value_text(tuning.down, tuning.down.values[tuning.row])
    title = f"{tuning.name}, {tuning.kind}: largest at "
    title += f"{value_text(tuning.fine, tuning.preferred)}, {tuning.down.name} {at}"
    draw.text((left, 10), title, INK, _font(15))
    _plot(canvas, (left, top), [(tuning.curve, RED)], tuning.fine)
    start = top + height + bottom
    heat = weight_image(tuning.heat, float(np.abs(tuning.heat).max()))
    canvas.paste(heat.resize((width, rows), Image.Resampling.NEAREST), (left, start))
    for row, value in enumerate(tuning.down.values):
        place = (left - 8, start + (row + 0.5) * cell)
        draw.text(place, value_text(tuning.down, value), INK, _font(12), anchor="rm")
    draw.text((left - 8, start - 6), tuning.down.name, GREY, _font(12), anchor="rs")
    _axis(draw, (left, start + rows), tuning.across)
    return canvas


def joint_image(found: JointTuning) -> Image.Image:
    """Draw the curves of all units on the turned photos of one."""
    left, top, right, bottom = MARGINS
    canvas = Image.new("RGB", (left + PLOT[0] + right, top + PLOT[1] + bottom), "white")
    title = f"{found.tap}: {len(found.units)} units on the photos of {found.unit}"
    ImageDraw.Draw(canvas).text((left, 10), title, INK, _font(15))
    axis = StimulusAxis("turned by", "degrees", tuple(found.degrees), 360.0)
    lines = [
        (curve, colour_of(degrees))
        for curve, degrees in zip(found.curves, found.preferred, strict=True)
    ]
    _plot(canvas, (left, top), lines, axis)
    return canvas


def stimuli_image(sweep: Sweep) -> Image.Image:
    """Draw a sheet of a sweep: its rows, and some of its columns."""
    return contact_sheet([*thumbs(sweep)], min(ACROSS, len(sweep.across.values)), 4)


def thumbs(sweep: Sweep) -> list[Image.Image]:
    """Return small pictures of some stimuli of a sweep, row after row."""
    step = max(1, len(sweep.across.values) // ACROSS)
    columns = [sweep.across.values[k * step] for k in range(min(ACROSS, len(sweep.across.values)))]
    return [thumb(sweep, x, y) for y in sweep.down.values for x in columns]


def thumb(sweep: Sweep, across: float, down: float, side: int = THUMB) -> Image.Image:
    """Return a small picture of the disc of a stimulus."""
    image = sweep.image(across, down)
    y, x = sweep.aperture.centre
    reach = sweep.aperture.radius * 1.1
    box = (
        max(0, int(x - reach)),
        max(0, int(y - reach)),
        min(image.shape[1], int(x + reach) + 2),
        min(image.shape[0], int(y + reach) + 2),
    )
    cut = image[box[1] : box[3], box[0] : box[2]]
    cut = np.repeat(cut, 3, -1) if cut.shape[-1] == 1 else cut
    small = to_image(cut)
    filter_ = Image.Resampling.NEAREST if max(small.size) < side else Image.Resampling.LANCZOS
    return small.resize((side, side), filter_)


def _plot(
    canvas: Image.Image,
    corner: tuple[int, int],
    lines: Sequence[tuple[Array, tuple[int, int, int]]],
    axis: StimulusAxis,
) -> None:
    """Draw curves into a box with its axes."""
    width, height = PLOT
    low = min(0.0, *(float(curve.min()) for curve, _ in lines))
    high = max(0.0, *(float(curve.max()) for curve, _ in lines))
    large = Image.new("RGB", (width * SMOOTH, height * SMOOTH), "white")
    draw = ImageDraw.Draw(large)
    size = (width * SMOOTH, height * SMOOTH)
    zero = plot_points([0.0, 0.0], low, high, size)
    draw.line([tuple(point) for point in zero], GREY, SMOOTH)
    for curve, colour in lines:
        closed = curve if axis.period is None else np.append(curve, curve[0])
        points = [tuple(point) for point in plot_points(list(closed), low, high, size)]
        draw.line(points, colour, 2 * SMOOTH, "curve")
    canvas.paste(large.resize((width, height), Image.Resampling.LANCZOS), corner)
    draw = ImageDraw.Draw(canvas)
    x, y = corner
    draw.text((x - 8, y + 6), f"{high:.3g}", INK, _font(12), anchor="rm")
    draw.text((x - 8, y + height - 6), f"{low:.3g}", INK, _font(12), anchor="rm")
    _axis(draw, (x, y + height), axis)


def _axis(draw: ImageDraw.ImageDraw, corner: tuple[int, int], axis: StimulusAxis) -> None:
    """Write the ticks of an axis below a box, and its name."""
    x, y = corner
    texts = ticks(axis)
    for k, text in enumerate(texts):
        draw.text((x + PLOT[0] * k / (len(texts) - 1), y + 6), text, INK, _font(12), anchor="ma")
    draw.text((x + PLOT[0] / 2, y + 22), axis.name, GREY, _font(12), anchor="ma")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
