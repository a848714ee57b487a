"""Layout of the figure on weight banding: where the weights of the last layer lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerasviz.analysis.connections import blank_image, connections, cropped
from kerasviz.analysis.explanation import is_before
from kerasviz.analysis.factors import factorize_unit, in_matched_order, pattern_bands
from kerasviz.analysis.photo_pass import PhotoPass, score_of
from kerasviz.errors import UsageError
from kerasviz.figures.circuits.weights import FACTOR_COLOURS
from kerasviz.figures.explain.colours import rgb
from kerasviz.figures.layout.article_outline import is_outline
from kerasviz.figures.layout.context import FigureContext
from kerasviz.figures.layout.tables import Table
from kerasviz.figures.layout.tiles import GradientTile, TileRow
from kerasviz.figures.layout.units import evenly_spaced
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import has_positions
from kerasviz.optvis.objectives.objective import logit
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import slug
from kerasviz.types import Array

#: Units of a layer, in rows of as many.
UNITS = 16
IN_A_ROW = 8
#: Units that are looked at, of which as many are shown.
TRIED = 64
#: Factors of the weights of a unit (Petrov et al.).
FACTORS = 3
#: The least extent of weights, in positions along each axis, that shows where they lie.
LEAST = 3
#: How far numbers that are the same at all positions may vary by rounding.
EQUAL = 1e-3


@dataclass(frozen=True, eq=False)
class BandedLayer:
    """Hold the expanded weights of units of a layer, [h, w, channels of the source] for each.

    Each unit's are cut to its own extent: units of one layer may see 3x3 and 5x5 positions.
    """

    source: str
    target: str
    units: tuple[int, ...]
    weights: tuple[Array, ...]

    @cached_property
    def patterns(self) -> list[Array]:
        """The strengths of factors [h, w, 3]; alike ones of all units have the same number."""
        factors = [factorize_unit(weights, FACTORS) for weights in self.weights]
        return [found.patterns for found in in_matched_order(factors)]

    @property
    def rows(self) -> Array:
        """How far the factors of each unit lie in rows, [units], from 0 to 1."""
        return np.array([pattern_bands(pattern) for pattern in self.patterns])

    @property
    def columns(self) -> Array:
        """How far they lie in columns."""
        return np.array([pattern_bands(pattern.swapaxes(0, 1)) for pattern in self.patterns])


def banded_layer(net: Network, target: str, before: Sequence[str]) -> BandedLayer | None:
    """Return the weights of a layer from the nearest earlier one that they differ over.

    Args:
        net: The network.
        target: The name of the layer.
        before: Earlier layers, first layer first.

    Returns:
        The weights of 16 evenly spaced units, of those that see 3x3 positions or more and not all
        alike, as behind a pool. ``None`` where there are none from any of the earlier layers.
    """
    tried = evenly_spaced(TRIED, net.taps[target].channels or 0)
    for source in reversed(before):
        if not is_before(net, source, target):
            continue
        found = connections(net, source, target, tried)
        if found.weights.ndim != 4:
            continue
        own = {
            unit: cropped(weights[None])[0][0]
            for unit, weights in zip(tried, found.weights, strict=True)
            if weights.any()
        }
        varied = [unit for unit, weights in own.items() if _varies(weights)]
        if varied:
            chosen = tuple(varied[k] for k in evenly_spaced(UNITS, len(varied)))
            return BandedLayer(source, target, chosen, tuple(own[unit] for unit in chosen))
    return None


def _varies(weights: Array) -> bool:
    """Return whether weights [h, w, C] are of 3x3 positions or more, and differ over them."""
    spread = weights - weights.mean((0, 1))
    return min(weights.shape[:2]) >= LEAST and bool(
        np.linalg.norm(spread) > EQUAL * np.linalg.norm(weights)
    )


def averages_positions(net: Network, tap: str) -> bool:
    """Return whether a layer is averaged over its positions on the way to the classes.

    Then the derivatives of a logit are the same at all positions.
    """
    image = blank_image(net)
    score = score_of(net, logit(0), image.shape[:2])
    run = PhotoPass(net, image, [tap], score.taps)
    slopes = run.on_map(tap, run.derivatives(tap, score, [1.0])[1][0])
    return slopes is not None and float(np.ptp(slopes, (0, 1)).max()) <= EQUAL * float(
        np.abs(slopes).max()
    )


def bands(context: FigureContext) -> Table:
    """Lay out the weights of units of the last layer, and of one in the middle."""
    net = context.options.net
    last = _last_map(net)
    if not averages_positions(net, last):
        raise UsageError(
            f"weights lie in bands where a network averages its last map, and {net.name} does not "
            f"average {last}"
        )
    taps = main_layers(net)
    rows: list[TileRow] = []
    notes = []
    for words, end in (("last", len(taps)), ("middle", len(taps) // 2 + 1)):
        found = banded_layer(net, taps[end - 1], taps[: end - 1])
        if found is None:
            raise UsageError(
                f"{net.name}: no main layer before {taps[end - 1]} has weights to it that differ "
                f"over {LEAST}x{LEAST} positions or more"
            )
        rows += _rows(context, found, f"The {words} layer, {found.target}, from {found.source}")
        notes.append(
            f"{found.target}: {found.rows.mean():.0%} of the variance of factors over positions is "
            f"between rows, {found.columns.mean():.0%} between columns, on average over "
            f"{len(found.units)} units, evenly spaced among those whose weights differ over them."
        )
    notes.append(
        f"Colours: {FACTORS} factors of the weights of a unit, with its positive and negative "
        "weights as separate inputs; alike factors have one colour. Number: the share of the "
        "variance between rows."
    )
    return tuple(rows), (), (), notes


def _last_map(net: Network) -> str:
    """Return the last value with several positions that the classes are computed from."""
    if is_outline(net):
        raise UsageError("weights are those of a model; count the figure with --model NAME")
    logits = net.require_logits().name
    for name in reversed(list(net.program.values)):
        shape = net.taps[name].shape if name in net.taps else None
        if has_positions(shape) and is_before(net, name, logits):
            extent = positions_of(net, name, usual_size(net)).map
            if extent is not None and math.prod(extent) > 1:
                return name
    raise UsageError(f"{net.name} has no layer with positions before its classes")


def _rows(context: FigureContext, found: BandedLayer, title: str) -> list[TileRow]:
    """Return the patterns of units, those in the clearest bands first."""
    scores = found.rows
    order = np.argsort(-scores, kind="stable")
    colours = np.array([rgb(FACTOR_COLOURS[k]) for k in range(FACTORS)], float)
    tiles = []
    for k in order:
        shares = found.patterns[k] / (found.patterns[k].max() or 1.0)
        cells = np.rint(np.clip(shares @ colours, 0, 255)).astype(int)
        numbers = tuple(tuple(tuple(int(n) for n in cell) for cell in row) for row in cells)
        unit = found.units[k]
        tiles.append(
            GradientTile(
                f"{context.figure.slug}-{slug(found.target)}-{unit}",
                f"{found.target}:{unit}",
                "pattern",
                (),
                cells.shape[:2],
                numbers=numbers,
                label=f"{scores[k]:.0%}",
            )
        )
    parts = [tiles[n : n + IN_A_ROW] for n in range(0, len(tiles), IN_A_ROW)]
    return [
        TileRow(title if not n else "", (found.target,), tuple(part))
        for n, part in enumerate(parts)
    ]
