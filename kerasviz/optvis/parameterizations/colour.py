"""Decorrelate colours: turn coefficients of independent colours into RGB in [0, 1]."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, check_choice
from kerasviz.optvis.held_array import plain
from kerasviz.types import Tensor

#: The floats to whose multiple a row is padded: a vector of AVX-512 has 16, others have fewer.
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


class Coloured:
    """A parameterization of values that :func:`to_rgb` turns into images.

    Parameters are first normal with ``sd``. Raises :class:`UsageError` for impossible settings.
    """

    sd: float
    decorrelate: bool
    root: str
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if not self.sd >= 0:
            raise UsageError(f"{self.kind} parameterization: sd {self.sd}; expected 0 or more")
        check_choice("colour matrix", self.root, ROOTS)

    def values(self, params: Any, height: int, width: int) -> Tensor:
        """Compute unbounded values [B, H, W, C], before colours and sigmoid."""
        raise NotImplementedError

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]."""
        return to_rgb(self.values(params, height, width), self.decorrelate, self.root)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, **plain(vars(self))}


def to_rgb(values: Tensor, decorrelate: bool = True, root: str = "svd") -> Tensor:
    """Turn unbounded values [B, H, W, C] into images [B, H, W, C] in [0, 1].

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
    """Compute the logistic function, to the same last bit at every place in a batch.

    TensorFlow's kernel computes whole vectors of numbers, and the rest at the end by another
    formula. So every row is padded to a whole number of vectors.
    """
    shape = tf.shape(values)
    size = math.prod(values.shape[1:])
    if size % _VECTOR == 0:
        return tf.sigmoid(values)
    rows = tf.pad(tf.reshape(values, [shape[0], size]), [[0, 0], [0, -size % _VECTOR]])
    return tf.reshape(tf.sigmoid(rows)[:, :size], shape)
