"""Measure units together on photos that are turned about what one of them responds to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasviz.analysis.sweeps import TURN
from kerasviz.analysis.tuning import AT_ONCE, Place, Recorder
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.network.positions import Positions, positions_of
from kerasviz.types import Array

#: The grey beside a photo that was turned, 0 to 255.
GREY = 128


@dataclass(frozen=True, eq=False)
class JointTuning:
    """Hold the responses of several units to the photos of one of them, turned all around.

    Args:
        tap: The name of the layer.
        unit: The unit whose strongest photos were turned.
        units: The units that were recorded.
        degrees: [N] How far the photos were turned to the left, from where ``unit`` is largest.
        curves: [units, N] The means over the photos, before a ReLU.
        photos: The numbers of the photos, strongest first.
    """

    tap: str
    unit: int
    units: tuple[int, ...]
    degrees: Array
    curves: Array
    photos: tuple[int, ...]

    @property
    def preferred(self) -> tuple[float, ...]:
        """How far the photos have to be turned for each unit, from where the first is largest."""
        return tuple(float(self.degrees[int(np.argmax(curve))]) for curve in self.curves)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {
            "tap": self.tap,
            "unit": self.unit,
            "units": list(self.units),
            "preferred": list(self.preferred),
            "photos": list(self.photos),
            "degrees": [rounded(value) for value in self.degrees],
            "curves": [[rounded(value) for value in curve] for curve in self.curves],
        }


def joint_tuning(
    net: Network,
    place: Place,
    units: Sequence[int],
    photos: Sequence[Array],
    *,
    count: int = 8,
    turns: int = 72,
) -> list[JointTuning]:
    """Turn the strongest photos of each unit about it, and record all units there.

    Photos are shown in the same disc as stimuli, so that no corner tells how far one was turned.

    Args:
        net: The network.
        place: Where stimuli are; photos are turned about other positions, in discs of its size.
        units: The numbers of units of the layer.
        photos: Photos [H, W, C] in [0, 1] of the size of the place.
        count: The number of strongest photos of each unit.
        turns: The number of responses around the circle.

    Raises:
        UsageError: For a unit that the layer does not have.

    Example:
        >>> from kerasviz.analysis.stimuli import Aperture
        >>> aperture = Aperture((16, 16), (7.5, 7.5), 4.0)
        >>> photos = np.random.default_rng(0).uniform(0, 1, (3, 16, 16, 3)).astype(np.float32)
        >>> place = Place("block3b", (6, 6), aperture)
        >>> first, second = joint_tuning(net, place, [2, 5], photos, count=2, turns=8)
        >>> first.curves.shape, first.preferred[0]
        ((2, 8), 0.0)
    """
    recorder = Recorder(net, place.tap, place.aperture.size)
    for unit in units:
        recorder.check(unit)
    positions = positions_of(net, place.tap, place.aperture.size)
    values, points = _strongest(recorder, positions, photos, units)
    found = []
    for column, unit in enumerate(units):
        order = np.argsort(-values[:, column], kind="stable")[:count]
        total = np.zeros((turns, len(units)))
        for number in order:
            point = int(points[number, column])
            there = _moved(place, positions, point)
            images = turned(photos[int(number)], there, turns)
            curves = recorder.responses(there.index, images)[:, units].astype(np.float64)
            total += np.roll(curves, -int(np.argmax(curves[:, column])), axis=0)
        found.append(
            JointTuning(
                tap=place.tap,
                unit=unit,
                units=tuple(units),
                degrees=np.arange(turns) * TURN / turns,
                curves=(total / len(order)).T,
                photos=tuple(int(n) for n in order),
            )
        )
    return found


def turned(photo: Array, place: Place, turns: int) -> Iterator[Array]:
    """Yield a photo [H, W, C] in [0, 1], turned to the left about the centre of a place."""
    levels = np.rint(np.asarray(photo) * 255).astype(np.uint8)
    grey = levels.shape[-1] == 1
    image = Image.fromarray(levels[..., 0] if grey else levels)
    y, x = place.aperture.centre
    for k in range(turns):
        shown = image.rotate(
            TURN * k / turns,
            Image.Resampling.BICUBIC,
            center=(x + 0.5, y + 0.5),
            fillcolor=GREY if grey else (GREY,) * 3,
        )
        pixels = np.asarray(shown, np.float32) / 255
        pixels = pixels[..., None] if grey else pixels
        yield place.aperture.faded(pixels[place.aperture.window])


def _strongest(
    recorder: Recorder, positions: Positions, photos: Sequence[Array], units: Sequence[int]
) -> tuple[Array, Array]:
    """Return the largest value of units in photos and its position on the map, [photos, units].

    Positions in the outer quarters are left out: what a unit sees there is partly outside.
    """
    net, name = recorder.net, recorder.name
    height, width = positions.map or (1, 1)
    inner = np.zeros((height, width), bool)
    inner[height // 4 : height - height // 4, width // 4 : width - width // 4] = True

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def largest(batch: Any) -> Any:
        maps = positions.on_map(net.activations(batch, [name])[name])
        flat = tf.reshape(tf.gather(maps, units, axis=-1), [AT_ONCE, height * width, len(units)])
        flat = tf.where(inner.reshape(-1, 1), tf.cast(flat, tf.float32), -np.inf)
        return tf.reduce_max(flat, 1), tf.argmax(flat, 1)

    values: list[Array] = []
    points: list[Array] = []
    for first in range(0, len(photos), AT_ONCE):
        chunk = [photos[n] for n in range(first, min(first + AT_ONCE, len(photos)))]
        full = np.stack([*chunk, *[chunk[-1]] * (AT_ONCE - len(chunk))]).astype(np.float32)
        for kept, part in zip((values, points), largest(full), strict=True):
            kept.append(part.numpy()[: len(chunk)])
    return np.concatenate(values), np.concatenate(points)


def _moved(place: Place, positions: Positions, point: int) -> Place:
    """Return a place at another position of the map, counted row by row."""
    rows, columns = positions.map or (1, 1)
    here = positions.place(_number(place.index, positions)) or (rows // 2, columns // 2)
    y, x = divmod(point, columns)
    centre = (
        place.aperture.centre[0] + (y - here[0]) * place.stride[0],
        place.aperture.centre[1] + (x - here[1]) * place.stride[1],
    )
    index = (y, x) if len(positions.extent) == 2 else (positions.special + point,)
    return replace(place, index=index, aperture=replace(place.aperture, centre=centre))


def _number(index: Sequence[int], positions: Positions) -> int:
    """Return the number of a position, counted in order."""
    return index[0] if len(index) == 1 else index[0] * (positions.extent[1] or 1) + index[1]
