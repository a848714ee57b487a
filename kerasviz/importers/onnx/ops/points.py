"""Read entries of images at computed positions, for grid sampling and regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any

import tensorflow as tf

from kerasviz.types import Tensor

#: A scalar tensor.
Length = Any


@dataclass(frozen=True)
class SamplePoint:
    """Hold one entry along an axis for every point, and its weight; ``None`` means 1."""

    index: Tensor
    weight: Tensor | None = None


class Field:
    """Read images [N, ..., C] at points; ``groups`` of channels have points of their own."""

    def __init__(self, x: Tensor, groups: int = 1):
        shape = tf.shape(x)
        self.lengths = [shape[k] for k in range(1, x.shape.rank - 1)]
        self.channels = x.shape[-1] // groups if x.shape[-1] is not None else shape[-1] // groups
        self.dtype = x.dtype
        self._groups = groups
        self._flat = tf.reshape(x, [-1, self.channels])

    def entries(
        self, image: Tensor, taps: Sequence[SamplePoint], group: Tensor | None = None
    ) -> Tensor:
        """Return the channels at one combination of taps, without weights."""
        place = image
        for tap, length in zip(taps, self.lengths, strict=True):
            place = place * length + tap.index
        if group is not None:
            place = place * self._groups + group
        return tf.gather(self._flat, place)

    def corners(
        self, image: Tensor, axes: Sequence[Sequence[SamplePoint]], group: Tensor | None = None
    ) -> list[Tensor]:
        """Return the weighted channels at all combinations of the taps of the axes."""
        found = []
        for taps in product(*axes):
            entry = self.entries(image, taps, group)
            weights = [tap.weight for tap in taps if tap.weight is not None]
            if weights:
                entry = entry * tf.expand_dims(reduce(lambda a, b: a * b, weights), -1)
            found.append(entry)
        return found

    def sampled(
        self, image: Tensor, axes: Sequence[Sequence[SamplePoint]], group: Tensor | None = None
    ) -> Tensor:
        """Return the sum of the weighted channels at all combinations of the taps of the axes."""
        return tf.add_n(self.corners(image, axes, group))


Padding = Callable[[Tensor, Tensor | None, Length], SamplePoint]


def _within(index: Tensor, length: Length) -> Tensor:
    """Return whole numbers as indices within the axis, even for NaN and numbers far outside."""
    last = tf.cast(length - 1, index.dtype)
    whole = tf.cast(tf.clip_by_value(index, tf.zeros_like(last), last), tf.int32)
    return tf.clip_by_value(whole, 0, length - 1)


def padding_of(mode: str, *, centred: bool) -> Padding:
    """Return the rule for entries outside: ``zeros``, ``border`` or ``reflection``.

    With ``centred`` the mirror is the centre of the first and last entry, else their outer edge.
    """

    def zeros(index: Tensor, weight: Tensor | None, length: Length) -> SamplePoint:
        inside = (index >= 0) & (index <= tf.cast(length - 1, index.dtype))
        given = tf.ones_like(index) if weight is None else weight
        return SamplePoint(_within(index, length), tf.where(inside, given, tf.zeros_like(given)))

    def border(index: Tensor, weight: Tensor | None, length: Length) -> SamplePoint:
        return SamplePoint(_within(index, length), weight)

    def reflection(index: Tensor, weight: Tensor | None, length: Length) -> SamplePoint:
        return SamplePoint(_within(reflected(index, length, centred=centred), length), weight)

    known = {"zeros": zeros, "border": border, "reflection": reflection}
    if mode not in known:
        raise ValueError(f"padding_mode {mode!r}; expected zeros, border or reflection")
    return known[mode]


def reflected(x: Tensor, length: Length, *, centred: bool) -> Tensor:
    """Mirror ``x`` at the ends of the axis until it lies within."""
    low = tf.constant(0.0 if centred else -0.5, x.dtype)
    high = tf.cast(length - 1, x.dtype) - low
    span = tf.maximum(high - low, tf.constant(1e-6, x.dtype))
    gap = tf.abs(x - low)
    turns = tf.floor(gap / span)
    rest = gap - turns * span
    return tf.where(tf.math.floormod(turns, 2) == 0, low + rest, high - rest)


def linear_taps(x: Tensor, length: Length, padding: Padding) -> list[SamplePoint]:
    """Return the two entries around ``x``."""
    below = tf.floor(x)
    rest = x - below
    return [padding(below, 1 - rest, length), padding(below + 1, rest, length)]


def cubic_taps(x: Tensor, length: Length, padding: Padding, a: float = -0.75) -> list[SamplePoint]:
    """Return the four entries around ``x``, weighted by Keys' cubic."""
    below = tf.floor(x)
    taps = []
    for step in range(-1, 3):
        d = tf.abs(x - (below + step))
        if step in (0, 1):
            weight = ((a + 2) * d - (a + 3)) * d * d + 1
        else:
            weight = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        taps.append(padding(below + step, weight, length))
    return taps
