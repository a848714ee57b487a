"""Layouts of units that are found by their responses to stimuli, in the order of directions."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np

from kerasviz.analysis.sweeps import Look, sweep_of
from kerasviz.analysis.tuning import Recorder, heat_maps
from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.figure import Unit
from kerasviz.figures.layout.context import FigureContext, channel_target
from kerasviz.figures.layout.tables import Table
from kerasviz.figures.layout.tiles import OptimizedTile, TileRow
from kerasviz.figures.tuning.places import place_of
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array

#: The row of boundaries from which on two wavelengths are clearly different.
DIFFERENT = 4
#: The least preference for a shape, as a share of the largest response.
PREFERENCE = 0.5


def curves_preferred(heat: Array) -> Array:
    """Return how much more units respond to a curve than to others, [units], from -1 to 1.

    The others are a straight line, and the curve that bulges to the other side; ``heat`` are
    responses to curves, [radii, directions, units], the last radius infinite.

    >>> heat = np.zeros((3, 4, 2))
    >>> heat[0, 1, 0], heat[2, :, 1] = 1.0, 1.0
    >>> curves_preferred(heat)
    array([ 1., -1.])
    """
    return _preferred(heat[:-1], heat[-1])


def boundaries_preferred(heat: Array) -> Array:
    """Return how much more units respond to a boundary of two wavelengths than to others, [units].

    The others are stripes of one wavelength, and the boundary with its sides exchanged; ``heat``
    are responses, [ratios, directions, units], the first ratio 1.
    """
    return _preferred(heat[DIFFERENT:], heat[0])


def _preferred(wanted: Array, plain: Array) -> Array:
    flat = wanted.reshape(-1, wanted.shape[-1])
    most = flat.max(0)
    rows, columns = np.unravel_index(flat.argmax(0), wanted.shape[:2])
    units = np.arange(wanted.shape[-1])
    opposite = wanted[rows, (columns + wanted.shape[1] // 2) % wanted.shape[1], units]
    others = np.maximum(np.maximum(plain.max(0), opposite), 0)
    scale = np.maximum(np.maximum(most, others), 1e-12)
    return np.asarray((np.maximum(most, 0) - others) / scale)


def _by_directions(preferred: Callable[[Array], Array]) -> Callable[..., Table]:
    """Make the layout of units that prefer a kind of stimuli."""

    def build(context: FigureContext) -> Table:
        name = context.figure.places[0].layer
        tap, found = context.taps[name], context.units[name]
        notes: list[str] = []
        units = found.units
        if context.by_rule:
            kind = context.figure.stimuli
            units = found_units(context, tap, kind, preferred)
            least = f"{PREFERENCE:.0%}"
            notes = [
                f"Units: of {tap}, those whose largest response is to a {kind}, at least {least} "
                "above that to all others, strongest first, then in the order of directions."
            ]
        tiles = []
        for unit in units:
            target = channel_target(tap, unit.number)
            request = context.request(target)
            tiles.append(OptimizedTile(request, request.recipe.steps, target.text, unit.label))
        return (TileRow("", (tap,), tuple(tiles)),), (), (), notes

    return build


def found_units(
    context: FigureContext, tap: str, kind: str, preferred: Callable[[Array], Array]
) -> tuple[Unit, ...]:
    """Find the units of a tap that prefer a kind of stimuli, in the order of their directions.

    Raises :class:`UsageError` where the tap has none.
    """
    net = context.options.net.focused([tap])
    heat, across = measured(net, tap, kind)
    score = preferred(heat)
    most = heat.max((0, 1))
    count = context.figure.places[0].tiles
    good = [int(n) for n in np.flatnonzero((score >= PREFERENCE) & (most > 0))]
    if not good:
        raise UsageError(f"{net.name}: no unit of {tap} responds more to a {kind} than to others")
    chosen = sorted(good, key=lambda unit: (-most[unit], unit))[:count]
    best = {unit: across[int(heat[..., unit].max(0).argmax())] for unit in chosen}
    return tuple(Unit(n, f"{best[n]:g}°") for n in sorted(chosen, key=lambda n: (best[n], n)))


def measured(net: Network, tap: str, kind: str) -> tuple[Array, tuple[float, ...]]:
    """Return the responses of all units of a tap, and the directions; they are measured once."""
    known = _heat.setdefault(net, {})
    if (tap, kind) not in known:
        place = place_of(net, tap, positions_of(net, tap, usual_size(net)).centre)
        sweep = sweep_of(kind, place.aperture, Look(channels=net.channels))
        recorder = Recorder(net, tap, place.aperture.size)
        known[tap, kind] = (heat_maps(recorder, place, sweep), sweep.across.values)
    return known[tap, kind]


_heat: WeakKeyDictionary[Network, dict[tuple[str, str], tuple[Array, tuple[float, ...]]]]
_heat = WeakKeyDictionary()

#: The layouts by the slug of the figure.
TUNED = {
    "curve-detectors": _by_directions(curves_preferred),
    "high-low-frequency": _by_directions(boundaries_preferred),
}
