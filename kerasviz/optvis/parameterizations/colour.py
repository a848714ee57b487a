"""Colour decorrelation: from coefficients of independent colours to RGB in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.types import Tensor

__all__ = ["DECORRELATION", "ROOTS", "check_root", "to_rgb"]


#: A multiple of the floats in a vector of any processor (AVX-512 has 16).
_VECTOR = 64

#: Square roots of the covariance of ImageNet's colours: by SVD, and Cholesky's, which the article
#: names (both are in the first public lucid, ``color.py``; it used the first).
_COVARIANCE_ROOTS = {
    "svd": np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]),
    "cholesky": np.array([[0.28, 0.0, 0.0], [0.25, 0.12, 0.0], [0.23, 0.14, 0.14]]),
}

#: M [RGB, decorrelated] by name: the root divided by its largest column norm (lucid, ``color.py``).
ROOTS = {
    name: root / np.linalg.norm(root, axis=0).max() for name, root in _COVARIANCE_ROOTS.items()
}
DECORRELATION = ROOTS["svd"]


def check_root(root: str) -> None:
    """Raise :class:`UsageError` unless ``root`` is one of :data:`ROOTS`."""
    if root not in ROOTS:
        raise UsageError(f"unknown colour matrix {root!r}; choose from {', '.join(ROOTS)}")


def to_rgb(values: Tensor, decorrelate: bool = True, root: str = "svd") -> Tensor:
    """Images [B, H, W, C] in [0, 1] of unbounded values [B, H, W, C].

    Each pixel's vector v becomes sigmoid(M v) where C is 3 and ``decorrelate`` is on, else
    sigmoid(v); M is ``ROOTS[root]``. Source: paper section "Preconditioning and
    Parameterization", lucid ``to_valid_rgb``.

    >>> to_rgb(tf.zeros([1, 1, 1, 3])).numpy().tolist()
    [[[[0.5, 0.5, 0.5]]]]
    """
    if decorrelate and values.shape[-1] == 3:
        values = tf.matmul(values, tf.constant(ROOTS[root].T, values.dtype))
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
