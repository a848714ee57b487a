"""The magnitudes of the spectrum of photographs, of decorrelated colours."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from kerasviz.optvis.parameterizations.colour import ROOTS
from kerasviz.types import Array

#: Mean magnitudes of photographs by k, the number of waves across the picture, of its three
#: decorrelated colours. Measured in the spectrum that Horama ships (``spectrums.py``, 512 pixels);
#: above 112 it is that of enlarged pictures.
PROFILE = {
    1: (80143, 87406, 65559),
    2: (37435, 40583, 31166),
    4: (16921, 17409, 13921),
    8: (7464, 7439, 5995),
    16: (2974, 2901, 2481),
    32: (1141, 1117, 972),
    64: (393, 364, 346),
    96: (192, 167, 169),
    112: (140, 118, 122),
    128: (104, 83, 88),
    160: (55, 41, 45),
    192: (28, 18, 21),
    224: (11, 7, 8),
    256: (3, 2, 2),
}
#: The magnitudes of the mean colour (likewise).
MEAN = (255052, 269511, 227829)
#: How much larger magnitudes within 22.5 degrees of the axes are, by k (likewise).
CARDINAL = {1: 2.0, 2: 1.5, 4: 1.25, 32: 1.25, 64: 1.1, 128: 1.1, 256: 1.0}


@lru_cache(maxsize=16)
def radial_spectrum(height: int, width: int, channels: int) -> Array:
    """Return the built-in magnitudes, float64 [C, H, W // 2 + 1] at frequencies of ``rfft2``.

    They are those of a photograph that is scaled to the longer side, interpolated between the
    values of :data:`PROFILE` by the logarithms of both. Other than three channels all have the
    magnitudes of the first colour, which is nearly the brightness.

    >>> radial_spectrum(512, 512, 3)[:, 0, 0].tolist()
    [255052.0, 269511.0, 227829.0]
    """
    side = max(height, width)
    down, right = np.fft.fftfreq(height)[:, None] * side, np.fft.rfftfreq(width)[None, :] * side
    waves = np.maximum(np.hypot(down, right), 1.0)
    straight = np.abs(np.sin(2 * np.arctan2(np.abs(down), right))) <= np.sin(np.pi / 4)
    rising = np.where(straight, _interpolated(waves, CARDINAL), 1.0)
    planes = []
    for colour in range(3) if channels == 3 else [0] * channels:
        plane = rising * _interpolated(waves, {k: row[colour] for k, row in PROFILE.items()})
        plane[0, 0] = MEAN[colour]
        planes.append(plane)
    spectrum: Array = np.stack(planes)
    spectrum.flags.writeable = False
    return spectrum


def _interpolated(waves: Array, points: dict[int, float]) -> Array:
    """Interpolate between points by the logarithms of both; beyond the last go on straight."""
    x, y = np.log(list(points)), np.log(list(points.values()))
    slope = (y[-1] - y[-3]) / (x[-1] - x[-3])
    beyond = np.log(waves).max() + 1.0
    x, y = np.append(x, x[-1] + beyond), np.append(y, y[-1] + slope * beyond)
    result: Array = np.exp(np.interp(np.log(waves), x, y))
    return result


def measured_spectrum(photos: Iterable[Array]) -> Array:
    """Return the mean magnitudes of photographs [S, S, 3] in [0, 1], float32 [3, S, S // 2 + 1].

    Colours are decorrelated first. There must be at least one photograph, and all have one size.
    """
    decorrelate = np.linalg.inv(ROOTS["svd"].T)
    total: Array = np.zeros(())
    count = 0
    for photo in photos:
        planes = np.moveaxis(np.asarray(photo, np.float64) @ decorrelate, 2, 0)
        total, count = total + np.abs(np.fft.rfft2(planes)), count + 1
    mean: Array = (total / count).astype(np.float32)
    return mean


def fitted_spectrum(spectrum: Array, height: int, width: int, channels: int) -> Array:
    """Return measured magnitudes [3, S, S // 2 + 1] for a picture, float64 [C, H, W // 2 + 1].

    They are interpolated bilinearly between frequencies in waves a pixel, but for the mean colour,
    and those of waves straight down are as those straight up, as irfft2 needs them. Other than
    three channels all have the magnitudes of the first colour.
    """
    side = spectrum.shape[1]
    planes = np.fft.fftshift(np.asarray(spectrum, np.float64), axes=1)
    middle = side // 2
    mean = planes[:, middle, 0].copy()
    planes[:, middle, 0] = planes[:, middle, min(1, planes.shape[2] - 1)]
    down, right = np.fft.fftfreq(height), np.fft.rfftfreq(width)
    planes = _resampled(planes, np.fft.fftshift(np.fft.fftfreq(side)), down, axis=1)
    planes = _resampled(planes, np.fft.rfftfreq(side), right, axis=2)
    for column in {0, width // 2} if width % 2 == 0 else {0}:
        opposite = np.roll(planes[:, ::-1, column], 1, axis=1)
        planes[:, :, column] = (planes[:, :, column] + opposite) / 2
    planes[:, 0, 0] = mean
    return planes if channels == 3 else np.repeat(planes[:1], channels, axis=0)


def _resampled(planes: Array, before: Array, after: Array, axis: int) -> Array:
    """Interpolate along an axis between increasing frequencies."""
    place = np.interp(after, before, np.arange(len(before)))
    low = np.minimum(np.floor(place).astype(int), max(0, len(before) - 2))
    high = np.minimum(low + 1, len(before) - 1)
    share = (place - low)[:, None] if axis == 1 else place - low
    lower, upper = np.take(planes, low, axis), np.take(planes, high, axis)
    result: Array = lower + (upper - lower) * share
    return result
