"""Measure how units respond to stimuli: tuning curves, heat maps and preferred directions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.analysis.stimuli import Aperture
from kerasviz.analysis.sweeps import StimulusAxis, Sweep
from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.types import Array, Size

#: Images that are computed at once.
AT_ONCE = 32
#: Responses around the circle.
ANGLES = 360


@dataclass(frozen=True)
class Place:
    """Say where units are recorded, and where what they see is in the image.

    Args:
        tap: The name of the layer.
        index: The position in it: (y, x), or (token,).
        aperture: The part of the image in which stimuli are.
        stride: How far apart, in pixels, neighbouring positions are: (down, right).
    """

    tap: str
    index: tuple[int, ...]
    aperture: Aperture
    stride: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Tuning:
    """Hold the responses of a unit to stimuli of one kind.

    Args:
        tap: The name of the layer.
        unit: The number of the unit.
        kind: The kind of the stimuli.
        across: The axis of the columns of the heat map.
        down: That of its rows.
        heat: [rows, columns] The responses, before a ReLU where the layer is one.
        row: The number of the row with the largest response.
        fine: The axis of the tuning curve.
        curve: [N] The responses along the row.
    """

    tap: str
    unit: int
    kind: str
    across: StimulusAxis
    down: StimulusAxis
    heat: Array
    row: int
    fine: StimulusAxis
    curve: Array

    @property
    def name(self) -> str:
        """The unit as a target, ``TAP:UNIT``."""
        return f"{self.tap}:{self.unit}"

    @property
    def preferred(self) -> float:
        """The value of the axis at which the curve is largest."""
        return self.fine.values[int(np.argmax(self.curve))]

    @property
    def maximum(self) -> float:
        """The largest response of the curve."""
        return float(self.curve.max())

    @property
    def half_width(self) -> float | None:
        """How far from the preferred value the response falls to half of the largest one.

        The mean of both sides; ``None`` if it never falls, or the unit is not excited.
        """
        return half_width(self.fine, self.curve)

    @property
    def flatness(self) -> float:
        """The spread of the curve as a share of its largest absolute value; 0 is flat."""
        most = float(np.abs(self.curve).max())
        return float(np.ptp(self.curve)) / most if most else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data; the infinite radius of a line is ``None``."""
        width = self.half_width
        return {
            "tap": self.tap,
            "unit": self.unit,
            "kind": self.kind,
            "preferred": rounded(self.preferred),
            "maximum": rounded(self.maximum),
            "half_width": None if width is None else rounded(width),
            "flatness": rounded(self.flatness),
            "row": self.row,
            "across": _axis_json(self.across),
            "down": _axis_json(self.down),
            "heat": [[rounded(value) for value in row] for row in self.heat],
            "fine": _axis_json(self.fine),
            "curve": [rounded(value) for value in self.curve],
        }


class Recorder:
    """Record all units of a layer at a place, for many images.

    They are recorded before a ReLU, so that what a unit dislikes can be told apart.

    Args:
        net: The network.
        tap: The name of the layer.
        size: The (height, width) of the images.
        kernels: How the network computes, with the edits of an ablation.
    """

    def __init__(self, net: Network, tap: str, size: Size, kernels: Kernels = PLAIN):
        about = net.taps[tap]
        self.tap, self.name = tap, about.pre_relu or about.name
        self.net = net = net.focused([self.name])
        signature = [
            tf.TensorSpec((AT_ONCE, *size, net.channels), tf.float32),
            tf.TensorSpec((None,), tf.int32),
        ]

        @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
        def recorded(batch: Any, index: Any) -> Any:
            values = tf.cast(
                net.activations(batch, [self.name], kernels=kernels)[self.name], tf.float32
            )
            points = tf.broadcast_to(index, [AT_ONCE, tf.size(index)])
            return tf.gather_nd(values, points, batch_dims=1)

        self._recorded = recorded

    def responses(self, index: Sequence[int], images: Iterable[Array]) -> Array:
        """Return all units at a position for images [H, W, C] in [0, 1]: [images, units]."""
        remaining, parts = iter(images), []
        while chunk := list(islice(remaining, AT_ONCE)):
            full = list(islice(chain(chunk, repeat(chunk[-1])), AT_ONCE))
            found = self._recorded(np.stack(full), np.array(index, np.int32))
            parts.append(found.numpy()[: len(chunk)])
        whole: Array = np.concatenate(parts)
        return whole

    def check(self, unit: int) -> None:
        """Raise :class:`UsageError` for a unit that the layer does not have."""
        count = self.net.taps[self.name].channels
        if count is not None and not 0 <= unit < count:
            raise UsageError(
                f"{self.net.name}: {self.tap} has the units 0 to {count - 1}, given {unit}"
            )


