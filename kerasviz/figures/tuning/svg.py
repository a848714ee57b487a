"""Draw tuning curves as SVG, for pages: they follow the colours of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np
from markupsafe import Markup, escape

from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.tuning import Tuning
from kerasviz.figures.tuning.geometry import (
    FULL,
    NONE,
    PICTURE,
    colour_of,
    plot_points,
    radial_points,
    rim_point,
    spread,
)
from kerasviz.rendering.store import slug
from kerasviz.types import Array

#: The side of a radial plot, and the size of others, in their own units.
SIDE = 560
PLOT = (320, 90)
#: Characters of file names that a link need not quote.
SAFE = "/@+,=~!()"
#: Corners that a curve of a page has at most: more are not seen.
CORNERS = 180


def radial(tunings: Sequence[Tuning], period: float, pictures: Mapping[str, str]) -> Markup:
    """Draw curves of units around a circle, each with its picture where it is largest.

    ``period`` is that of the curves in degrees. ``pictures`` are files by unit; a unit without one
    has its number.
    """
    places = spread([t.preferred for t in tunings], 1.15 * 360 * PICTURE / (2 * np.pi * 1.5 * FULL))
    parts = []
    for tuning, place in zip(tunings, places, strict=True):
        parts.append(_unit(tuning, period, place, pictures.get(tuning.name, "")))
    parts.append(_rings())
    return Markup(
        f'<svg class="radial" viewBox="0 0 {SIDE} {SIDE}" role="group" '
        f'aria-label="Responses of {len(tunings)} units around the circle">{"".join(parts)}</svg>'
    )


def _unit(tuning: Tuning, period: float, place: float, picture: str) -> str:
    points = radial_points(_fewer(tuning.curve), period, SIDE)
    colour = "rgb({},{},{})".format(*colour_of(tuning.preferred, period))
    x, y = rim_point(place, SIDE)
    tip = points[int(np.argmax(_fewer(tuning.curve)))]
    half = PICTURE * SIDE / 2
    shown = (
        f'<image href="{escape(quote(picture, safe=SAFE))}" x="{x - half:.1f}" y="{y - half:.1f}" '
        f'width="{2 * half:.1f}" height="{2 * half:.1f}"/>'
        if picture
        else ""
    )
    label = (
        f'<text x="{x:.1f}" y="{y + (half + 11 if picture else 4):.1f}" text-anchor="middle">'
        f"{tuning.unit}</text>"
    )
    name = f"{tuning.name}: largest at {tuning.preferred:g}°"
    return (
        f'<a href="#{card(tuning)}" class="curve" style="--c:{colour}" aria-label="{escape(name)}">'
        f'<title>{escape(name)}</title><polygon points="{_text(points)}"/>'
        f'<line x1="{tip[0]:.1f}" y1="{tip[1]:.1f}" x2="{x:.1f}" y2="{y:.1f}"/>{shown}{label}</a>'
    )


def card(tuning: Tuning) -> str:
    """Return the anchor of the part of a page that is about a unit and a kind of stimuli."""
    return f"{slug(tuning.name)}-{tuning.kind}"


def curve(tuning: Tuning) -> Markup:
    """Draw the tuning curve of a unit over its axis, with a line at 0."""
    values = _fewer(tuning.curve)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    closed = values if tuning.fine.period is None else np.append(values, values[0])
    zero = plot_points([0.0, 0.0], low, high, PLOT)
    line = plot_points(list(closed), low, high, PLOT)
    return Markup(
        f'<svg class="plot" viewBox="0 -2 {PLOT[0]} {PLOT[1] + 4}" preserveAspectRatio="none" '
        f'role="img" aria-label="Tuning curve of {escape(tuning.name)}">'
        f'<polyline class="zero" points="{_text(zero)}"/>'
        f'<polyline points="{_text(line)}"/></svg>'
    )


def joint(found: JointTuning) -> Markup:
    """Draw the curves of all units on the turned photos of one, coloured as they are turned."""
    low, high = min(0.0, float(found.curves.min())), max(0.0, float(found.curves.max()))
    lines = []
    for unit, values, degrees in zip(found.units, found.curves, found.preferred, strict=True):
        points = plot_points([*values, values[0]], low, high, PLOT)
        own = " own" if unit == found.unit else ""
        colour = "rgb({},{},{})".format(*colour_of(degrees))
        name = f"{found.tap}:{unit}: largest at {degrees:g}°"
        lines.append(
            f'<g class="line{own}" style="--c:{colour}"><title>{escape(name)}</title>'
            f'<polyline points="{_text(points)}"/></g>'
        )
    zero = plot_points([0.0, 0.0], low, high, PLOT)
    return Markup(
        f'<svg class="plot joint" viewBox="0 -2 {PLOT[0]} {PLOT[1] + 4}" '
        f'preserveAspectRatio="none" role="img" aria-label="Curves of {len(lines)} units">'
        f'<polyline class="zero" points="{_text(zero)}"/>{"".join(lines)}</svg>'
    )


def _rings() -> str:
    centre = SIDE / 2
    rings = "".join(
        f'<circle class="{name}" cx="{centre}" cy="{centre}" r="{radius * SIDE:.1f}"/>'
        for name, radius in (("ring inner", NONE), ("ring", NONE + FULL))
    )
    texts = "".join(
        f'<text class="ring" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{degrees}°</text>'
        for degrees in (0, 90, 180, 270)
        for x, y in [_inside(degrees)]
    )
    return rings + texts


def _inside(degrees: float) -> tuple[float, float]:
    angle, radius = np.radians(degrees), 0.7 * NONE * SIDE
    return SIDE / 2 + radius * np.cos(angle), SIDE / 2 - radius * np.sin(angle)


def _fewer(values: Array) -> Array:
    """Return every n-th value, so that not too many are left."""
    step = max(1, len(values) // CORNERS)
    return values[::step] if len(values) % step == 0 else values


def _text(points: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
