"""Layout of the figure on ablation: curves of curve detectors with and without their inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasviz.analysis.connections import connections
from kerasviz.analysis.edits import unit_edits
from kerasviz.analysis.explanation import is_before
from kerasviz.analysis.sweeps import Look, Sweep, sweep_of
from kerasviz.analysis.tuning import Place, Recorder, curve_along
from kerasviz.errors import UsageError
from kerasviz.figures.layout.article_outline import is_outline
from kerasviz.figures.layout.context import FigureContext, channel_target
from kerasviz.figures.layout.photo_views import DIGITS
from kerasviz.figures.layout.tables import Table
from kerasviz.figures.layout.tiles import GradientTile, OptimizedTile, TileRow
from kerasviz.figures.layout.tuned_units import curves_preferred, found_units, measured
from kerasviz.figures.tuning.places import place_of
from kerasviz.io.digits import rounded
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array

#: Units of the earlier layer that are set to 0: at most, and the share of the layer.
SILENCED = 10
SHARE = 8
#: Responses around the circle.
ANGLES = 72
#: Colours of the curves: of the network as it is, without its inputs, and without others.
COLOURS = ((40, 40, 44), (202, 0, 32), (110, 160, 200))


@dataclass(frozen=True, eq=False)
class AblatedCurves:
    """Hold tuning curves of a unit: [N] as it is, without its inputs, and without other units."""

    silenced: tuple[int, ...]
    before: Array
    after: Array
    control: Array


def ablated_curves(
    net: Network, source: str, place: Place, sweep: Sweep, unit: int, row: int, seed: int = 0
) -> AblatedCurves:
    """Measure a unit's curve with units of an earlier layer set to 0.

    They are those with the largest expanded weights to it, up to 10 or an eighth of the layer. As
    many others, drawn at random, are the control.

    Args:
        net: The network.
        source: The earlier layer.
        place: Where the unit is recorded.
        sweep: The stimuli.
        unit: The number of the unit.
        row: The row of the sweep.
        seed: Draws the units of the control.

    Raises:
        UsageError: If nothing leads from the earlier layer to the unit.
    """
    channels = net.taps[source].channels or 0
    count = min(SILENCED, max(1, channels // SHARE))
    chosen = connections(net, source, place.tap, [unit]).partners(unit, count)
    rest = [n for n in range(channels) if n not in chosen]
    others = np.random.default_rng((seed, unit)).choice(rest, min(count, len(rest)), replace=False)
    curves = []
    for silenced in ((), chosen, [int(n) for n in others]):
        values = {source: dict.fromkeys(silenced, 0.0)} if len(silenced) else {}
        kernels = Kernels(edits=unit_edits(net, values)) if values else PLAIN
        recorder = Recorder(net, place.tap, place.aperture.size, kernels)
        curves.append(curve_along(recorder, place, sweep, row, ANGLES)[:, unit])
    return AblatedCurves(tuple(chosen), *curves)


def ablated(context: FigureContext) -> Table:
    """Lay out curve detectors, each beside its tuning curves."""
    net, name = context.options.net, context.figure.places[0].layer
    if is_outline(net):
        raise UsageError("curves are measured; count the figure with --model NAME")
    tap, units = context.taps[name], context.units[name].units
    earlier = [t for t in main_layers(net) if is_before(net, t, tap)]
    if not earlier:
        raise UsageError(
            f"{net.name}: no main layer is before {tap}, so it has no inputs to silence"
        )
    if context.by_rule:
        units = found_units(context, tap, "curve", curves_preferred)
    source = earlier[-1]
    own = net.focused([tap])
    heat, _ = measured(own, tap, "curve")
    place = place_of(own, tap, positions_of(own, tap, usual_size(own)).centre)
    sweep = sweep_of("curve", place.aperture, Look(channels=net.channels))
    rows = []
    for unit in units[: 2 if context.options.quick else None]:
        row = int(heat[..., unit.number].max(1).argmax())
        found = ablated_curves(own, source, place, sweep, unit.number, row, context.options.seed)
        rows.append(_row(context, tap, unit.number, found))
    count = len(found.silenced)
    notes = [
        f"Units: of {tap}, those whose largest response is to a curve, strongest first."
        if context.by_rule
        else f"Units: {context.figure.source}.",
        f"Inputs: the {count} units of {source} with the largest expanded weights to the unit, set "
        f"to 0; control: {count} of the others, drawn at random. Curves are those of the best "
        f"radius, {ANGLES} directions, before a ReLU.",
    ]
    return tuple(rows), (), (), notes


def _row(context: FigureContext, tap: str, unit: int, found: AblatedCurves) -> TileRow:
    target = channel_target(tap, unit)
    request = context.request(target)
    curves = [found.before, found.after, found.control]
    names = ("as it is", "without its inputs", "without as many other units")
    numbers = (
        tuple(f"{degrees}°" for degrees in range(0, 361, 90)),
        tuple(
            (name, colour, tuple(rounded(n, DIGITS) for n in [*curve, curve[0]]))
            for name, colour, curve in zip(names, COLOURS, curves, strict=True)
        ),
    )
    peaks = [float(curve.max()) for curve in curves]
    label = f"Largest response {peaks[0]:.3g}; {peaks[1]:.3g} {names[1]}, {peaks[2]:.3g} {names[2]}"
    plot = GradientTile(
        f"{context.figure.slug}-{unit}",
        f"responses of {target.text} by direction",
        "lines",
        (),
        (1, 1),
        numbers=numbers,
        label=label,
    )
    return TileRow("", (tap,), (OptimizedTile(request, request.recipe.steps, target.text), plot))