def tune(
    recorder: Recorder, place: Place, sweep: Sweep, units: Sequence[int], angles: int = ANGLES
) -> list[Tuning]:
    """Measure the responses of units to a sweep, coarsely all of it, then finely the best rows.

    Args:
        recorder: What records the layer.
        place: Where the units are recorded.
        sweep: The stimuli.
        units: The numbers of units of the layer.
        angles: The number of responses around the circle.

    Raises:
        UsageError: For a unit that the layer does not have.

    Example:
        >>> from kerasviz.analysis.sweeps import Look, sweep_of
        >>> aperture = Aperture((16, 16), (7.5, 7.5), 4.0)
        >>> sweep = sweep_of("line", aperture, Look())
        >>> recorder = Recorder(net, "block3b", aperture.size)
        >>> place = Place("block3b", (3, 3), aperture)
        >>> (found,) = tune(recorder, place, sweep, [2], angles=72)
        >>> found.heat.shape, found.curve.shape
        ((5, 36), (72,))
    """
    return refine(recorder, place, sweep, heat_maps(recorder, place, sweep), units, angles)


def heat_maps(recorder: Recorder, place: Place, sweep: Sweep) -> Array:
    """Measure the responses of all units of a layer to a sweep, [rows, columns, units]."""
    return _swept(recorder, place, sweep, sweep.across, sweep.down.values)


def curve_along(
    recorder: Recorder, place: Place, sweep: Sweep, row: int, angles: int = ANGLES
) -> Array:
    """Measure the curves of all units of a layer along one row of a sweep, [N, units]."""
    fine = sweep.across.finer(angles)
    found: Array = _swept(recorder, place, sweep, fine, [sweep.down.values[row]])[0]
    return found


def refine(
    recorder: Recorder,
    place: Place,
    sweep: Sweep,
    coarse: Array,
    units: Sequence[int],
    angles: int,
) -> list[Tuning]:
    """Measure the curves of units finely, each along the row of its largest response.

    ``coarse`` are the heat maps of all units, [rows, columns, units].
    """
    for unit in units:
        recorder.check(unit)
    best = {unit: int(np.argmax(coarse[..., unit].max(1))) for unit in units}
    fine = sweep.across.finer(angles)
    rows = sorted(set(best.values()))
    if fine is sweep.across:
        curves = dict(zip(rows, coarse[rows], strict=True))
    else:
        found = _swept(recorder, place, sweep, fine, [sweep.down.values[row] for row in rows])
        curves = dict(zip(rows, found, strict=True))
    return [
        Tuning(
            tap=place.tap,
            unit=unit,
            kind=sweep.kind,
            across=sweep.across,
            down=sweep.down,
            heat=coarse[..., unit],
            row=best[unit],
            fine=fine,
            curve=curves[best[unit]][:, unit],
        )
        for unit in units
    ]


def _swept(
    recorder: Recorder, place: Place, sweep: Sweep, across: StimulusAxis, down: Sequence[float]
) -> Array:
    """Return the largest responses over phases, [rows, columns, units]."""
    found = recorder.responses(place.index, sweep.images(across, down))
    shape = (len(down), len(across.values), sweep.variants, found.shape[-1])
    largest: Array = found.reshape(shape).max(2)
    return largest


def half_width(axis: StimulusAxis, curve: Array) -> float | None:
    """Return how far from its peak a curve falls to half, the mean of both sides.

    Lines are drawn between its points. ``None`` where it does not fall to half on a side, or is
    nowhere above 0.

    >>> axis = StimulusAxis("direction", "degrees", tuple(range(0, 360, 60)), 360.0)
    >>> half_width(axis, np.array([4.0, 3.0, 1.0, 0.0, 0.0, 1.0]))
    65.0
    """
    peak, values = int(np.argmax(curve)), np.array(axis.values)
    if curve[peak] <= 0:
        return None
    widths = []
    for step in (1, -1):
        if axis.period is None:
            side = curve[peak:] if step > 0 else curve[peak::-1]
            places = np.abs((values[peak:] if step > 0 else values[peak::-1]) - values[peak])
        else:
            side = np.roll(curve[::step], -(peak if step > 0 else len(curve) - 1 - peak))
            places = np.arange(len(side)) * axis.period / len(side)
        below = np.flatnonzero(side < curve[peak] / 2)
        if not len(below):
            return None
        after = int(below[0])
        pair = slice(after - 1, after + 1)
        widths.append(np.interp(-curve[peak] / 2, -side[pair], places[pair]))
    return float(np.mean(widths))


def _axis_json(axis: StimulusAxis) -> dict[str, Any]:
    values = [rounded(value) if np.isfinite(value) else None for value in axis.values]
    return {"name": axis.name, "unit": axis.unit, "period": axis.period, "values": values}
