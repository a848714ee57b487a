"""Draw arrays of two axes as maps of colours: spectrograms, planes, many channels over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from kerasviz.rendering.media.scales import (
    INK,
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

#: Colours from the least to the largest number, of even brightness steps (viridis, CC0).
COLOURS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])
#: Axes that run to the right, and the one whose first place is at the bottom.
ACROSS = ("time", "frame", "width")
UPWARDS = "band"
#: The sides of a map in pixels: the largest height, and the least of a row.
TALLEST = 340
SHORTEST = 120
ROW = 11
#: Channels that have a map of their own, at most, and how many stand side by side.
MOST_MAPS = 12
MAPS_ACROSS = 3
#: What is free around maps: above, below, at the right, and between a text and what it names.
ABOVE = 26
BELOW = 50
RIGHT = 84
GAP = 8


def heat_maps(numbers: Array, axes: Sequence[PlotAxis], most: int = MOST_MAPS) -> Image.Image:
    """Draw an array [A, B, C] as a map of colours for each channel.

    Time, frames and width run to the right, bands upwards. One channel has numbers at its axes;
    several stand side by side, each with its number. The scale is from the least to the largest
    number that there is.
    """
    if axes[0].name in ACROSS and axes[1].name not in ACROSS:
        numbers, axes = numbers.transpose(1, 0, 2), [axes[1], axes[0]]
    if axes[0].name == UPWARDS:
        numbers = numbers[::-1]
    if numbers.shape[-1] == 1:
        return _one_map(numbers[..., 0], axes)
    return tiled([(numbers[..., k], f"channel {k}") for k in range(min(most, numbers.shape[-1]))])


def coloured(plane: Array, low: float, high: float) -> Image.Image:
    """Return a plane [A, B] in colours, one pixel for each number."""
    part = np.clip((plane.astype(np.float64) - low) / ((high - low) or 1.0), 0, 1)
    stops = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(part, stops, COLOURS[:, k]) for k in range(3)]
    return Image.fromarray(np.rint(np.stack(channels, axis=-1)).astype(np.uint8))


def enlarged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image in another size: larger with its pixels, smaller smoothly."""
    grows = size[0] >= image.width and size[1] >= image.height
    filter_ = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    return image.resize(size, filter_)


def fitting(shape: Sequence[int], width: int, height: int) -> tuple[int, int]:
    """Return the largest (width, height) in a box with the sides of a plane [A, B]."""
    factor = min(width / shape[1], height / shape[0])
    factor = int(factor) if factor >= 1 else factor
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def _one_map(plane: Array, axes: Sequence[PlotAxis]) -> Image.Image:
    names = axes[0].places(plane.shape[0], 6)
    left = width_of([text for _, text in names]) + 3 * GAP + 8
    width = WIDTH - left - RIGHT
    if axes[1].name == "width":
        width, height = fitting(plane.shape, width, TALLEST)
    else:
        height = int(np.clip(ROW * plane.shape[0], SHORTEST, TALLEST))
    image, draw = canvas((WIDTH, ABOVE + height + BELOW))
    box = (left, ABOVE, left + width, ABOVE + height)
    low, high = float(plane.min()), float(plane.max())
    image.paste(enlarged(coloured(plane, low, high), (width, height)), (left, ABOVE))
    upwards = axes[0].name == UPWARDS
    for place, text in names:
        part = (place + 0.5) / plane.shape[0]
        y = box[3] - height * part if upwards else box[1] + height * part
        draw.text((left - GAP, y), text, INK, font(), anchor="rm")
    draw.text((GAP, ABOVE - GAP), axes[0].title, SOFT, font(), anchor="ls")
    bottom_axis(draw, box, axes[1], plane.shape[1])
    _colour_scale(image, (box[2] + 2 * GAP, box[1], box[2] + 3 * GAP + 4, box[3]), low, high)
    return image


def _colour_scale(image: Image.Image, box: Box, low: float, high: float) -> None:
    """Draw the scale of colours into a box, with its ends."""
    left, top, right, bottom = box
    column = coloured(np.linspace(1, 0, bottom - top)[:, None], 0, 1)
    image.paste(column.resize((right - left, bottom - top)), (left, top))
    draw = ImageDraw.Draw(image)
    for value in ticks(low, high, 4):
        y = bottom - (bottom - top) * (value - low) / ((high - low) or 1.0)
        y = min(max(y, top + GAP), bottom - GAP)
        draw.text((right + 6, y), text_of(value), INK, font(13), anchor="lm")


def tiled(planes: Sequence[tuple[Array, str]], across: int = MAPS_ACROSS) -> Image.Image:
    """Draw planes [A, B] side by side, each with its text above, on one scale of colours."""
    low = min(float(plane.min()) for plane, _ in planes)
    high = max(float(plane.max()) for plane, _ in planes)
    images = [(coloured(plane, low, high), text) for plane, text in planes]
    image = side_by_side(images, across)
    end = min(image.height - GAP, ABOVE + TALLEST)
    left = WIDTH - RIGHT + 2 * GAP
    _colour_scale(image, (left, ABOVE, left + GAP + 4, end), low, high)
    return image


def side_by_side(
    images: Sequence[tuple[Image.Image, str]], across: int = MAPS_ACROSS
) -> Image.Image:
    """Lay images out in rows, each as large as it fits, with its text above."""
    across = min(across, len(images))
    room = (WIDTH - RIGHT - GAP) // across - GAP
    sizes = [fitting((image.height, image.width), room, TALLEST) for image, _ in images]
    rows = [sizes[k : k + across] for k in range(0, len(sizes), across)]
    heights = [max(height for _, height in row) for row in rows]
    sheet, draw = canvas((WIDTH, sum(heights) + len(rows) * (ABOVE + GAP) + GAP))
    top = 0
    for row, height in enumerate(heights):
        for column, (image, text) in enumerate(images[row * across : (row + 1) * across]):
            left = GAP + column * (room + GAP)
            draw.text((left, top + ABOVE - GAP), text, INK, font(), anchor="ls")
            sheet.paste(enlarged(image, sizes[row * across + column]), (left, top + ABOVE))
        top += ABOVE + height + GAP
    return sheet
