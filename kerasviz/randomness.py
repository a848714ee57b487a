"""Stateless random numbers that a row draws from its own seed, whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["normal", "uniform"]

Tensor = Any

# Philox (Salmon et al. 2011) gives the same numbers on every kind of device.
_PHILOX = tf.random.Algorithm.PHILOX


def _per_row(draw: Callable[[Any], Tensor], seeds: Tensor, steps: Tensor = None) -> Tensor:
    """Stack ``draw(seed)`` over the rows: one operation per row, so that no row sees another.

    With ``steps`` [B] it is ``draw((seed, step))``.
    """
    seeds = tf.cast(tf.convert_to_tensor(seeds), tf.int64)
    rows = seeds if steps is None else (seeds, tf.convert_to_tensor(steps))
    if seeds.shape[0] is None:
        return tf.map_fn(draw, rows, fn_output_signature=tf.float32)
    if steps is None:
        return tf.stack([draw(seed) for seed in tf.unstack(seeds)])
    pairs = zip(tf.unstack(seeds), tf.unstack(rows[1], seeds.shape[0]), strict=True)
    return tf.stack([draw(pair) for pair in pairs])


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
    tensor, also one of a step for each row [B].

    >>> uniform([3, 7], step=5, count=6, stream=1).shape
    TensorShape([2, 6])
    """

    def draw(row: Any) -> Tensor:
        seed, own = row if isinstance(row, tuple) else (row, step)
        return tf.random.stateless_uniform((count,), _key(seed, stream, own), alg=_PHILOX)

    return _per_row(draw, seeds, step if tf.convert_to_tensor(step).shape.rank else None)
