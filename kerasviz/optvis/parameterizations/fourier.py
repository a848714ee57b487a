"""The Fourier parameterization: one variable per frequency, scaled to equal energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import Coloured
from kerasviz.types import Array, Tensor


@lru_cache(maxsize=64)
def frequency_scale(height: int, width: int, decay_power: float) -> Array:
    """Return the factor of every frequency, float64 [H, n_fx].

    sqrt(W H) / max(f, 1 / max(W, H))^decay_power with f = |(fx, fy)| in cycles per pixel and
    n_fx = W // 2 + 1 (W // 2 + 2 for odd W, as in the reference library). Source: lucid,
    ``fft_image``.

    >>> float(frequency_scale(128, 128, 1.0)[0, 0])
    16384.0
    """
    fx = np.fft.fftfreq(width)[: width // 2 + 1 + width % 2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], fx[None, :])
    clamped = np.maximum(frequency, 1.0 / max(width, height))
    scale: Array = np.sqrt(width * height) / clamped**decay_power
    scale.flags.writeable = False
    return scale


@dataclass(frozen=True)
class Fourier(Coloured):
    """Images as sigmoid(M irfft2(scale * z) / 4) of spectra z, first normal with ``sd``.

    z are two real tensors, the real and imaginary parts [B, C, H, n_fx]; ``scale`` is
    :func:`frequency_scale`, which gives every frequency the energy it has in natural images; M is
    the colour decorrelation by ``root`` (``svd`` or ``cholesky``), for 3 channels and
    ``decorrelate`` only. Source: paper section "Preconditioning and Parameterization"; constants of
    lucid's ``fft_image``.

    >>> Fourier().to_image(Fourier().init(tf.constant([0, 1]), 5, 7, 3), 5, 7).shape
    TensorShape([2, 5, 7, 3])
    """

    sd: float = 0.01
    decay_power: float = 1.0
    decorrelate: bool = True
    root: str = "svd"
    kind: ClassVar[str] = "fourier"

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        columns = frequency_scale(height, width, self.decay_power).shape[1]
        noise = self.sd * randomness.normal(seeds, (2, channels, height, columns))
        return noise[:, 0], noise[:, 1]

    def from_values(self, values: Tensor) -> Any:
        """Return the spectra of unbounded values [B, H, W, C].

        Images of odd width are one column wider in the spectrum: that repeats the last one.
        """
        height, width = values.shape[1:3]
        if width % 2:
            values = tf.concat([values, values[:, :, -1:]], axis=2)
        planes = tf.transpose(values, [0, 3, 1, 2])
        spectrum = tf.signal.rfft2d(planes)
        scale = tf.constant(frequency_scale(height, width, self.decay_power) / 4, tf.float32)
        return tf.math.real(spectrum) / scale, tf.math.imag(spectrum) / scale

    def values(self, params: Any, height: int, width: int) -> Tensor:
        """Compute unbounded values [B, H, W, C], before colours and sigmoid."""
        scale = tf.constant(frequency_scale(height, width, self.decay_power) / 4, tf.float32)
        real, imaginary = params
        planes = tf.signal.irfft2d(tf.complex(real * scale, imaginary * scale))
        values = tf.transpose(planes, [0, 2, 3, 1])
        return values[:, :, :width] if width % 2 else values
