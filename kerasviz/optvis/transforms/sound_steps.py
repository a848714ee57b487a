"""Steps of a transform for sounds: images [B, 1, T, C] in which 0.5 is silence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.types import Tensor

#: The number of equally likely values of a loudness or a speed.
LEVELS = 257
#: The stream of the numbers of noise, far from those of images, transforms and photos.
STREAM = 3 << 20
#: The value of silence.
SILENCE = 0.5


class SoundRows(NamedTuple):
    """The seeds [R] and step numbers [R] of sounds, and their samples per second."""

    seeds: Tensor
    steps: Tensor
    rate: int


def _check_number(what: str, value: Any, low: float, high: float, example: str) -> None:
    if not isinstance(value, int | float) or not low <= value < high:
        raise UsageError(f"{what} {value!r}; expected {example}")


def _spread(pick: Tensor, most: float) -> Tensor:
    """Return one of ``LEVELS`` evenly spaced numbers from -most to most, [R, 1, 1, 1]."""
    return tf.reshape((pick / ((LEVELS - 1) / 2) - 1) * most, [-1, 1, 1, 1])


@dataclass(frozen=True)
class Shift:
    """Play a sound in a circle from a moment up to ``seconds`` before or after its start."""

    seconds: float = 0.05
    kind: ClassVar[str] = "shift"
    choices: ClassVar[tuple[int, ...]] = (LEVELS,)

    def __post_init__(self) -> None:
        _check_number(self.kind, self.seconds, 0, math.inf, "a number of seconds, such as 0.05")

    def apply(self, sounds: Tensor, picks: Sequence[Tensor], rows: SoundRows) -> Tensor:
        """Move the samples of sounds [R, 1, T, C] in a circle."""
        length = sounds.shape[2]
        moves = tf.cast(tf.round(_spread(picks[0], self.seconds * rows.rate)), tf.int32)
        starts = tf.math.floormod(tf.reshape(moves, [-1]), length)
        twice = tf.concat([sounds, sounds], axis=2)
        moved = [
            tf.slice(sound, [0, start, 0], sounds.shape[1:])
            for sound, start in zip(tf.unstack(twice), tf.unstack(starts), strict=True)
        ]
        return tf.stack(moved)


@dataclass(frozen=True)
class Loudness:
    """Make a sound louder or softer by up to ``decibels``."""

    decibels: float = 6.0
    kind: ClassVar[str] = "loudness"
    choices: ClassVar[tuple[int, ...]] = (LEVELS,)

    def __post_init__(self) -> None:
        _check_number(self.kind, self.decibels, 0, 100, "decibels from 0 to 100, such as 6")

    def apply(self, sounds: Tensor, picks: Sequence[Tensor], rows: SoundRows) -> Tensor:
        """Multiply sounds [R, 1, T, C]."""
        factor = tf.exp(_spread(picks[0], self.decibels) * (math.log(10) / 20))
        return SILENCE + (sounds - SILENCE) * factor


@dataclass(frozen=True)
class WhiteNoise:
    """Add white noise, new in every step, of ``decibels`` beside the sound."""

    decibels: float = -40.0
    kind: ClassVar[str] = "white-noise"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        _check_number(self.kind, self.decibels, -200, 100, "decibels beside the sound, such as -40")

    def apply(self, sounds: Tensor, picks: Sequence[Tensor], rows: SoundRows) -> Tensor:
        """Add noise to sounds [R, 1, T, C]."""
        power = tf.reduce_mean(tf.square(sounds - SILENCE), [1, 2, 3], keepdims=True)
        size = tf.stop_gradient(tf.sqrt(power)) * 10 ** (self.decibels / 20)
        return sounds + size * randomness.normal(rows.seeds, sounds.shape[1:], STREAM, rows.steps)


@dataclass(frozen=True)
class Speed:
    """Play a sound faster or slower about its middle, by up to ``share`` of the speed.

    The samples are interpolated linearly, and the sound continues in a circle.
    """

    share: float = 0.03
    kind: ClassVar[str] = "speed"
    choices: ClassVar[tuple[int, ...]] = (LEVELS,)

    def __post_init__(self) -> None:
        _check_number(self.kind, self.share, 0, 1, "a share of the speed from 0 to 1, such as 0.03")

    def apply(self, sounds: Tensor, picks: Sequence[Tensor], rows: SoundRows) -> Tensor:
        """Resample sounds [R, 1, T, C]."""
        length = sounds.shape[2]
        middle = (length - 1) / 2
        speed = 1 + _spread(picks[0], self.share)[:, :, 0, 0]
        places = middle + speed * (tf.range(length, dtype=tf.float32) - middle)
        before = tf.floor(places)
        after_share = (places - before)[:, None, :, None]
        first = tf.math.floormod(tf.cast(before, tf.int32), length)
        second = tf.math.floormod(first + 1, length)
        flat = sounds[:, 0]
        here, there = (tf.gather(flat, at, batch_dims=1)[:, None] for at in (first, second))
        return here + after_share * (there - here)


@dataclass(frozen=True)
class Polarity:
    """Turn a sound upside down or not, which sounds the same."""

    kind: ClassVar[str] = "polarity"
    choices: ClassVar[tuple[int, ...]] = (2,)

    def apply(self, sounds: Tensor, picks: Sequence[Tensor], rows: SoundRows) -> Tensor:
        """Multiply sounds [R, 1, T, C] by 1 or -1."""
        sign = tf.reshape(2 * picks[0] - 1, [-1, 1, 1, 1])
        return SILENCE + (sounds - SILENCE) * sign


SoundStep = Shift | Loudness | WhiteNoise | Speed | Polarity
SOUND_KINDS = (Shift, Loudness, WhiteNoise, Speed, Polarity)
