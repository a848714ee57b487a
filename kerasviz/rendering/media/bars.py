"""Draw a row of a table as bars, each within the range of its column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from kerasviz.rendering.media.scales import (
    BLUE,
    GRID,
    INK,
    SOFT,
    WIDTH,
    canvas,
    font,
    text_of,
    width_of,
)
from kerasviz.types import Array

#: Columns that have a bar with their number, at most; more are thin bars.
MOST_NAMED = 40
#: The height of a bar and of the space that it stands in, and the margins.
BAR = 14
ROW = 24
ABOVE = 34
AROUND = 12
GAP = 10
#: The height of the plot of thin bars.
THIN = 220
#: The colours of the middle half of the data, and of nine tenths of it.
HALF = (176, 176, 184)
MOST = (220, 220, 226)


def bars(
    row: Array, low: Array, high: Array, quantiles: Sequence[Sequence[float]] = ()
) -> Image.Image:
    """Draw the numbers of a row [F] as dots on bars from ``low`` to ``high`` [F] of their columns.

    ``quantiles`` of the data [F][5], at 5, 25, 50, 75 and 95 %, are drawn as bands behind.
    """
    return _named(row, low, high, quantiles) if len(row) <= MOST_NAMED else _thin(row, low, high)


def _named(
    row: Array, low: Array, high: Array, quantiles: Sequence[Sequence[float]]
) -> Image.Image:
    ends = [[text_of(float(n)) for n in numbers] for numbers in (low, high, row)]
    names = [str(k) for k in range(len(row))]
    left = AROUND + width_of([*names, "column"]) + GAP + width_of(ends[0]) + GAP
    right = WIDTH - AROUND - width_of(ends[2]) - GAP - width_of(ends[1]) - GAP
    image, draw = canvas((WIDTH, ABOVE + ROW * len(row) + AROUND))
    draw.text((AROUND, ABOVE - 12), "column", SOFT, font(13), anchor="ls")
    draw.text((WIDTH - AROUND, ABOVE - 12), "value", SOFT, font(13), anchor="rs")
    if quantiles:
        draw.text(
            (left, ABOVE - 12), "bands: 90 % and half of the data", SOFT, font(13), anchor="ls"
        )

    def across(value: float, k: int) -> float:
        part = (value - float(low[k])) / float(high[k] - low[k])
        return left + (right - left) * min(max(part, 0.0), 1.0)

    for k, value in enumerate(row):
        y = ABOVE + ROW * (k + 0.5)
        draw.rounded_rectangle((left, y - 2, right, y + 2), 2, GRID)
        if quantiles:
            q = [across(float(n), k) for n in quantiles[k]]
            draw.rectangle((q[0], y - BAR / 2, q[4], y + BAR / 2), MOST)
            draw.rectangle((q[1], y - BAR / 2, q[3], y + BAR / 2), HALF)
            draw.line((q[2], y - BAR / 2, q[2], y + BAR / 2), SOFT, 2)
        x = across(float(value), k)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), BLUE)
        draw.text((AROUND, y), names[k], INK, font(), anchor="lm")
        draw.text((left - GAP, y), ends[0][k], SOFT, font(13), anchor="rm")
        draw.text((right + GAP, y), ends[1][k], SOFT, font(13), anchor="lm")
        draw.text((WIDTH - AROUND, y), ends[2][k], INK, font(), anchor="rm")
    return image


def _thin(row: Array, low: Array, high: Array) -> Image.Image:
    """Draw many columns as thin bars from the middle of their ranges."""
    image, draw = canvas((WIDTH, ABOVE + THIN + 2 * AROUND + 20))
    left, right = AROUND + 44, WIDTH - AROUND
    draw.text(
        (AROUND, ABOVE - 12), "place in the range of each column", SOFT, font(13), anchor="ls"
    )
    part = np.clip((row - low) / (high - low), 0, 1)
    wide = (right - left) / len(row)
    for value in (0, 0.5, 1):
        y = ABOVE + THIN * (1 - value)
        draw.line((left, y, right, y), GRID)
        text = {0: "low", 0.5: "middle", 1: "high"}[value]
        draw.text((left - 6, y), text, INK, font(13), anchor="rm")
    for k, value in enumerate(part):
        y = ABOVE + THIN * (1 - float(value))
        middle = ABOVE + THIN / 2
        x = left + wide * k
        draw.rectangle((x, min(y, middle), x + max(1.0, 0.8 * wide), max(y, middle)), BLUE)
    for k in (0, len(row) // 2, len(row) - 1):
        draw.text((left + wide * (k + 0.5), ABOVE + THIN + 8), str(k), INK, font(13), anchor="ma")
    draw.text(((left + right) / 2, ABOVE + THIN + 24), "column", SOFT, font(13), anchor="ma")
    return image
