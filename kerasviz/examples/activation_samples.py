"""Sample the activations of a tap in the photos of a source, at positions and on average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import Source, stream
from kerasviz.network.network import Network
from kerasviz.types import Array, Size

#: Numbers that a sample holds, at most (256 MiB).
MOST_NUMBERS = 1 << 26


@dataclass(frozen=True)
class SampledTap:
    """What is sampled: a tap of a network in photos of one size, ``batch`` of them at once.

    The tensor is the output of the tap itself, also behind a ReLU. ``limit`` is the number of
    photos, the first ones; ``seed`` draws the positions.
    """

    net: Network
    tap: str
    size: Size
    batch: int = 32
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self.net.focused((self.tap,)).check_size(*self.size)
        if self.net.taps[self.tap].channels is None:
            raise UsageError(f"tap {self.tap!r} has no fixed number of channels; name another tap")

    @property
    def channels(self) -> int:
        """The number of channels of the tap."""
        return self.net.taps[self.tap].channels or 0

    def images(self, source: Source) -> int:
        """Return the number of photos of a source to read."""
        return len(source) if self.limit is None else min(self.limit, len(source))


@dataclass(frozen=True)
class Samples:
    """Activations of the photos of a source.

    Args:
        values: [N, C] float32, at some positions of each photo, or one mean of each.
        images: Photos in it.
        unreadable: Photos that could not be read.
        odd: Photos whose activations are not finite.
    """

    values: Array
    images: int
    unreadable: int
    odd: int


def sample_activations(
    sampled: SampledTap,
    source: Source,
    *,
    pooled: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Samples:
    """Read all photos once and sample their activations; the same photos give the same sample.

    Args:
        sampled: What is sampled.
        source: The photos.
        pooled: Whether to take the mean over all positions instead of some of them.
        progress: Called with the number of photos that were read.

    Raises:
        UsageError: If no photo can be read.
    """
    images = sampled.images(source)
    room = max(1, MOST_NUMBERS // max(1, sampled.channels * images))
    compute = _compiled(sampled)
    shape = (*sampled.size, sampled.net.focused((sampled.tap,)).channels)
    values: list[Array] = []
    unreadable = odd = seen = 0
    for batch in stream(source, np.arange(images), sampled.batch, shape):
        activations = compute(batch.images).numpy()
        for number, readable, of_image in zip(
            batch.numbers, batch.readable, activations, strict=True
        ):
            if number < 0:
                continue
            seen += 1
            if not readable:
                unreadable += 1
            elif not np.isfinite(of_image).all():
                odd += 1
            elif pooled:
                values.append(of_image.mean(axis=0, dtype=np.float64)[None].astype(np.float32))
            else:
                values.append(_some(of_image, room, (sampled.seed, int(number))))
        if progress is not None:
            progress(seen)
    if not values:
        raise UsageError(f"{source.label}: none of {images} photos can be used")
    return Samples(np.concatenate(values), len(values), unreadable, odd)


def _some(of_image: Array, room: int, seed: tuple[int, int]) -> Array:
    """Return all positions of [P, C], or ``room`` of them, drawn for this photo alone."""
    if len(of_image) <= room:
        return of_image
    drawn = np.random.default_rng(seed).choice(len(of_image), room, replace=False)
    return of_image[np.sort(drawn)]


def _compiled(sampled: SampledTap) -> Callable[[Array], Any]:
    """Compile a function from pictures [B, H, W, C] of bytes to activations [B, P, C]."""
    net, tap = sampled.net, sampled.net.taps[sampled.tap].name
    shape = (sampled.batch, *sampled.size, net.focused((tap,)).channels)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)  # type: ignore[untyped-decorator]
    def activations(pictures: Any) -> Any:
        images = tf.cast(pictures, tf.float32) / 255
        a = tf.cast(net.activations(images, [tap])[tap], tf.float32)
        return tf.reshape(a, [sampled.batch, -1, sampled.channels])

    return activations  # type: ignore[no-any-return]
