"""The magnitudes of the spectrum of photographs, of decorrelated colours."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

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
