"""Steps of the transforms of signals: each changes them along their axes, or their strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.types import Array, Tensor

#: The number of equally likely values of a draw, an odd one: the middle one changes nothing.
VALUES = 257
#: The axes of positions, at most.
AXES = 3
#: The words for axes in space; others, such as time and frame, are moments.
SPACES = ("space", "depth", "height", "width")
#: The middle of the range of numbers, about which signals are made stronger or weaker.
MIDDLE = 0.5


@dataclass(frozen=True)
class Roll:
    """Move signals along each axis at random, in a circle: what leaves at one end enters the other.

    Along axes of time by up to ``share`` of their length, along those of space by up to ``pixels``,
    or an eighth of shorter ones.
    """

    share: float = 0.05
    pixels: int = 8
    kind: ClassVar[str] = "roll"
    choices: ClassVar[tuple[int, ...]] = (VALUES,) * AXES

    def __post_init__(self) -> None:
        _check_share(self.kind, self.share)
        if not isinstance(self.pixels, int) or self.pixels < 0:
            raise UsageError(f"roll {self.pixels!r}; expected a whole number of pixels, 0 or more")

    def reach(self, axis: str, length: int) -> int:
        """Return how far an axis of a length moves at most.

        >>> Roll().reach("time", 1000), Roll().reach("height", 64), Roll().reach("width", 8)
        (50, 8, 1)
        """
        if axis in SPACES:
            return min(self.pixels, length // 8)
        return int(self.share * length)

    def apply(self, signals: Tensor, picks: Sequence[Tensor], axes: Sequence[str]) -> Tensor:
        """Move signals [B, *lengths, C], each by its own draws."""
        offsets = []
        for axis, length, pick in zip(axes, signals.shape[1:-1], picks, strict=False):
            reach = self.reach(axis, length)
            moves = [round(reach * part) for part in _parts()]
            offsets.append(tf.gather(tf.constant(moves, tf.int32), tf.cast(pick, tf.int32)))
        moved, along = tf.stack(offsets, axis=-1), list(range(len(offsets)))
        rows = zip(tf.unstack(signals), tf.unstack(moved), strict=True)
        return tf.stack([tf.roll(row, offset, along) for row, offset in rows])


@dataclass(frozen=True)
class Stretch:
    """Stretch or squeeze signals along their axes of time by a factor of up to 1 + ``share``.

    The middle stays. Numbers in between are interpolated, those beyond an end are from the other.
    """

    share: float = 0.03
    kind: ClassVar[str] = "stretch"
    choices: ClassVar[tuple[int, ...]] = (VALUES,)

    def __post_init__(self) -> None:
        _check_share(self.kind, self.share)

    def apply(self, signals: Tensor, picks: Sequence[Tensor], axes: Sequence[str]) -> Tensor:
        """Stretch signals [B, *lengths, C], each by its own draw."""
        for place, axis in enumerate(axes):
            if axis in SPACES:
                continue
            length = signals.shape[1 + place]
            below, part = _resampling(length, self.share)
            pick = tf.unstack(tf.cast(picks[0], tf.int32))
            rows = [
                _between(row, tf.gather(below, k), tf.gather(part, k), place)
                for row, k in zip(tf.unstack(signals), pick, strict=True)
            ]
            signals = tf.stack(rows)
        return signals


@dataclass(frozen=True)
class Gain:
    """Make signals stronger or weaker, by a factor of up to 1 + ``share``, about the middle."""

    share: float = 0.1
    kind: ClassVar[str] = "gain"
    choices: ClassVar[tuple[int, ...]] = (VALUES,)

    def __post_init__(self) -> None:
        _check_share(self.kind, self.share)

    def apply(self, signals: Tensor, picks: Sequence[Tensor], axes: Sequence[str]) -> Tensor:
        """Multiply signals [B, *lengths, C], each by its own draw."""
        table = tf.constant([1 + self.share * part for part in _parts()], tf.float32)
        factors = tf.gather(table, tf.cast(picks[0], tf.int32))
        factors = tf.reshape(factors, [-1, *[1] * (signals.shape.rank - 1)])
        return MIDDLE + factors * (signals - MIDDLE)


AxisStep = Roll | Stretch | Gain
AXIS_STEPS: tuple[Any, ...] = (Roll, Stretch, Gain)


def _check_share(kind: str, share: Any) -> None:
    if not isinstance(share, int | float) or not 0 <= share < 1 or not math.isfinite(share):
        raise UsageError(f"{kind} {share!r}; expected a share from 0 up to 1, as 0.05")


def _parts() -> list[float]:
    """Return the values of a draw, from -1 to 1."""
    return [2 * k / (VALUES - 1) - 1 for k in range(VALUES)]


@lru_cache(maxsize=64)
def _tables(length: int, share: float) -> tuple[Array, Array]:
    """Return, for each value of a draw, the index below each place and the part above it."""
    middle = (length - 1) / 2
    factors = 1 + share * np.array(_parts())[:, None]
    at = (middle + (np.arange(length) - middle) / factors) % length
    below = np.floor(at)
    return (below % length).astype(np.int32), (at - below).astype(np.float32)


def _resampling(length: int, share: float) -> tuple[Tensor, Tensor]:
    below, part = _tables(length, share)
    return tf.constant(below), tf.constant(part)


def _between(row: Tensor, below: Tensor, part: Tensor, axis: int) -> Tensor:
    """Interpolate a signal [*lengths, C] along an axis, in a circle."""
    length = row.shape[axis]
    part = tf.reshape(part, [-1, *[1] * (row.shape.rank - axis - 1)])
    lower = tf.gather(row, below, axis=axis)
    upper = tf.gather(row, (below + 1) % length, axis=axis)
    return lower + part * (upper - lower)
