"""Whiten directions by the second moment of activations, so that pictures show what is special."""

from __future__ import annotations

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.types import Array

#: What is added to the diagonal of the second moment, as a share of its mean.
RIDGE = 1e-6
#: Rows that are in memory as float64 at once.
ROWS = 8192


def second_moment(values: Array) -> Array:
    """Compute X'X / N of activations X [N, C], not centred, in float64: [C, C].

    >>> second_moment(np.array([[1.0, 1.0], [1.0, -1.0]]))
    array([[1., 0.], [0., 1.]])
    """
    count, channels = values.shape
    total = np.zeros((channels, channels))
    for start in range(0, count, ROWS):
        part = np.asarray(values[start : start + ROWS], np.float64)
        total += part.T @ part
    moment: Array = total / count
    return moment


def whitened(vectors: Array, moment: Array) -> Array:
    """Multiply vectors [M, C] by the inverse of a second moment [C, C], in float64.

    Directions in which all activations are large become small: what is left of a mean is what it
    has more of than others. A millionth of the mean of the diagonal is added to the diagonal.

    Raises:
        UsageError: For the moment of activations that are all 0.

    Reference:
        Carter et al., "Activation Atlas" (Distill 2019), section "Looking at a Single Image".
    """
    trace = float(np.trace(moment))
    if not trace > 0:
        raise UsageError("all activations are 0: there is nothing to show; name another tap")
    ridge = RIDGE * trace / len(moment)
    solved: Array = np.linalg.solve(moment + ridge * np.eye(len(moment)), vectors.T.astype(float))
    return solved.T


def unit_length(vectors: Array) -> Array:
    """Divide each row of vectors [M, C] by its Euclidean norm; rows of zeros stay.

    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8], [0. , 0. ]])
    """
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1))
