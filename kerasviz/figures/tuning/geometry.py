"""Lay out plots of tuning: radial curves, where their labels stand, and curves over an axis."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from kerasviz.analysis.sweeps import TURN, StimulusAxis
from kerasviz.types import Array

#: Parts of the side of a radial plot: the radius of a full response, and of none.
FULL = 1 / 3.5
NONE = 0.3 * FULL
#: That of the labels, and the side of the pictures beside them.
RIM = 1.5 * FULL
PICTURE = 0.075
#: The saturation and the lightness of the colours of units.
SATURATION = 0.65
LIGHTNESS = 0.5


def radial_points(curve: Array, period: float, side: float) -> Array:
    """Return the corners [N, 2] (x, y) of a curve around the middle of a square.

    Responses below 0 are on the inner circle, the largest on the outer one. A curve with a period
    of half a turn is repeated.

    >>> radial_points(np.array([2.0, 0.0, -1.0, 0.0]), 360.0, 70.0).round(6)
    array([[61., 35.], [35., 29.], [29., 35.], [35., 41.]])
    """
    whole = np.tile(curve, round(TURN / period))
    share = np.maximum(whole, 0) / max(float(whole.max()), 1e-12)
    radius = side * (NONE + FULL * share)
    angles = 2 * np.pi * np.arange(len(whole)) / len(whole)
    points = np.stack([radius * np.cos(angles), -radius * np.sin(angles)], -1) + side / 2
    return np.asarray(points)


def rim_point(degrees: float, side: float) -> tuple[float, float]:
    """Return the (x, y) of a label in a direction.

    >>> rim_point(90.0, 70.0)
    (35.0, 5.0)
    """
    angle, radius = np.radians(degrees), RIM * side
    x, y = side / 2 + radius * np.cos(angle), side / 2 - radius * np.sin(angle)
    return float(f"{x:.4f}"), float(f"{y:.4f}")


def spread(degrees: Sequence[float], gap: float) -> list[float]:
    """Move directions apart until neighbours around the circle have a gap, as far as they fit.

    >>> spread([0.0, 0.0, 180.0], 20.0)
    [-10.0, 10.0, 180.0]
    """
    if len(degrees) < 2:
        return list(degrees)
    order = np.argsort(degrees, kind="stable")
    placed = np.array(degrees, float)[order]
    gap = min(gap, TURN / len(placed))
    for _ in range(200):
        distances = np.diff(placed, append=placed[0] + TURN)
        lacking = np.clip(gap - distances, 0, None) / 2
        if lacking.max() < 1e-6:
            break
        placed += np.roll(lacking, 1) - lacking
    result = np.empty(len(placed))
    result[order] = placed.round(4)
    return [float(n) for n in result]


def colour_of(degrees: float, period: float = TURN) -> tuple[int, int, int]:
    """Return the RGB colour of a preferred direction.

    >>> colour_of(0.0), colour_of(120.0)
    ((210, 45, 45), (45, 210, 45))
    """
    rgb = colorsys.hls_to_rgb(degrees / period % 1, LIGHTNESS, SATURATION)
    return tuple(round(255 * value) for value in rgb)  # type: ignore[return-value]


def plot_points(values: Sequence[float], low: float, high: float, size: tuple[int, int]) -> Array:
    """Return the corners [N, 2] (x, y) of a line over the width of a box, ``high`` at its top.

    >>> plot_points([0.0, 1.0], 0.0, 2.0, (10, 4))
    array([[ 0.,  4.], [10.,  2.]])
    """
    width, height = size
    across = np.linspace(0, width, len(values))
    up = (np.asarray(values) - low) / ((high - low) or 1.0)
    points = np.stack([across, height * (1 - up)], -1)
    return np.asarray(points)


def ticks(axis: StimulusAxis) -> tuple[str, ...]:
    """Return texts for the start, the middle and the end of an axis, and for quarters of a turn.

    >>> ticks(StimulusAxis("direction", "degrees", (0.0, 180.0), 360.0))
    ('0°', '90°', '180°', '270°', '360°')
    """
    if axis.period is not None:
        return tuple(f"{axis.period * k / 4:g}°" for k in range(5))
    first, last = axis.values[0], axis.values[-1]
    return f"{first:.3g}", f"{(first + last) / 2:.3g}", f"{last:.3g}"


def value_text(axis: StimulusAxis, value: float) -> str:
    """Return a value of an axis for people.

    >>> radius = StimulusAxis("radius", "pixels", ())
    >>> value_text(radius, np.inf), value_text(radius, 4.0)
    ('straight', '4 px')
    """
    if not np.isfinite(value):
        return "straight"
    unit = {"degrees": "°", "pixels": " px"}.get(axis.unit, "")
    return f"{value:.3g}{unit}"
