"""Decode and encode images inside a graph, as numbers in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasviz.types import Tensor


def decoded(strings: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Decode PNG, JPEG, GIF or BMP strings [B] to images [B, H, W, C] in [0, 1].

    Each is scaled (Lanczos, with anti-aliasing) to cover ``size`` (height, width) and cropped at
    its centre, like the photos of ``kerasviz figures``. One channel is the brightness; for counts
    other than 3 the colours repeat. The orientation in EXIF data is ignored.
    """

    def one(string: Tensor) -> Tensor:
        pixels = tf.io.decode_image(
            string, channels=1 if channels == 1 else 3, expand_animations=False
        )
        pixels = tf.cast(pixels, tf.float32) / 255
        extent = tf.cast(tf.shape(pixels)[:2], tf.float32)
        wanted = tf.constant(size, tf.float32)
        scale = tf.reduce_max(wanted / extent) * tf.ones([2])
        image = tf.raw_ops.ScaleAndTranslate(
            images=pixels[None],
            size=tf.constant(size),
            scale=scale,
            translation=(wanted - extent * scale) / 2,
            kernel_type="lanczos3",
            antialias=True,
        )[0]
        return tf.clip_by_value(_repeated(image, channels), 0.0, 1.0)

    return _each(one, strings, tf.TensorSpec([*size, channels], tf.float32))


def _repeated(image: Tensor, channels: int) -> Tensor:
    if channels in (1, 3):
        return image
    return tf.gather(image, [k % 3 for k in range(channels)], axis=-1)


def encoded(images: Tensor) -> Tensor:
    """Encode images [B, H, W, C] in [0, 1] as PNG strings [B] with 8 bits.

    The pixels are those of ``kerasviz render``. One channel is grey; for counts other than 3 each
    colour is the root mean square of a third of the channels.
    """
    # 255 x is exact in float64; a float32 product could round to the other integer.
    pixels = tf.round(tf.cast(_shown(images), tf.float64) * 255)
    pixels = tf.cast(tf.clip_by_value(pixels, 0.0, 255.0), tf.uint8)
    return _each(tf.io.encode_png, pixels, tf.TensorSpec([], tf.string))


def _shown(images: Tensor) -> Tensor:
    channels = images.shape[-1]
    if channels in (1, 3):
        return images
    if channels == 2:
        thirds = [images] * 3
    else:  # the first parts are larger, like numpy's array_split
        sizes = [channels // 3 + (k < channels % 3) for k in range(3)]
        thirds = tf.split(images, sizes, axis=-1)
    return tf.stack([tf.sqrt(tf.reduce_mean(tf.square(t), axis=-1)) for t in thirds], axis=-1)


def _each(function: Callable[[Tensor], Tensor], rows: Tensor, spec: Any) -> Tensor:
    return tf.map_fn(function, tf.convert_to_tensor(rows), fn_output_signature=spec)
