"""Stateless random numbers: each row of a batch draws from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import tensorflow as tf

from kerasviz.types import Tensor

# Philox (Salmon et al. 2011) gives the same numbers on every kind of device.
_PHILOX = tf.random.Algorithm.PHILOX


def _per_row(
    draw: Callable[..., Tensor], raw: Callable[..., Tensor], pairs: Tensor, shape: Sequence[int]
) -> Tensor:
    """Draw for the rows of ``pairs`` [B, 2], each by its own operation: rows are independent.

    ``draw`` is TensorFlow's function, ``raw`` the operation that it calls at last. Most of the
    function scrambles a pair into a key and a counter. Doing that for all rows together takes a
    fraction of the operations, so that graphs are built in less time.
    """
    if pairs.shape[0] is None:
        return tf.map_fn(
            lambda pair: draw(shape, pair, alg=_PHILOX), pairs, fn_output_signature=tf.float32
        )
    row = partial(raw, shape=shape, dtype=tf.float32, alg=_PHILOX.value)
    return tf.stack([row(key=key, counter=counter) for key, counter in _scrambled(pairs)])


def _scrambled(pairs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return a key [1] and a counter [2] for each row of ``pairs`` [B, 2], as TensorFlow does.

    Source: ``_philox_scramble_seed`` of tensorflow/python/ops/random_ops_util.py.
    """
    scramble = partial(
        tf.raw_ops.StatelessRandomUniformFullIntV2,
        shape=[4],
        key=tf.constant([0x02461E293EC8F720], tf.uint64),
        dtype=tf.uint32,
        alg=_PHILOX.value,
    )
    mixed = [scramble(counter=tf.cast(pair, tf.uint64)) for pair in tf.unstack(pairs)]
    halves = tf.stack([tf.cast(row, tf.int64) for row in mixed])  # [B, 4], of 32 bits each
    high = tf.bitwise.left_shift(halves[:, 1::2], tf.constant(32, tf.int64))
    pieces = tf.bitwise.bitwise_or(halves[:, 0::2], high)
    keys, counters = pieces[:, :1], tf.stack([tf.zeros_like(pieces[:, 1]), pieces[:, 1]], 1)
    rows = zip(tf.unstack(keys), tf.unstack(counters), strict=True)
    return [(tf.cast(key, tf.uint64), tf.cast(counter, tf.uint64)) for key, counter in rows]


def _pairs(seeds: Tensor, stream: int, step: Tensor) -> Tensor:
    """Return the two 64-bit numbers that seed each row [B, 2]: (stream, seed) and the step."""
    seeds = tf.cast(tf.convert_to_tensor(seeds), tf.int64)
    steps = tf.broadcast_to(tf.cast(step, tf.int64), tf.shape(seeds))
    return tf.stack([seeds + (stream << 32), steps], 1)


def normal(seeds: Tensor, shape: Sequence[int], stream: int = 0, step: Tensor = 0) -> Tensor:
    """Draw standard normal numbers for every row at a step, float32 [B, \\*shape].

    ``seeds`` [B] integers below 2**31; row i depends on ``seeds[i]``, ``shape``, ``stream`` and
    ``step`` only, one number or one for each row [B]. Different streams (0 to 2**31 - 1) of one
    seed are independent.

    >>> bool(tf.reduce_all(normal([3, 7], (4,))[1] == normal([7], (4,))[0]))
    True
    """
    pairs = _pairs(seeds, stream, step)
    raw = tf.raw_ops.StatelessRandomNormalV2
    return _per_row(tf.random.stateless_normal, raw, pairs, tuple(shape))


def uniform(seeds: Tensor, step: Tensor, count: int, stream: int = 0) -> Tensor:
    """Draw ``count`` uniform numbers in [0, 1) for every row at a step, float32 [B, count].

    Row i depends on ``seeds[i]``, ``step``, ``count`` and ``stream`` only; ``step`` is one
    number, or one for each row [B].

    >>> uniform([3, 7], step=5, count=6, stream=1).shape
    TensorShape([2, 6])
    """
    pairs = _pairs(seeds, stream, step)
    raw = tf.raw_ops.StatelessRandomUniformV2
    return _per_row(tf.random.stateless_uniform, raw, pairs, (count,))
