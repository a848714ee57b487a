"""MACO: images whose spectrum has the magnitudes of photographs; only phases are optimized."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.held_array import HeldArray, plain
from kerasviz.optvis.parameterizations.colour import evenly, to_rgb
from kerasviz.optvis.parameterizations.spectrum import fitted_spectrum, radial_spectrum
from kerasviz.types import Array, Tensor

#: What is added to a deviation before it divides (Horama, ``maco_fv.py``).
EPSILON = 1e-5
#: The standard deviation of parameters that are uniform in -pi .. pi.
PHASE_SD = math.pi / math.sqrt(3)


@dataclass(frozen=True)
class Maco:
    """Images as sigmoid(contrast M std(irfft2(A exp(i phase)))), with fixed magnitudes A.

    Parameters [B, C, H, W // 2 + 1] are first uniform in -pi .. pi. The phases are std(parameters)
    scaled to that deviation, plus :func:`base_phases`. std(t) is (t - mean) / sd over all numbers
    of a picture, M the colour decorrelation for 3 channels, and A the spectrum of photographs, see
    :func:`radial_spectrum`. In columns of frequency 0 and W / 2 the lower half of the phases is
    minus the upper, so that irfft2 keeps all magnitudes but those of the four real bins, which keep
    A cos(phase); the mean colour depends on them. Source: Fel et al., "Unlocking Feature
    Visualization for Deeper Networks with MAgnitude Constrained Optimization" (2023), and its
    programs Horama and xplique, whose phases are std(parameters) alone.

    Args:
        contrast: The deviation of the values before the sigmoid; 1 in the sources.
        spectrum: The magnitudes [3, S, S // 2 + 1] of photographs, see :func:`measured_spectrum`;
            by default those that are built in.

    Example:
        >>> Maco().to_image(Maco().init(tf.constant([0, 1]), 5, 7, 3), 5, 7).shape
        TensorShape([2, 5, 7, 3])
    """

    contrast: float = 1.0
    spectrum: HeldArray | None = None
    kind: ClassVar[str] = "maco"

    def __post_init__(self) -> None:
        if not 0 < self.contrast < math.inf:
            raise UsageError(f"maco parameterization: contrast {self.contrast}; expected above 0")
        if self.spectrum is not None and self.spectrum.array is not None:
            shape = self.spectrum.array.shape
            if len(shape) != 3 or shape != (3, shape[1], shape[1] // 2 + 1):
                raise UsageError(
                    f"maco parameterization: spectrum of shape {shape}; expected 3 colours of "
                    "rfft2 of a square, (3, S, S // 2 + 1)"
                )

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Tensor:
        """Return the initial phases for ``seeds`` [B]; row i depends on its seed only."""
        shape = (channels, height, width // 2 + 1)
        uniforms = randomness.uniform(seeds, tf.constant(0), math.prod(shape))
        return math.pi * (2 * tf.reshape(uniforms, [-1, *shape]) - 1)

    def magnitudes(self, height: int, width: int, channels: int) -> Array:
        """Return the magnitudes A, float32 [C, H, W // 2 + 1]; their scale has no meaning."""
        if self.spectrum is None:
            return _scaled(radial_spectrum(height, width, channels))
        return _scaled(fitted_spectrum(self.spectrum.numbers, height, width, channels))

    def values(self, params: Tensor, height: int, width: int) -> Tensor:
        """Compute values [B, H, W, C] of mean 0 and deviation 1, before colours and sigmoid."""
        magnitudes = tf.constant(self.magnitudes(height, width, params.shape[1]))
        phases = _real_images(params, height, width)
        waves = [magnitudes * evenly(function, phases) for function in (tf.cos, tf.sin)]
        planes = tf.signal.irfft2d(tf.complex(*waves), fft_length=[height, width])
        return _standardized(tf.transpose(planes, [0, 2, 3, 1]))

    def to_image(self, params: Tensor, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]."""
        return to_rgb(self.contrast * self.values(params, height, width))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        settings = plain(vars(self))
        return {"kind": self.kind, **{k: v for k, v in settings.items() if v is not None}}


def _scaled(magnitudes: Array) -> Array:
    """Scale magnitudes so that the image has numbers of about 1."""
    height = magnitudes.shape[1]
    scale = height * math.sqrt(float(np.mean(np.square(magnitudes))) / magnitudes[0].size)
    scaled: Array = (magnitudes / scale).astype(np.float32)
    return scaled


@lru_cache(maxsize=16)
def base_phases(height: int, width: int, channels: int) -> Array:
    """Return the phases to which those of every picture are added, float32 [C, H, W // 2 + 1].

    They are uniform in -pi .. pi. Parameters that are optimized become normal, and waves of phases
    about 0 would add up to a bright spot in the corners, of up to 6 deviations.
    """
    shape = (channels, height, width // 2 + 1)
    # The legacy generator, whose numbers are the same in every version of NumPy.
    uniforms = np.random.RandomState(0).random_sample(shape)
    phases: Array = (np.pi * (2 * uniforms - 1)).astype(np.float32)
    phases.flags.writeable = False
    return phases


@lru_cache(maxsize=16)
def _masks(height: int, width: int) -> tuple[Array, Array]:
    """Return which phases [H, W // 2 + 1] are free, and which are minus those of -fy."""
    free = np.ones((height, width // 2 + 1), np.float32)
    for column in {0, width // 2} if width % 2 == 0 else {0}:
        free[height // 2 + 1 :, column] = 0
    return free, 1 - free


def _real_images(params: Tensor, height: int, width: int) -> Tensor:
    """Return the phases [B, C, H, W // 2 + 1] of real images."""
    free, mirrored = _masks(height, width)
    base = tf.constant(base_phases(height, width, params.shape[1]))
    phases = base + _standardized(params, tf.constant(free)) * PHASE_SD
    opposite = tf.concat([phases[:, :, :1], tf.reverse(phases[:, :, 1:], [2])], axis=2)
    return tf.constant(free) * phases - tf.constant(mirrored) * opposite


def _standardized(values: Tensor, weights: Tensor = 1.0) -> Tensor:
    """Return values [B, ...] less their mean, over their deviation, those of each row.

    Values whose ``weights`` are 0 do not count.
    """
    axes = list(range(1, values.shape.rank))
    count = tf.reduce_sum(tf.ones(values.shape[1:]) * weights)
    mean = tf.reduce_sum(values * weights, axes, keepdims=True) / count
    centred = values - mean
    variance = tf.reduce_sum(tf.square(centred) * weights, axes, keepdims=True) / count
    return centred / (tf.sqrt(variance) + EPSILON)
