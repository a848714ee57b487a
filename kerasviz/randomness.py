"""Stateless random numbers that a row draws from its own seed, whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["normal", "uniform"]

Tensor = Any

# Philox (Salmon et al. 2011) gives the same numbers on every kind of device.
_PHILOX = tf.random.Algorithm.PHILOX


def _per_row(draw: Callable[[Tensor], Tensor], seeds: Tensor) -> Tensor:
    """Stack ``draw(seed)`` over the rows: one operation per row, so that no row sees another."""
    seeds = tf.cast(tf.convert_to_tensor(seeds), tf.int64)
    if seeds.shape[0] is None:
        return tf.map_fn(draw, seeds, fn_output_signature=tf.float32)
    return tf.stack([draw(seed) for seed in tf.unstack(seeds)])


def _key(seed: Tensor, stream: int, step: Tensor) -> Tensor:
    """The two 64-bit words that choose a sequence: (stream, seed) and the step."""
    return tf.stack([seed + (stream << 32), tf.cast(step, tf.int64)])


def normal(seeds: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Standard normal numbers for every row, float32 [B, \\*shape].

    ``seeds`` [B] integers below 2**31; row i depends on ``seeds[i]``, ``shape`` and ``stream``
    only. Different streams (0 to 2**31 - 1) of one seed are independent.

    >>> bool(tf.reduce_all(normal([3, 7], (4,))[1] == normal([7], (4,))[0]))
    True
    """

    def draw(seed: Tensor) -> Tensor:
        key = _key(seed, stream, tf.constant(0))
        return tf.random.stateless_normal(tuple(shape), key, alg=_PHILOX)

    return _per_row(draw, seeds)


def uniform(seeds: Tensor, step: Tensor, count: int, stream: int = 0) -> Tensor:
    """``count`` uniform numbers in [0, 1) for every row at a step, float32 [B, count].

    Row i depends on ``seeds[i]``, ``step``, ``count`` and ``stream`` only; ``step`` may be a
    tensor.

    >>> uniform([3, 7], step=5, count=6, stream=1).shape
    TensorShape([2, 6])
    """
    return _per_row(
        lambda seed: tf.random.stateless_uniform((count,), _key(seed, stream, step), alg=_PHILOX),
        seeds,
    )
