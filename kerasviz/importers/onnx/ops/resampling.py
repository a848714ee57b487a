"""Interpolate along one axis: find the entries for every entry of the result, and their weights.

Positions are computed in single precision, as in onnxruntime: they decide which of two entries is
the nearest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.types import Tensor

#: A number, or a scalar tensor where only a run knows it.
Number = Any


@dataclass(frozen=True)
class Rule:
    """Describe how all axes are interpolated, in the terms of Resize's attributes."""

    mode: str
    nearest: str = "round_prefer_floor"
    transform: str = "half_pixel"
    antialias: bool = False
    coefficient: float = -0.75
    exclude_outside: bool = False
    extrapolation: float = 0.0


@dataclass(frozen=True)
class Axis:
    """Describe an axis of ``length`` entries that gets ``size``; ``start`` and ``end`` crop it."""

    length: Number
    size: Number
    scale: Number
    start: Number = 0.0
    end: Number = 1.0

    @property
    def is_known(self) -> bool:
        """Return whether no number depends on the data."""
        numbers = (self.length, self.size, self.scale, self.start, self.end)
        return not any(tf.is_tensor(n) for n in numbers)

    @property
    def may_be_kept(self) -> bool:
        """Return whether only a run knows its size."""
        return bool(tf.is_tensor(self.size) and (tf.is_tensor(self.scale) or self.scale == 1))

    @property
    def growth(self) -> float:
        """Return the known factor by which the axis grows."""
        return 1.0 if tf.is_tensor(self.scale) else float(self.scale)

    def is_kept(self, rule: Rule) -> bool:
        """Return whether the axis stays as it is."""
        if rule.transform == "tf_crop_and_resize":
            crop = (self.start, self.end)
            if any(tf.is_tensor(n) for n in crop) or crop != (0.0, 1.0):
                return False
        if tf.is_tensor(self.scale):
            return False
        return bool(self.scale == 1 and (tf.is_tensor(self.length) or self.size == self.length))


def _known(axis: Axis, make: Callable[[], Tensor]) -> Tensor:
    """Return the result of ``make``, as a constant where nothing depends on the data."""
    if not axis.is_known:
        return make()
    with tf.init_scope():
        made = make()
        return tf.constant(made.numpy()) if tf.executing_eagerly() else made


def _single(number: Number) -> Tensor:
    return tf.cast(number, tf.float32)


def _positions(rule: Rule, axis: Axis) -> Tensor:
    """Return the position of every entry of the result in the value."""
    length, size, scale = _single(axis.length), _single(axis.size), _single(axis.scale)
    at = tf.range(size)
    centred = (at + 0.5) / scale - 0.5
    if rule.transform == "half_pixel":
        return centred
    if rule.transform == "half_pixel_symmetric":
        return length / 2 * (1 - size / (scale * length)) + (at + 0.5) / scale - 0.5
    if rule.transform == "pytorch_half_pixel":
        return tf.where(size > 1, centred, 0.0)
    if rule.transform == "tf_half_pixel_for_nn":
        return (at + 0.5) / scale
    if rule.transform == "asymmetric":
        return at / scale
    gaps = tf.maximum(size - 1, 1.0)
    if rule.transform == "align_corners":
        return at * (length - 1) / gaps
    if rule.transform == "tf_crop_and_resize":
        start, end = _single(axis.start), _single(axis.end)
        inside = start * (length - 1) + at * (end - start) * (length - 1) / gaps
        return tf.where(size > 1, inside, 0.5 * (start + end) * (length - 1))
    raise ValueError(f"coordinate_transformation_mode {rule.transform!r} is unknown")


def outside(rule: Rule, axis: Axis) -> Tensor:
    """Return which entries of the result lie outside of the value."""

    def make() -> Tensor:
        x = _positions(rule, axis)
        return (x < 0) | (x > _single(axis.length) - 1)

    return _known(axis, make)


