"""Filters that gather the frequencies of a spectrum in bands, as wide as ears tell them apart."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kerasviz.types import Array

#: Hz per mel of Slaney's scale below 1000 Hz.
SLANEY_LINEAR = 200 / 3
#: The frequency in Hz from which on Slaney's scale is logarithmic.
SLANEY_BREAK = 1000.0
#: The steps of Slaney's scale in which a frequency grows by a factor of 6.4.
SLANEY_STEP = np.log(6.4) / 27

#: The scales of bands by name: the mel scale, and whether triangles are straight over mels (else
#: over Hz).
MEL_KINDS = {
    "htk": ("htk", True),
    "kaldi": ("htk", True),
    "slaney": ("slaney", False),
    "torchaudio": ("htk", False),
}


def hz_to_mel(hz: Array, scale: str) -> Array:
    """Return frequencies in mels of the scale ``htk`` or ``slaney``.

    HTK: 2595 log10(1 + f / 700); that of Kaldi, 1127 ln(1 + f / 700), differs by a factor only.

    >>> hz_to_mel(np.array([500.0, 1000.0, 6400.0]), "slaney").round(6).tolist()
    [7.5, 15.0, 42.0]
    """
    if scale == "htk":
        mels: Array = 2595 * np.log10(1 + hz / 700)
        return mels
    above = np.log(np.maximum(hz, SLANEY_BREAK) / SLANEY_BREAK) / SLANEY_STEP
    slaney: Array = np.minimum(hz, SLANEY_BREAK) / SLANEY_LINEAR + above
    return slaney


def mel_to_hz(mel: Array, scale: str) -> Array:
    """Return mels as frequencies in Hz.

    >>> mel_to_hz(np.array([7.5, 42.0]), "slaney").round(6).tolist()
    [500.0, 6400.0]
    """
    if scale == "htk":
        hz: Array = 700 * (10 ** (mel / 2595) - 1)
        return hz
    corner = SLANEY_BREAK / SLANEY_LINEAR
    above = np.exp(np.maximum(mel - corner, 0) * SLANEY_STEP)
    slaney: Array = np.minimum(mel, corner) * SLANEY_LINEAR * above
    return slaney


@lru_cache(maxsize=32)
def mel_filters(
    kind: str, rate: int, fft: int, bands: int, hz_range: tuple[float, float], area_norm: bool
) -> Array:
    """Return triangular filters, float32 [fft // 2 + 1, bands].

    Corners are evenly spaced over mels between the two frequencies of ``hz_range``. Sources:
    ``tf.signal.linear_to_mel_weight_matrix`` (htk), ``torchaudio.compliance.kaldi`` (kaldi),
    ``librosa.filters.mel`` (slaney), ``torchaudio.functional.melscale_fbanks`` (torchaudio). With
    ``area_norm`` each filter is multiplied by 2 / its width in Hz.
    """
    scale, over_mels = MEL_KINDS[kind]
    hz = np.arange(fft // 2 + 1) * rate / fft
    low, high = hz_to_mel(np.array(hz_range, np.float64), scale)
    mels = np.linspace(low, high, bands + 2)
    corners_hz = mel_to_hz(mels, scale)
    bins, corners = (hz_to_mel(hz, scale), mels) if over_mels else (hz, corners_hz)
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins[:, None] - left) / (middle - left)
    falling = (right - bins[:, None]) / (right - middle)
    weights = np.maximum(0, np.minimum(rising, falling))
    if area_norm:
        weights *= 2 / (corners_hz[2:] - corners_hz[:-2])
    filters: Array = weights.astype(np.float32)
    filters.flags.writeable = False
    return filters
