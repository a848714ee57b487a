"""Sample images between their pixels, along one similarity map per row of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import tensorflow as tf

from kerasviz.types import Size, Tensor

#: A function from images and maps to samples, and its adjoint.
Sampler = tuple[Callable[..., Tensor], Callable[..., Tensor]]
#: Pixels by which rounding may enlarge a window that is a whole number.
ROUNDING = 1e-6
#: The largest window whose rows are compiled one by one. Of larger ones one row is compiled, and
#: run for each: a window of 7 takes 1.2 instead of 3.7 s to trace and compile, and less to run.
UNROLLED = 3


@dataclass(frozen=True)
class Similarity:
    """A map v -> m v + t of positions v = x + i y relative to the centres of two images.

    ``real`` and ``imaginary`` of m rotate and scale, ``right`` and ``down`` of t translate. Each is
    a tensor [B], one number per row, or a number for all rows.
    """

    real: Tensor = 1.0
    imaginary: Tensor = 0.0
    right: Tensor = 0.0
    down: Tensor = 0.0

    def translated(self, x: Tensor, y: Tensor) -> Similarity:
        """Return the map v -> self(v + x + i y)."""
        return Similarity(
            self.real,
            self.imaginary,
            self.right + (self.real * x - self.imaginary * y),
            self.down + (self.imaginary * x + self.real * y),
        )

    def scaled(self, factor: Tensor) -> Similarity:
        """Return the map v -> self(factor v)."""
        return Similarity(self.real * factor, self.imaginary * factor, self.right, self.down)

    def rotated(self, cosine: Tensor, sine: Tensor) -> Similarity:
        """Return the map v -> self((cosine + i sine) v)."""
        return Similarity(
            self.real * cosine - self.imaginary * sine,
            self.imaginary * cosine + self.real * sine,
            self.right,
            self.down,
        )


def sample(images: Tensor, along: Similarity, size: Size, fill: float, reach: float) -> Tensor:
    """Sample images [B, H, W, C] along a map at every pixel of an output [B, h, w, C].

    The output at (y, x) of row b is the bilinear interpolation of image b at the position
    ((W - 1) / 2, (H - 1) / 2) + map_b(x - (w - 1) / 2, y - (h - 1) / 2), where everything outside
    the image is ``fill``. The gradient with respect to the images is the exact adjoint, a sum over
    few output pixels that is the same in every run; the map has none. ``reach`` bounds
    (|Re m| + |Im m|) / |m|^2, how far an input pixel is seen in the output, over all rows.
    """
    sampler = _compiled(tuple(images.shape), size, fill, _window(reach))
    return _differentiable(sampler, images, along)


def portable_sample(
    images: Tensor, along: Similarity, size: Size, fill: float, reach: float
) -> Tensor:
    """Sample as :func:`sample` without XLA: the same formulas, the last bits rounded otherwise."""
    sampler = _sampler(tuple(images.shape), size, fill, _window(reach))
    return _differentiable(sampler, images, along)


def _window(reach: float) -> int:
    return math.ceil(2 * reach - ROUNDING)


def _differentiable(sampler: Sampler, images: Tensor, along: Similarity) -> Tensor:
    forward, adjoint = sampler
    batch = images.shape[0]
    numbers = (along.real, along.imaginary, along.right, along.down)
    maps = tf.stack([tf.broadcast_to(tf.cast(n, tf.float32), [batch]) for n in numbers], axis=1)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def warp(images: Tensor) -> Any:
        return forward(images, maps), lambda upstream: adjoint(upstream, maps)

    return warp(images)


@lru_cache(maxsize=256)
def _compiled(shape: tuple[int, int, int, int], size: Size, fill: float, window: int) -> Sampler:
    """Compile the sampler and its adjoint for one shape, each into one loop over the pixels.

    XLA fuses the arithmetic with the lookups: measured on a CPU 0.3 instead of 2.2 ms for both,
    for an image of 128 x 128 pixels.
    """
    forward, adjoint = _sampler(shape, size, fill, window)
    jit = partial(tf.function, jit_compile=True, autograph=False)  # which takes seconds
    return jit(forward), jit(adjoint)


def _sampler(shape: tuple[int, int, int, int], size: Size, fill: float, window: int) -> Sampler:
    def forward(images: Tensor, maps: Tensor) -> Tensor:
        return _interpolate(images, maps, size, fill)

    def adjoint(upstream: Tensor, maps: Tensor) -> Tensor:
        return _spread(upstream, maps, shape[1:3], window)

    return forward, adjoint


def _interpolate(images: Tensor, maps: Tensor, size: Size, fill: float) -> Tensor:
    extent = tuple(images.shape[1:3])
    rows, columns = _pixels(size)
    x, y = _through(maps, columns, rows, size, extent)
    # Clipped to a frame of fill around the image: one pixel before it, two after.
    x, y = tf.clip_by_value(x, -1, extent[1]), tf.clip_by_value(y, -1, extent[0])
    left, top = tf.floor(x), tf.floor(y)
    right, below = x - left, y - top
    lookup = _Lookup(images, (1, 2), fill, top, left)
    total: Tensor = 0.0
    for dy, wy in ((0, 1 - below), (1, below)):
        for dx, wx in ((0, 1 - right), (1, right)):
            total += (wy * wx)[..., None] * lookup(dy, dx)
    return total


def _spread(upstream: Tensor, maps: Tensor, extent: Size, window: int) -> Tensor:
    """Add up, for every input pixel, the gradients of the outputs whose interpolation used it.

    They lie within a window around the position to which the inverse map takes the pixel. Each has
    the product of two triangles as its weight, as in the interpolation.
    """
    size = tuple(upstream.shape[1:3])
    rows, columns = _pixels(extent)
    x, y = _through(_inverse(maps), columns, rows, extent, size)
    x, y = tf.clip_by_value(x, -1, size[1]), tf.clip_by_value(y, -1, size[0])
    left, top = tf.math.ceil(x - window / 2), tf.math.ceil(y - window / 2)
    frame = window // 2 + 1
    lookup = _Lookup(upstream, (frame, frame + 1), 0.0, top, left)

    def row(dy: Any, total: Tensor) -> tuple[Any, Tensor]:
        for dx in range(window):
            across, along = _through(maps, left + dx, top + tf.cast(dy, tf.float32), size, extent)
            weight = tf.nn.relu(1 - tf.abs(across - columns)) * tf.nn.relu(1 - tf.abs(along - rows))
            total += weight[..., None] * lookup(dy, dx)
        return dy + 1, total

    if window <= UNROLLED:
        total: Tensor = 0.0
        for dy in range(window):
            _, total = row(dy, total)
        return total
    none = tf.zeros([upstream.shape[0], *extent, upstream.shape[3]])
    return tf.while_loop(lambda dy, _: dy < window, row, (tf.constant(0), none))[1]


class _Lookup:
    """Pixels of framed images [B, H, W, C] beside integer positions (top, left) [B, h, w]."""

    def __init__(
        self, images: Tensor, frame: tuple[int, int], fill: float, top: Tensor, left: Tensor
    ):
        batch, height, width, channels = images.shape
        rows, self.stride = height + sum(frame), width + sum(frame)
        around = [[0, 0], list(frame), list(frame), [0, 0]]
        framed = tf.pad(images, around, constant_values=fill)
        self.flat = tf.reshape(framed, [batch * rows * self.stride, channels])
        start = tf.range(batch) * (rows * self.stride) + frame[0] * (self.stride + 1)
        offset = tf.cast(top, tf.int32) * self.stride + tf.cast(left, tf.int32)
        self.index = start[:, None, None] + offset

    def __call__(self, down: Any, right: int) -> Tensor:
        return tf.gather(self.flat, self.index + (down * self.stride + right))


def _pixels(size: Size) -> tuple[Tensor, Tensor]:
    """Return the row numbers [1, h, 1] and column numbers [1, 1, w] of an image."""
    rows, columns = (tf.range(n, dtype=tf.float32) for n in size)
    return rows[None, :, None], columns[None, None, :]


def _through(
    maps: Tensor, x: Tensor, y: Tensor, source: Size, target: Size
) -> tuple[Tensor, Tensor]:
    """Map pixel (x, y) of an image of size ``source`` to pixels of one of size ``target``."""
    real, imaginary, right, down = (n[:, None, None] for n in tf.unstack(maps, axis=1))
    x, y = x - (source[1] - 1) / 2, y - (source[0] - 1) / 2
    return (
        (real * x - imaginary * y) + (right + (target[1] - 1) / 2),
        (imaginary * x + real * y) + (down + (target[0] - 1) / 2),
    )


def _inverse(maps: Tensor) -> Tensor:
    """Return the maps w -> (w - t) / m."""
    real, imaginary, right, down = tf.unstack(maps, axis=1)
    square = real * real + imaginary * imaginary
    real, imaginary = real / square, -imaginary / square
    back = (imaginary * down - real * right, -(imaginary * right + real * down))
    return tf.stack([real, imaginary, *back], axis=1)
