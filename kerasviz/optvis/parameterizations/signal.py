"""The Fourier parameterization of signals of one to three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.held_array import plain
from kerasviz.optvis.parameterizations.colour import to_rgb, to_values
from kerasviz.types import Array, Size, Tensor

#: Axes of positions, at most.
MOST_AXES = 3


@lru_cache(maxsize=64)
def axis_scale(
    lengths: tuple[int, ...], decay_power: float, weights: tuple[float, ...] = ()
) -> Array:
    """Return the factor of every frequency, float64 [*lengths[:-1], n_last].

    sqrt(product of lengths) / max(f, 1 / max(lengths))^(decay_power d / 2), where f = |(w_a f_a)|
    in cycles per place along d axes, and n_last is as in ``fourier.frequency_scale``, which this is
    for two axes of equal weight. So each octave has the same energy, whatever the number of axes.

    >>> float(axis_scale((128, 128), 1.0)[0, 0]), float(axis_scale((10000,), 1.0)[0])
    (16384.0, 10000.0)
    """
    *others, last = lengths
    count = last // 2 + 1 + last % 2
    across = np.fft.fftfreq(last)[:count] if last > 1 else np.array([0.0, 0.5])
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in others), across, indexing="ij")
    factors = weights or (1.0,) * len(lengths)
    parts = [np.abs(factor * grid) for factor, grid in zip(factors, grids, strict=True)]
    clamped = np.maximum(reduce(np.hypot, parts), 1.0 / max(lengths))
    scale: Array = np.sqrt(math.prod(lengths)) / clamped ** (decay_power * len(lengths) / 2)
    scale.flags.writeable = False
    return scale


@dataclass(frozen=True)
class Signal:
    """Signals as sigmoid(irfft(scale * z) / 4) of spectra z, first normal with ``sd``.

    z are two real tensors, the real and imaginary parts [B, C, *lengths[:-1], n_last], and
    ``scale`` is :func:`axis_scale`. Signals are folded into images; channels are independent. With
    two axes of equal weight it is :class:`Fourier` without the decorrelation of colours.

    Args:
        sd: The deviation of the first parameters.
        decay_power: How fast magnitudes fall; with 1 every octave has the same energy.
        weights: How much each axis counts in the frequency, by default 1: a larger one makes
            changes along it slower.
        lengths: The lengths of the axes of positions, 1 to 3 of them; by default the width of
            images one pixel high, else height and width.

    Raises:
        UsageError: For impossible settings.

    Example:
        >>> Signal(lengths=(4, 5, 6)).init(tf.constant([0, 1]), 20, 6, 2)[0].shape
        TensorShape([2, 2, 4, 5, 4])
    """

    sd: float = 0.01
    decay_power: float = 1.0
    weights: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()
    kind: ClassVar[str] = "signal"
    #: The media whose numbers it makes.
    media: ClassVar[tuple[str, ...]] = ("signal",)

    def __post_init__(self) -> None:
        for name in ("weights", "lengths"):  # lists in plain data
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.sd >= 0:
            raise UsageError(f"signal parameterization: sd {self.sd}; expected 0 or more")
        if len(self.lengths) > MOST_AXES or any(n < 1 for n in self.lengths):
            raise UsageError(
                f"signal parameterization: lengths {self.lengths}; expected 1 to 3 from 1 on"
            )
        if not all(w > 0 for w in self.weights):
            raise UsageError(f"signal parameterization: weights {self.weights}; expected above 0")
        if self.lengths and self.weights and len(self.lengths) != len(self.weights):
            raise UsageError(
                f"signal parameterization: {len(self.weights)} weights for {len(self.lengths)} axes"
            )

    def along(self, lengths: Sequence[int]) -> Signal:
        """Return the parameterization of signals with axes of some lengths."""
        return Signal(self.sd, self.decay_power, self.weights, tuple(lengths))

    def _lengths_of(self, size: Size) -> tuple[int, ...]:
        """Return the lengths in images of a size."""
        if not self.lengths:
            return size[1:] if size[0] == 1 else size
        if math.prod(self.lengths) != math.prod(size):
            raise UsageError(
                f"signal parameterization: lengths {self.lengths} in an image of {size}"
            )
        return self.lengths

    def _scale_of(self, lengths: tuple[int, ...]) -> Array:
        return axis_scale(lengths, self.decay_power, self.weights) / 4

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        shape = self._scale_of(self._lengths_of((height, width))).shape
        noise = self.sd * randomness.normal(seeds, (2, channels, *shape))
        return noise[:, 0], noise[:, 1]

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]."""
        return to_rgb(self.values(params, height, width), decorrelate=False)

    def values(self, params: Any, height: int, width: int) -> Tensor:
        """Compute unbounded values [B, H, W, C], before the sigmoid."""
        lengths = self._lengths_of((height, width))
        scale = tf.constant(self._scale_of(lengths), tf.float32)
        real, imaginary = params
        planes = _numbers_of(tf.complex(real * scale, imaginary * scale))
        planes = planes[..., : lengths[-1]] if lengths[-1] % 2 else planes
        values = tf.transpose(planes, [0, *range(2, planes.shape.rank), 1])
        return tf.reshape(values, [-1, height, width, values.shape[-1]])

    def from_images(self, images: Tensor) -> Any:
        """Return the parameters whose images are ``images`` [B, H, W, C] in [0, 1].

        Numbers at the ends of the range are moved half a step of 8 bits inwards.
        """
        height, width, channels = images.shape[1:]
        lengths = self._lengths_of((height, width))
        values = tf.reshape(to_values(images, decorrelate=False), [-1, *lengths, channels])
        if lengths[-1] % 2:
            values = tf.concat([values, values[..., -1:, :]], axis=-2)
        rank = values.shape.rank
        spectrum = _spectrum_of(tf.transpose(values, [0, rank - 1, *range(1, rank - 1)]))
        scale = tf.constant(self._scale_of(lengths), tf.float32)
        return tf.math.real(spectrum) / scale, tf.math.imag(spectrum) / scale

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, **plain(vars(self))}


def _numbers_of(spectrum: Tensor) -> Tensor:
    """Return the numbers [B, C, *lengths] of a spectrum, those of one to three axes.

    The transform of three axes has no gradient in TensorFlow: it is one of two and one of one.
    """
    if spectrum.shape.rank == 3:
        return tf.signal.irfft(spectrum)
    if spectrum.shape.rank == 4:
        return tf.signal.irfft2d(spectrum)
    last = [0, 1, 3, 4, 2]
    turned = tf.signal.ifft(tf.transpose(spectrum, last))
    return tf.signal.irfft2d(tf.transpose(turned, [last.index(k) for k in range(5)]))


def _spectrum_of(numbers: Tensor) -> Tensor:
    """Return the spectrum of numbers [B, C, *lengths]: the inverse of :func:`_numbers_of`."""
    rank = numbers.shape.rank
    forwards = {3: tf.signal.rfft, 4: tf.signal.rfft2d, 5: tf.signal.rfft3d}
    return forwards[rank](numbers)