def places(rule: Rule, axis: Axis) -> Tensor:
    """Return the index of the nearest entry."""

    def make() -> Tensor:
        x = _positions(rule, axis)
        below = tf.floor(x)
        rest = x - below
        half = tf.abs(rest - 0.5) < 1e-6  # a half, up to rounding
        if rule.nearest == "round_prefer_floor":
            up = (rest > 0.5) & ~half
        elif rule.nearest == "round_prefer_ceil":
            up = (rest > 0.5) | half
        elif rule.nearest == "floor":
            up = rest < 0
        elif rule.nearest == "ceil":
            up = rest > 0
        elif rule.nearest == "simple":  # before opset 11
            up = (rest > 0) & (_single(axis.scale) < 1)
        else:
            raise ValueError(f"nearest_mode {rule.nearest!r} is unknown")
        nearest = tf.cast(below, tf.int64) + tf.cast(up, tf.int64)
        return tf.clip_by_value(nearest, 0, tf.cast(axis.length, tf.int64) - 1)

    return _known(axis, make)


def repeats(rule: Rule, axis: Axis) -> int:
    """Return how often every entry is repeated, 0 if the result is no plain repetition."""
    if tf.is_tensor(axis.scale) or axis.scale != int(axis.scale):
        return 0
    count = int(axis.scale)
    if axis.is_known:
        length, size = int(axis.length), int(axis.size)
    elif rule.transform in ("half_pixel", "half_pixel_symmetric", "asymmetric"):
        length, size = 5, 5 * count  # the pattern does not depend on the length
    else:
        return 0
    if size != length * count:
        return 0
    sample = Axis(length, size, axis.scale, axis.start, axis.end)
    same = np.array_equal(places(rule, sample), np.repeat(np.arange(length), count))
    return count if same else 0


def _kernel(rule: Rule, distance: Tensor) -> Tensor:
    if rule.mode == "linear":
        return tf.maximum(1 - distance, 0.0)
    a = rule.coefficient
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return tf.where(distance <= 1, near, tf.where(distance < 2, far, 0.0))


def matrix(rule: Rule, axis: Axis) -> Tensor:
    """Return the matrix [size, length] of interpolation weights; its rows sum to 1."""

    def make() -> Tensor:
        x = _positions(rule, axis)[:, None]
        last = _single(axis.length) - 1
        if rule.mode == "linear" and not rule.antialias:
            x = tf.clip_by_value(x, 0.0, last)
        stretch = tf.minimum(_single(axis.scale), 1.0) if rule.antialias else tf.constant(1.0)
        reach = tf.math.ceil((1.0 if rule.mode == "linear" else 2.0) / stretch)
        entries = tf.floor(x) + tf.range(1 - reach, reach + 1)
        weights = _kernel(rule, tf.abs(entries - x) * stretch)
        if rule.exclude_outside:
            weights = tf.where((entries < 0) | (entries > last), 0.0, weights)
        weights = weights / tf.reduce_sum(weights, 1, keepdims=True)
        index = tf.cast(tf.clip_by_value(entries, 0.0, last), tf.int32)
        ones = tf.one_hot(index, tf.cast(axis.length, tf.int32))
        return tf.reduce_sum(ones * weights[..., None], 1)

    return _known(axis, make)


def multiplied(x: Tensor, weights: Tensor, place: int) -> Tensor:
    """Multiply axis ``place`` of ``x`` by a matrix from the left."""
    weights = tf.cast(weights, x.dtype)
    shape, size = tf.shape(x), tf.shape(weights)[0]
    known = x.shape.as_list()
    if place == x.shape.rank - 1:
        y = tf.matmul(tf.reshape(x, [-1, shape[place]]), weights, transpose_b=True)
    else:
        head, tail = tf.reduce_prod(shape[:place]), tf.reduce_prod(shape[place + 1 :])
        y = tf.matmul(weights, tf.reshape(x, tf.stack([head, shape[place], tail])))
    y = tf.reshape(y, tf.concat([shape[:place], [size], shape[place + 1 :]], 0))
    return tf.ensure_shape(y, [*known[:place], weights.shape[0], *known[place + 1 :]])
