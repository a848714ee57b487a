"""Colour decorrelation: from coefficients of independent colours to RGB in [0, 1]."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["DECORRELATION", "to_rgb"]

Tensor = Any

#: A multiple of the floats in a vector of any processor (AVX-512 has 16).
_VECTOR = 64

#: The SVD square root of the covariance of ImageNet's colours (lucid, ``color.py``).
_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])

#: M [RGB, decorrelated]: the root divided by its largest column norm (lucid, ``color.py``).
DECORRELATION = _ROOT / np.linalg.norm(_ROOT, axis=0).max()


def to_rgb(values: Tensor, decorrelate: bool = True) -> Tensor:
    """Images [B, H, W, C] in [0, 1] of unbounded values [B, H, W, C].

    Each pixel's vector v becomes sigmoid(M v) where C is 3 and ``decorrelate`` is on, else
    sigmoid(v). Source: paper section "Preconditioning and Parameterization", lucid
    ``to_valid_rgb``.

    >>> to_rgb(tf.zeros([1, 1, 1, 3])).numpy().tolist()
    [[[[0.5, 0.5, 0.5]]]]
    """
    if decorrelate and values.shape[-1] == 3:
        values = tf.matmul(values, tf.constant(DECORRELATION.T, values.dtype))
    return _sigmoid(values)


def _sigmoid(values: Tensor) -> Tensor:
    """The logistic function, to the same last bit wherever a row stands in its batch.

    TensorFlow's kernel computes whole vectors of numbers, and those left over at the end by another
    formula; so every row is made a whole number of vectors.
    """
    shape = tf.shape(values)
    size = math.prod(values.shape[1:])
    if size % _VECTOR == 0:
        return tf.sigmoid(values)
    rows = tf.pad(tf.reshape(values, [shape[0], size]), [[0, 0], [0, -size % _VECTOR]])
    return tf.reshape(tf.sigmoid(rows)[:, :size], shape)
