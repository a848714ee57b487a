"""Decorrelate colours: turn coefficients of independent colours into RGB in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, check_choice
from kerasviz.optvis.held_array import plain
from kerasviz.types import Tensor

#: Half a step of an 8-bit colour.
HALF_STEP = 1 / 510
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

    def from_images(self, images: Tensor) -> Any:
        """Return the parameters whose images are ``images`` [B, H, W, C] in [0, 1].

        Black and white are moved half a step of 8 bits inwards: no parameter reaches them.

        Raises:
            UsageError: If the parameters cannot hold every image.
        """
        return self.from_values(to_values(images, self.decorrelate, self.root))

    def from_values(self, values: Tensor) -> Any:
        """Return the parameters of unbounded values [B, H, W, C]."""
        raise UsageError(
            f"param {self.kind}: it cannot hold a photo to start from; choose fourier, pixel, "
            "pyramid, clip, l2-ball or linf-ball"
        )

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
    return evenly(tf.sigmoid, values)


def to_values(images: Tensor, decorrelate: bool = True, root: str = "svd") -> Tensor:
    """Return unbounded values [B, H, W, C] of images: the inverse of :func:`to_rgb`.

    >>> round(float(to_rgb(to_values(tf.fill([1, 1, 1, 3], 0.25)))[0, 0, 0, 0]), 6)
    0.25
    """
    inside = tf.clip_by_value(images, HALF_STEP, 1 - HALF_STEP)
    values = evenly(tf.math.log, inside) - evenly(tf.math.log, 1 - inside)
    if decorrelate and values.shape[-1] == 3:
        values = tf.matmul(values, tf.constant(np.linalg.inv(ROOTS[root]).T, values.dtype))
    return values


def evenly(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Compute a function of each number, to the same last bit at every place in a batch.

    TensorFlow's kernels compute whole vectors of numbers, and the rest at the end by another
    formula. So every row is padded to a whole number of vectors.
    """
    shape = tf.shape(values)
    size = math.prod(values.shape[1:])
    if size % _VECTOR == 0:
        return function(values)
    rows = tf.pad(tf.reshape(values, [shape[0], size]), [[0, 0], [0, -size % _VECTOR]])
    return tf.reshape(function(rows)[:, :size], shape)
