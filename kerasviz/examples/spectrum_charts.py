"""Draw the activation spectrum of a unit for a page: bars, marks and the words beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kerasviz.examples.folder import SPECTRUM_TILE, spectrum_file
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.statistics.histogram import BINS
from kerasviz.examples.statistics.index import ExampleIndex, Response, UnitStatistics

#: Height of the bars, in units of the drawing; a bin is ``SPECTRUM_TILE`` wide.
HEIGHT = 100
#: Height of the row of classes.
BAND = 26
#: Classes of a unit that have a colour.
COLOURS = 6
#: Classes in the profile of a unit.
PROFILE = 5


@dataclass(frozen=True)
class SpectrumChart:
    """The drawing of a spectrum, as paths of SVG, and what stands beside it.

    Args:
        file: The picture with the crops, a column for each bin.
        height: The pixels of the picture, from the top, that have crops.
        bars: The bars of the logarithms of the counts.
        line: The points of x p(x).
        zero: Where 0 is, in units of the drawing, or ``None`` outside.
        bands: (style, path) of the classes of each bin, stacked.
        legend: (style, name) of these classes.
        columns: The words on each bin.
        ticks: (place in percent, value) of some edges.
        marks: Outlines of positions in the picture.
        facts: Names and values of the unit's numbers.
        near: (unit, correlation) of units that fire together with this one.
        far: (unit, correlation) of those that do so least.
        profile: (class, mean, AUROC, images, length of a bar in percent), the largest mean first.
    """

    file: str
    height: int
    bars: str
    line: str
    zero: float | None
    bands: tuple[tuple[str, str], ...]
    legend: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    ticks: tuple[tuple[float, str], ...]
    marks: str
    facts: tuple[tuple[str, str], ...]
    near: tuple[tuple[int, str], ...]
    far: tuple[tuple[int, str], ...]
    profile: tuple[tuple[str, str, str, int, float], ...]


def spectrum_chart(
    index: ExampleIndex, tap: str, unit: int, field: ReceptiveField
) -> SpectrumChart:
    """Return the drawing of a unit's spectrum."""
    found = index.unit(tap, unit)
    bands, legend = _bands(found)
    return SpectrumChart(
        file=spectrum_file(tap, unit),
        height=SPECTRUM_TILE * max(1, *(len(each.crops) for each in found.bins)),
        bars=_bars(found),
        line=_line(found),
        zero=_zero(found),
        bands=bands,
        legend=legend,
        columns=tuple(_column(found, b) for b in range(BINS)),
        ticks=_ticks(found),
        marks=_marks(found, field),
        facts=_facts(found),
        near=tuple((u, f"{r:.2f}") for u, r in found.neighbours),
        far=tuple((u, f"{r:.2f}") for u, r in found.opposites if r < 0),
        profile=_profile(found),
    )


def _bars(found: UnitStatistics) -> str:
    """Return bars whose heights are logarithms of the counts; one value has a bar, too."""
    counts = np.array([each.count for each in found.bins], np.float64)
    heights = HEIGHT * np.log1p(counts) / math.log1p(max(1.0, counts.max()))
    return "".join(
        f"M{b * SPECTRUM_TILE + 3} {HEIGHT}v{-height:.1f}h{SPECTRUM_TILE - 6}v{height:.1f}z"
        for b, height in enumerate(heights)
        if height
    )


def _line(found: UnitStatistics) -> str:
    """Return the points of x p(x), scaled to its largest value on either side of 0."""
    values = np.array([each.contribution for each in found.bins])
    largest = np.abs(values).max()
    if not largest:
        return ""
    return " ".join(
        f"{(b + 0.5) * SPECTRUM_TILE:.0f},{HEIGHT * (1 - value / largest) / 2:.1f}"
        for b, value in enumerate(values)
    )


def _zero(found: UnitStatistics) -> float | None:
    low, high = found.bins[0].low, found.bins[-1].high
    return round(-low / (high - low) * BINS * SPECTRUM_TILE, 1) if low <= 0 <= high else None


