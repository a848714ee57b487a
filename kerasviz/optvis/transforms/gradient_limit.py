"""A step of a transform that changes no image, only the gradient that comes back through it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.types import Tensor

#: What a size of gradients is at least, where it divides.
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class LimitGradient:
    """Pass images on; make their gradient smaller where it is far above its mean.

    The size of the gradient at a pixel is the root of the mean, over a square of ``window`` pixels
    about it, of the squared length over colours. Where the size exceeds ``most`` times its mean
    over the image, the gradient of the pixel is divided by the excess. Transformers need it: their
    LayerNorms divide each patch by its own deviation, so that the gradient of some patches is many
    times that of others.

    Args:
        most: The largest size, in means over the image, above 0.
        window: The odd side of the square in pixels, about that of a patch.

    Raises:
        UsageError: For other numbers.

    Example:
        >>> LimitGradient(1.0).limited(tf.ones([1, 5, 7, 3])).shape
        TensorShape([1, 5, 7, 3])
    """

    most: float
    window: int = 15
    kind: ClassVar[str] = "limit-gradient"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.most, int | float) or not 0 < self.most < math.inf:
            raise UsageError(f"limit-gradient {self.most!r}; expected a number of means above 0")
        if not isinstance(self.window, int) or self.window < 1 or self.window % 2 == 0:
            raise UsageError(
                f"limit-gradient: window {self.window!r}; expected an odd number of pixels"
            )

    def limited(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C] as they are, with the limit on their gradient."""

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def passed(images: Tensor) -> tuple[Tensor, Any]:
            return tf.identity(images), self._limit

        return passed(images)

    def _limit(self, gradient: Tensor) -> Tensor:
        """Return the gradient [B, H, W, C] with its limit."""
        squares = tf.reduce_sum(tf.square(gradient), axis=-1, keepdims=True)
        for window in ((self.window, 1), (1, self.window)):  # means of what lies in the image
            squares = tf.nn.avg_pool2d(squares, window, 1, "SAME")
        sizes = tf.sqrt(squares)
        largest = self.most * tf.reduce_mean(sizes, axis=[1, 2], keepdims=True)
        return gradient * tf.minimum(1.0, largest / tf.maximum(sizes, _TINY))
