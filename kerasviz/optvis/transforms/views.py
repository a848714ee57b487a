"""Steps of a transform that differ between the views of one image: noise, and shrinking crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, NamedTuple

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.types import Size, Tensor

#: The number of equally likely values of a normal number: the middles of slices of one area.
NORMALS = 65
#: The stream of the numbers of noise, far from those of images and transforms.
STREAM = 1 << 20


class Rows(NamedTuple):
    """The seeds [B] and step numbers [B] of images, each of which has some ``views``."""

    seeds: Tensor
    steps: Tensor
    views: int = 1

    @property
    def of_views(self) -> tuple[Tensor, Tensor]:
        """The seeds and step numbers of all views, [B * views], those of an image in a row."""
        return tf.repeat(self.seeds, self.views), tf.repeat(self.steps, self.views)


def spread(images: Tensor, views: int) -> Tensor:
    """Repeat images [B, H, W, C] for their views, [B * views, H, W, C]."""
    if views == 1:
        return images
    batch, *shape = images.shape
    wide = tf.broadcast_to(images[:, None], [batch, views, *shape])
    return tf.reshape(wide, [batch * views, *shape])


@dataclass(frozen=True)
class Noise:
    """Add normal noise of deviation ``sd`` to every pixel, new in every step and view.

    The colours are those in [0, 1]; sums beyond are not cut off.
    """

    sd: float
    kind: ClassVar[str] = "noise"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.sd, int | float) or not 0 <= self.sd < math.inf:
            raise UsageError(f"noise {self.sd!r}; expected a deviation of colours, as 0.04")

    def added(self, images: Tensor, rows: Rows) -> Tensor:
        """Add noise to views [B * views, H, W, C]."""
        shape = tuple(images.shape[1:])
        draws = randomness.normal(rows.seeds, (rows.views, *shape), STREAM, rows.steps)
        return images + self.sd * tf.reshape(draws, [-1, *shape])


@dataclass(frozen=True)
class ShrinkingCrop:
    """Crop a random window, smaller in later steps, and resize it to the size of the network.

    The side of the window, as a share of the image's, is normal with deviation ``sd`` about a mean
    that falls linearly from ``first`` to ``last``, and kept between ``SMALLEST`` and 1. Its middle
    is normal about that of the image, and the window kept inside. Resampling is bilinear, over the
    area of a pixel where the window is reduced. Source of the defaults: xplique, ``maco.py``.

    Args:
        first: The mean share at the first step.
        last: The mean share at the last step.
        sd: The deviation of the share.
        centre_sd: The deviation of the middle along each axis, as a share of the image's side.
        size: The (height, width) of the result; (0, 0) for 128 x 128 or what the network takes.
        steps: The steps over which the mean falls; 0 for those of the recipe.

    Raises:
        UsageError: For shares outside 0 to 1 and other impossible settings.
    """

    first: float = 0.5
    last: float = 0.05
    sd: float = 0.05
    centre_sd: float = 0.15
    size: Size = (0, 0)
    steps: int = 0
    kind: ClassVar[str] = "shrinking-crop"
    choices: ClassVar[tuple[int, ...]] = (NORMALS, NORMALS, NORMALS)

    def __post_init__(self) -> None:
        for share in (self.first, self.last):
            if not isinstance(share, int | float) or not 0 < share <= 1:
                raise UsageError(
                    f"shrinking-crop from {self.first!r} to {self.last!r}; expected shares of the "
                    "side above 0 and up to 1"
                )
        for sd in (self.sd, self.centre_sd):
            if not isinstance(sd, int | float) or not 0 <= sd < math.inf:
                raise UsageError(f"shrinking-crop: deviation {sd!r}; expected 0 or more")
        sides = (*self.size, self.steps)
        if len(self.size) != 2 or not all(isinstance(n, int) and n >= 0 for n in sides):
            raise UsageError(
                f"shrinking-crop: size {self.size!r}, steps {self.steps!r}; expected two numbers "
                "of pixels and one of steps, 0 for those of the network and the recipe"
            )

    def windows(self, picks: Sequence[Tensor], steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the side of windows, and their upper and left edges, as shares of the image's.

        ``picks`` are three numbers [R] below ``NORMALS``, and ``steps`` [R] step numbers.
        """
        across, down, right = (tf.gather(tf.constant(_NORMAL), tf.cast(p, tf.int32)) for p in picks)
        progress = tf.cast(steps, tf.float32) / max(1, self.steps - 1)
        mean = self.first + (self.last - self.first) * tf.clip_by_value(progress, 0.0, 1.0)
        side = tf.clip_by_value(mean + self.sd * across, SMALLEST, 1.0)
        edges = ((0.5 + self.centre_sd * far) - side / 2 for far in (down, right))
        top, left = (tf.clip_by_value(edge, 0.0, 1 - side) for edge in edges)
        return side, top, left

    def cropped(self, images: Tensor, picks: Sequence[Tensor], steps: Tensor) -> Tensor:
        """Return windows [R, h, w, C] of images [B, H, W, C], as many of each in a row."""
        side, top, left = self.windows(picks, steps)
        batch, height, width, channels = images.shape
        rows, (h, w) = side.shape[0], self.result_size((height, width))
        down = weights_of(top * height, side * height, h, height)
        right = weights_of(left * width, side * width, w, width)
        # One product for all views of an image: [views h, H] by [H, W C].
        stacked = tf.reshape(down, [batch, rows // batch * h, height])
        planes = tf.matmul(stacked, tf.reshape(images, [batch, height, width * channels]))
        planes = tf.reshape(planes, [rows, h, width, channels])
        return tf.einsum("rqw,rhwc->rhqc", right, planes)

    def result_size(self, image: Size) -> Size:
        """Return the (height, width) of the windows of an image."""
        return (self.size[0] or image[0], self.size[1] or image[1])


#: The smallest share of a window's side (xplique).
SMALLEST = 0.05
#: Equally likely normal numbers.
_NORMAL = [NormalDist().inv_cdf((n + 0.5) / NORMALS) for n in range(NORMALS)]


def weights_of(start: Tensor, length: Tensor, count: int, pixels: int) -> Tensor:
    """Return the weights [R, count, pixels] that resample a stretch of pixels to ``count``.

    Row r takes the stretch from ``start[r]`` on of ``length[r]`` pixels. A result is the mean of
    the pixels near its middle, with weights that fall linearly to 0 at a distance of one pixel, or
    one result if that is wider: bilinear interpolation, smoothed where it reduces.
    """
    scale = (length / count)[:, None, None]
    middles = start[:, None, None] + (tf.range(count, dtype=tf.float32)[:, None] + 0.5) * scale
    distances = tf.abs(middles - (tf.range(pixels, dtype=tf.float32) + 0.5))
    weights = tf.nn.relu(1 - distances / tf.maximum(scale, 1.0))
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)


def resized(images: Tensor, size: Size) -> Tensor:
    """Resize images [B, H, W, C] to a size, as :class:`ShrinkingCrop` does with its windows."""
    height, width = images.shape[1:3]
    if (height, width) == tuple(size):
        return images
    down, right = (
        weights_of(tf.zeros([1]), tf.constant([float(pixels)]), count, pixels)[0]
        for pixels, count in ((height, size[0]), (width, size[1]))
    )
    return tf.einsum("ph,bhwc,qw->bpqc", down, images, right)
