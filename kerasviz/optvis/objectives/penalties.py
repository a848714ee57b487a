"""Penalties of an image: its distance from grey, its variation, its distance from a blur."""

from __future__ import annotations

import tensorflow as tf

from kerasviz.types import Tensor

#: The value from which L1 measures the distance, in [0, 1] (lucid's notebook of 2019).
GREY = 0.5


def penalty(kind: str, images: Tensor) -> Tensor:
    """Compute the penalty ``kind`` of every image [B, H, W, C] in [0, 1]: [B], sums over pixels.

    ``l1``, ``total_variation`` or ``blur``, as ``objective`` defines them.

    >>> penalty("l1", tf.ones([2, 3, 3, 1])).numpy().tolist()
    [4.5, 4.5]
    """
    axes = [1, 2, 3]
    if kind == "l1":
        return tf.reduce_sum(tf.abs(images - GREY), axes)
    if kind == "total_variation":
        down = tf.abs(images[:, 1:] - images[:, :-1])
        right = tf.abs(images[:, :, 1:] - images[:, :, :-1])
        return tf.reduce_sum(down, axes) + tf.reduce_sum(right, axes)
    if kind == "blur":
        return 0.5 * tf.reduce_sum(tf.square(images - tf.stop_gradient(blurred(images))), axes)
    raise ValueError(f"unknown penalty {kind!r}")


def blurred(images: Tensor) -> Tensor:
    """Blur images [B, H, W, C] by a mean of 3 x 3 pixels: weight 1 in the middle, 0.5 around it.

    At the border only pixels inside the image count (lucid, ``_tf_blur``).
    """
    return _window_sum(images) / _window_sum(tf.ones_like(images[:1, :, :, :1]))


def _window_sum(images: Tensor) -> Tensor:
    """Add to each pixel half of its eight neighbours, 0 outside.

    The sum over a row of three and then over a column is that of all nine.
    """
    wide = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    rows = wide[:, :, :-2] + wide[:, :, 1:-1] + wide[:, :, 2:]
    nine = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return 0.5 * (nine + images)
