"""Images that stay within a distance of the photo that they start from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations.clip import limited
from kerasviz.types import Tensor


@dataclass(frozen=True)
class Ball:
    """Images photo + radius * d, cut off at 0 and 1, of differences d that have a largest length.

    The parameters are d [B, H, W, C], 0 at the start, and the photos, which do not change.
    """

    radius: float = 0.1
    kind: ClassVar[str]
    #: Whether it has no images without a photo.
    needs_photo: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf:
            raise UsageError(
                f"{self.kind} parameterization: radius {self.radius}; expected a change of colours "
                "in [0, 1], such as 0.1"
            )

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Raise :class:`UsageError`: there is no photo."""
        raise UsageError(
            f"param {self.kind}: the picture stays near a photo; give --from PHOTO (in Python: "
            "from_=)"
        )

    def from_images(self, images: Tensor) -> Any:
        """Return the parameters of photos [B, H, W, C] in [0, 1] themselves."""
        return tf.zeros_like(images), images

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]."""
        differences, photos = params
        # A gradient of 0, not none, so that optimizers leave the photo as it is.
        photos = tf.stop_gradient(photos) + 0.0 * photos
        image = photos + self.radius * self.within(differences)
        return (limited(2 * image - 1) + 1) / 2

    def within(self, differences: Tensor) -> Tensor:
        """Return differences [B, H, W, C] shortened to length 1 where they are longer."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, **vars(self)}


@dataclass(frozen=True)
class LinfBall(Ball):
    """Images in which no colour is further from the photo than ``radius``.

    A gradient that points outwards at the boundary is 0 there. Source: lucid, ``unit_balls.py``.

    >>> ball = LinfBall(0.1)
    >>> image = ball.to_image((tf.fill([1, 1, 1, 1], 7.0), tf.fill([1, 1, 1, 1], 0.5)), 1, 1)
    >>> round(float(image[0, 0, 0, 0]), 6)
    0.6
    """

    kind: ClassVar[str] = "linf-ball"

    def within(self, differences: Tensor) -> Tensor:
        """Cut every number off at -1 and 1."""
        return limited(differences)


@dataclass(frozen=True)
class L2Ball(Ball):
    """Images whose root mean square difference from the photo is at most ``radius``.

    A gradient that points outwards at the boundary loses the part across it. Source: lucid,
    ``unit_balls.py``, whose radius is that of the sum of squares.
    """

    kind: ClassVar[str] = "l2-ball"

    def within(self, differences: Tensor) -> Tensor:
        """Divide the numbers of a row by their root mean square, where that is above 1."""
        return _shortened(differences)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _shortened(numbers: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    axes = [1, 2, 3]
    squares = tf.reduce_mean(tf.square(numbers), axes, keepdims=True)
    length = tf.sqrt(squares)

    def slopes(upstream: Tensor) -> Tensor:
        across = numbers / tf.maximum(length, 1e-12)
        outwards = tf.reduce_mean(upstream * across, axes, keepdims=True)
        leaves = (length >= 1) & (outwards > 0)
        return tf.where(leaves, upstream - outwards * across, upstream)

    return numbers / tf.maximum(1.0, length), slopes