def _bands(
    found: UnitStatistics,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return the stacked classes of all bins by colour, and the names of the colours.

    Colours go to the classes with the largest shares of the bins, those of high values first. The
    last colour is that of all others.
    """
    weights: dict[str, float] = {}
    for b, each in enumerate(found.bins):
        for name, share in each.classes:
            weights[name] = weights.get(name, 0.0) + share * (b + 1)
    shown = sorted(weights, key=lambda name: (-weights[name], name))[:COLOURS]
    paths = [""] * (len(shown) + 1)
    for b, each in enumerate(found.bins):
        if not each.classes:
            continue
        shares = dict(each.classes)
        parts = [shares.get(name, 0.0) for name in shown]
        top = 0.0
        for colour, share in enumerate([*parts, max(0.0, 1 - sum(parts))]):
            if share >= 0.005:
                y, height = BAND * top, BAND * share
                width = SPECTRUM_TILE - 6
                paths[colour] += f"M{b * SPECTRUM_TILE + 3} {y:.1f}h{width}v{height:.1f}h-{width}z"
            top += share
    styles = [*(f"c{k}" for k in range(len(shown))), "other"]
    rows = list(zip(styles, [*shown, "other classes"], paths, strict=True))
    bands = tuple((style, path) for style, _, path in rows if path)
    return bands, tuple((style, name) for style, name, path in rows if path)


def _column(found: UnitStatistics, b: int) -> str:
    each = found.bins[b]
    low = "below" if b == 0 else f"{each.low:.4g} to"
    high = "and above" if b == BINS - 1 else f"{each.high:.4g}"
    parts = [f"{low} {high}: {each.count} value{'' if each.count == 1 else 's'}"]
    if each.classes:
        parts.append(", ".join(f"{name} {share:.0%}" for name, share in each.classes))
    parts += [f"{crop.value:.4g}: {_where(crop)}" for crop in each.crops]
    return "\n".join(parts)


def _ticks(found: UnitStatistics) -> tuple[tuple[float, str], ...]:
    """Return every third edge of the bins."""
    edges = [each.low for each in found.bins] + [found.bins[-1].high]
    return tuple((100 * b / BINS, f"{edges[b]:.3g}") for b in range(0, BINS + 1, 3))


def _marks(found: UnitStatistics, field: ReceptiveField) -> str:
    return "".join(
        field.outline(*crop.position, (b * SPECTRUM_TILE, k * SPECTRUM_TILE), SPECTRUM_TILE)
        for b, each in enumerate(found.bins)
        for k, crop in enumerate(each.crops)
    )


def _facts(found: UnitStatistics) -> tuple[tuple[str, str], ...]:
    low, _, median, _, high = found.quantiles
    facts = [
        ("positive", f"{found.positive:.1%} of the values"),
        ("mean", f"{found.mean:.3g}, standard deviation {found.deviation:.3g}"),
        ("median", f"{median:.3g}, .01 % below {low:.3g}, .01 % above {high:.3g}"),
    ]
    if found.maximum is not None:
        facts.append(("natural maximum", f"{found.maximum.value:.4g}, {_where(found.maximum)}"))
    if found.selectivity is not None and found.preferred is not None:
        facts.append(
            ("class selectivity", f"{found.selectivity:.2f}, prefers {found.preferred.name}")
        )
    return tuple(facts)


def _where(response: Response) -> str:
    y, x = response.position
    return f"{response.image} at {f'{y},{x}' if y >= 0 else f'token {x}'}"


def _profile(found: UnitStatistics) -> tuple[tuple[str, str, str, int, float], ...]:
    shown = found.classes[:PROFILE]
    if not shown:
        return ()
    lowest = min(0.0, min(each.mean for each in found.classes))
    span = (shown[0].mean - lowest) or 1.0
    return tuple(
        (
            each.name,
            f"{each.mean:.3g}",
            f"{each.auroc:.2f}",
            each.images,
            round(100 * max(0.0, (each.mean - lowest) / span), 1),
        )
        for each in shown
    )
