"""Compare the style and the content of pictures with those of photos."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from kerasviz.types import Tensor

#: Added to the means by which losses are divided.
TINY = 1e-12


def compare_style(kind: str, a: Tensor, photo: Tensor, data: Mapping[str, Tensor]) -> Tensor:
    """Compute the weighted scores [B] of activations A [B, ..., C] and those of the photos."""
    if kind == "style":
        a, photo = gram(a), gram(photo)
    axes = list(range(1, a.shape.rank))
    apart = tf.reduce_mean(tf.abs(a - photo), axes)
    return -data["weight"] * apart / (tf.reduce_mean(tf.abs(photo), axes) + TINY)


def gram(a: Tensor) -> Tensor:
    """Compute the Gram matrices [B, C, C] of activations A [B, ..., C]: means over positions.

    >>> gram(tf.constant([[[1.0, 2.0], [3.0, 0.0]]])).numpy().tolist()
    [[[5.0, 1.0], [1.0, 2.0]]]
    """
    count, channels = a.shape[0] or tf.shape(a)[0], a.shape[-1]
    flat = tf.reshape(a, [count, -1, channels])
    positions = tf.cast(tf.shape(flat)[1], flat.dtype)
    return tf.matmul(flat, flat, transpose_a=True) / positions
