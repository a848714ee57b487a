"""The Fourier image (lucid, ``fft_image``) as the sum of waves that it is."""

from __future__ import annotations

import numpy as np

from reference.colour import to_rgb


def signed_frequency(k, n):
    """Cycles per pixel of wave k of n."""
    return (k if k < (n + 1) // 2 else k - n) / n


def scale(height, width, decay_power=1.0):
    columns = width // 2 + 1 if width % 2 == 0 else width // 2 + 2
    table = np.zeros((height, columns))
    for k in range(height):
        for j in range(columns):
            f = np.hypot(signed_frequency(k, height), signed_frequency(j, width))
            f = max(f, 1 / max(width, height))
            table[k, j] = np.sqrt(width * height) / f**decay_power
    return table


def waves(spectrum, width):
    """The real image [H, width] of a half spectrum [H, n_fx]: an explicit sum over waves.

    The spectrum belongs to 2 (n_fx - 1) columns, of which the first ``width`` are kept.
    """
    height, columns = spectrum.shape
    full = 2 * (columns - 1)
    y, x = np.arange(height)[:, None], np.arange(full)[None, :]
    image = np.zeros((height, full))
    for k in range(height):
        for j in range(columns):
            twice = 1 if j in (0, columns - 1) else 2  # a wave and its mirror image
            phase = 2 * np.pi * (k * y / height + j * x / full)
            wave = spectrum[k, j].real * np.cos(phase) - spectrum[k, j].imag * np.sin(phase)
            image += twice * wave
    return image[:, :width] / (height * full)


def values(real, imaginary, height, width, decay_power=1.0):
    """Unbounded values [B, H, W, C] of the real and imaginary parts [B, C, H, n_fx]."""
    z = np.asarray(real, np.float64) + 1j * np.asarray(imaginary, np.float64)
    out = np.zeros((z.shape[0], height, width, z.shape[1]))
    for b, c in np.ndindex(z.shape[:2]):
        out[b, :, :, c] = waves(z[b, c] * scale(height, width, decay_power), width) / 4
    return out


def image(params, height, width, decay_power=1.0, decorrelate=True):
    return to_rgb(values(*params, height, width, decay_power), decorrelate)
