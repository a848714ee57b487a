"""Make the activation spectra of the units of a tap: bins, crops and classes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasviz.examples.ranking import Ranking
from kerasviz.examples.statistics import reservoir
from kerasviz.examples.statistics.histogram import BINS, CELLS, BinnedUnit, Histogram
from kerasviz.examples.statistics.tap import TapStatistics
from kerasviz.types import Array

#: Crops in a bin, as in the article's pictures.
CROPS = 6
#: Classes in a bin that are named.
NAMED = 5


@dataclass(frozen=True)
class Spectra:
    """The spectra of all units of a tap.

    Args:
        edges: [units, 19], of bins of one width; the first and the last bin are open.
        counts: [units, 18], values in each bin.
        contribution: [units, 18], x p(x): sums of the values in a bin, over the number of all.
        quantiles: [units, 5], below which .01, 25, 50, 75 and 99.99 percent of the values lie.
        crop_value: [units, 18, 6], activations of the crops of a bin, the largest first; NaN for
            none.
        crop_image: [units, 18, 6], numbers of their images, -1 for none.
        crop_place: [units, 18, 6], numbers of their positions.
        bin_class: [units, 18, 5], numbers of the most frequent classes in a bin, -1 for none.
        bin_share: [units, 18, 5], their shares of the images with a class in this bin, estimated
            from at most 8 in every 64th of the range, and exact where there are fewer.
    """

    edges: Array
    counts: Array
    contribution: Array
    quantiles: Array
    crop_value: Array
    crop_image: Array
    crop_place: Array
    bin_class: Array
    bin_share: Array


def spectra(statistics: TapStatistics, ranking: Ranking, classes: int) -> Spectra:
    """Return the spectra of a tap.

    The last bin shows the image with the largest activation at any position, and the first that
    with the smallest, also where these positions were not drawn.
    """
    histogram = statistics.histogram
    top, bottom = ranking.examples("top"), ranking.examples("bottom")
    columns: dict[str, list[Array]] = {name: [] for name in Spectra.__dataclass_fields__}
    for unit in range(statistics.units):
        binned = histogram.binned(unit)
        kept = _binned_sample(statistics, unit, binned)
        ends = [
            {"value": end.value[unit, 0], "image": end.image[unit, 0], "place": end.place[unit, 0]}
            for end in (bottom, top)
        ]
        crops = _crops(kept, ends)
        shown, shares = _classes(kept, classes)
        row = {
            "edges": binned.edges,
            "counts": binned.counts,
            "contribution": histogram.contributions(unit, binned),
            "quantiles": histogram.quantiles(unit),
            **{f"crop_{name}": array for name, array in crops.items()},
            "bin_class": shown,
            "bin_share": shares,
        }
        for name, value in row.items():
            columns[name].append(value)
    return Spectra(**{name: np.stack(rows) for name, rows in columns.items()})


def _binned_sample(statistics: TapStatistics, unit: int, binned: BinnedUnit) -> dict[str, Array]:
    """Return the entries that a unit's reservoir keeps, with their bins and weights.

    An entry's weight is the number of values in its bin and its cell of the reservoir, divided by
    the number of entries there.
    """
    histogram: Histogram = statistics.histogram
    fine, coarse = histogram.grid, statistics.reservoir.grid
    kept = statistics.reservoir.of(unit)
    numbers = np.floor(np.ldexp(kept["value"].astype(np.float64), -fine.exponent[unit]))
    bins = binned.bins(numbers.astype(np.int64) - fine.first[unit])
    shift = coarse.exponent[unit] - fine.exponent[unit]
    places = ((fine.first[unit] + np.arange(CELLS)) >> shift) - coarse.first[unit]
    parts = binned.bins(np.arange(CELLS)) * reservoir.CELLS
    inside = np.clip(places, 0, reservoir.CELLS - 1)  # cells beyond hold no values
    totals = np.bincount(parts + inside, histogram.counts[unit], BINS * reservoir.CELLS)
    key = bins * reservoir.CELLS + kept["cell"]
    listed = np.bincount(key, minlength=BINS * reservoir.CELLS)
    return {**kept, "bin": bins, "weight": totals[key] / listed[key]}


def _crops(kept: Mapping[str, Array], ends: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    """Return value, image and position of the crops of each bin, each [18, 6]."""
    crops: dict[str, Array] = {
        "value": np.full((BINS, CROPS), np.nan, np.float32),
        "image": np.full((BINS, CROPS), -1, np.int64),
        "place": np.zeros((BINS, CROPS), np.int32),
    }
    for b in range(BINS):
        of_bin = np.flatnonzero(kept["bin"] == b)
        chosen = of_bin[np.lexsort((kept["image"][of_bin], kept["tie"][of_bin]))]
        rows = [(kept["value"][i], kept["image"][i], kept["place"][i]) for i in chosen]
        if b in (0, BINS - 1):
            end = ends[0 if b == 0 else 1]
            first = (end["value"], end["image"], end["place"])
            if end["image"] >= 0:
                rows = [first, *(r for r in rows if (r[1], r[2]) != (first[1], first[2]))]
        rows = sorted(rows[:CROPS], key=lambda row: -row[0])
        for name, column in zip(crops, zip(*rows, strict=True), strict=False):
            crops[name][b, : len(rows)] = column
    return crops


def _classes(kept: Mapping[str, Array], classes: int) -> tuple[Array, Array]:
    """Return the most frequent classes of each bin and their shares, each [18, 5]."""
    shown = np.full((BINS, NAMED), -1, np.int32)
    shares = np.zeros((BINS, NAMED), np.float32)
    labelled = kept["label"] >= 0
    for b in range(BINS if classes else 0):
        mask = labelled & (kept["bin"] == b)
        if not mask.any():
            continue
        weights = np.bincount(kept["label"][mask], kept["weight"][mask], classes)
        order = np.argsort(-weights, kind="stable")[:NAMED]
        order = order[weights[order] > 0]
        shown[b, : len(order)] = order
        shares[b, : len(order)] = weights[order] / weights.sum()
    return shown, shares
