"""Sounds of fixed loudness, by one variable per frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.types import Array, Tensor

#: What is added to the mean square of a sound before its root divides.
EPSILON = 1e-12
#: The largest power of a magnitude; small first variables have no numbers beyond it.
MOST_SPARSE = 2


@lru_cache(maxsize=16)
def pink_scale(
    samples: int, rate: int, power: float, floor: float, band: tuple[float, float]
) -> Array:
    """Return the factor of every frequency of a sound, float32 [samples // 2 + 1].

    1 / max(f, floor)^power with f in Hz, and 0 outside the ``band`` (lowest, highest) and at f = 0.
    It is scaled so that variables of deviation 1 give a sound whose mean square is 1.

    >>> pink_scale(8, 8000, 1.0, 30.0, (20.0, 2000.0)).astype(float).round(3).tolist()
    [0.0, 3.578, 1.789, 0.0, 0.0]
    """
    frequencies = np.fft.rfftfreq(samples, 1 / rate)
    inside = (frequencies > 0) & (frequencies >= band[0]) & (frequencies <= band[1])
    scale = np.where(inside, np.maximum(frequencies, floor) ** -power, 0.0)
    # Each but the last bin of an even number stands for two waves, of a real and an imaginary part.
    squares = 4 * np.sum(np.square(scale)) / samples**2
    scaled: Array = (scale / math.sqrt(squares or 1.0)).astype(np.float32)
    scaled.flags.writeable = False
    return scaled


@dataclass(frozen=True)
class Waveform:
    """Sounds x = loudness u / rms(u) of u = irfft(scale z), as images (x + 1) / 2 [B, 1, T, C].

    z are two real tensors, the real and imaginary parts [B, C, T // 2 + 1], first normal with
    ``sd``; ``scale`` is :func:`pink_scale`. All sounds have one loudness, so that nothing is gained
    by louder ones; a third tensor [B, 1, 1] holds it, which is not optimized. Sounds can be played
    in a circle. Numbers beyond -1 and 1 are not cut off. The loudness is that of the metamers of
    Feather et al., "Model metamers reveal divergent invariances between biological and artificial
    neural networks" (2023).

    Args:
        rate: The samples per second; 0 for those of the network.
        loudness: The root mean square of a sound.
        decay_power: The power of the frequency by which the spectrum falls; 0.5 is brighter.
        floor: The frequency in Hz below which the spectrum does not rise further.
        lowest: The lowest frequency in Hz.
        highest: The highest frequency in Hz; 0 for half of the rate.
        sparsity: The power p of |z| in z |z|^p, which takes the place of z: with 1 a frequency that
            grew ten times as large as others is a hundred times as loud. Adam moves frequencies
            that hardly matter as far as others, and their energy would be heard.
        sd: The deviation of the first z.

    Example:
        >>> Waveform(8000).to_image(Waveform(8000).init(tf.constant([0, 1]), 1, 99, 1), 1, 99).shape
        TensorShape([2, 1, 99, 1])
    """

    rate: int = 0
    loudness: float = 0.1
    decay_power: float = 1.0
    floor: float = 30.0
    lowest: float = 20.0
    highest: float = 0.0
    sparsity: float = 0.0
    sd: float = 0.01
    kind: ClassVar[str] = "waveform"
    media: ClassVar[tuple[str, ...]] = ("sound",)

    def __post_init__(self) -> None:
        if not isinstance(self.rate, int) or self.rate < 0:
            raise UsageError(
                f"waveform parameterization: rate {self.rate!r}; expected samples per second, such "
                "as 16000"
            )
        if not 0 <= self.sparsity <= MOST_SPARSE:
            raise UsageError(
                f"waveform parameterization: sparsity {self.sparsity}; expected 0 to {MOST_SPARSE}"
            )
        for name in ("loudness", "floor", "sd"):
            if not 0 < getattr(self, name) < math.inf:
                value = getattr(self, name)
                raise UsageError(f"waveform parameterization: {name} {value}; expected above 0")
        nyquist = self.rate / 2 or math.inf
        if not 0 <= self.lowest < (self.highest or nyquist) <= nyquist:
            top = f"half of the rate, {nyquist:g} Hz" if self.rate else "a higher one"
            raise UsageError(
                f"waveform parameterization: frequencies from {self.lowest:g} to "
                f"{self.highest:g} Hz; expected a band from 0 or more up to {top}"
            )

    def scale(self, samples: int) -> Array:
        """Return the factor of every frequency of a sound of some samples.

        Raises :class:`UsageError` where the rate is not known, or nothing is left of the band.
        """
        if not self.rate:
            raise UsageError(
                "waveform parameterization: the rate is not known; give --rate HZ (in Python: "
                "rate=)"
            )
        band = (self.lowest, self.highest or self.rate / 2)
        scale = pink_scale(samples, self.rate, self.decay_power, self.floor, band)
        if not scale.any():
            raise UsageError(
                f"{samples} samples at {self.rate} Hz: a sound of {1000 * samples / self.rate:.3g} "
                f"ms has no frequency from {band[0]:g} to {band[1]:g} Hz; give a longer one by "
                "--seconds"
            )
        return scale

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        if height != 1:
            raise UsageError(
                f"param {self.kind}: for networks that take sounds, not images of {height} x "
                f"{width} pixels; leave it out"
            )
        noise = self.sd * randomness.normal(seeds, (2, channels, len(self.scale(width))))
        return noise[:, 0], noise[:, 1], tf.fill([noise.shape[0], 1, 1], self.loudness)

    def from_images(self, images: Tensor) -> Any:
        """Return the parameters of sounds [B, 1, T, C], without the frequencies out of the band.

        They keep their own loudness.
        """
        sounds = tf.transpose(2 * images[:, 0] - 1, [0, 2, 1])
        samples = sounds.shape[-1]
        scale = self.scale(samples)
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        spectrum = tf.signal.rfft(sounds)
        real, imaginary = tf.math.real(spectrum) * inverse, tf.math.imag(spectrum) * inverse
        loudness = _rms(_waves(real, imaginary, scale, samples))
        power = -self.sparsity / (1 + self.sparsity)
        real, imaginary = _with_power(real, imaginary, power)
        # Variables of about 1, as those that are optimized from noise.
        size = tf.sqrt(
            tf.reduce_mean(tf.square(real) + tf.square(imaginary), [1, 2], keepdims=True) + EPSILON
        )
        return real / size, imaginary / size, loudness

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute sounds as images [B, 1, T, C]; 0.5 is silence."""
        real, imaginary, loudness = params
        real, imaginary = _with_power(real, imaginary, self.sparsity)
        waves = _waves(real, imaginary, self.scale(width), width)
        # A gradient of 0, not none, so that optimizers leave the loudness as it is.
        held = tf.stop_gradient(loudness) + 0.0 * loudness
        sounds = held * waves / _rms(waves)
        return (tf.transpose(sounds, [0, 2, 1])[:, None] + 1) / 2

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, **vars(self)}


def _waves(real: Tensor, imaginary: Tensor, scale: Array, samples: int) -> Tensor:
    """Return the sounds [B, C, T] of variables [B, C, T // 2 + 1] before their loudness."""
    spectrum = tf.complex(real * scale, imaginary * scale)
    return tf.signal.irfft(spectrum, fft_length=[samples])


def _with_power(real: Tensor, imaginary: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """Return complex numbers z |z|^power by their parts."""
    if not power:
        return real, imaginary
    size = (tf.square(real) + tf.square(imaginary) + EPSILON) ** (power / 2)
    return real * size, imaginary * size


def _rms(sounds: Tensor) -> Tensor:
    """Return the root mean square [B, 1, 1] of sounds [B, C, T]."""
    return tf.sqrt(tf.reduce_mean(tf.square(sounds), [1, 2], keepdims=True) + EPSILON)
