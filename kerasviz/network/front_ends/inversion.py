"""Turn spectrograms back into sounds: energies of bands to frequencies, and Griffin-Lim."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import nnls

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard
from kerasviz.network.front_ends.mel import mel_filters
from kerasviz.network.front_ends.spectrogram import hann
from kerasviz.types import Array

#: The iterations and the momentum of Griffin-Lim (Perraudin et al. 2013; librosa).
ITERATIONS = 32
MOMENTUM = 0.99
#: Frames of the inverse transform in the length of one.
OVERLAP = 4
#: The least retention of which nothing is said.
LEAST_RETENTION = 0.5


def inverted(card: FrontEndCard, numbers: Array, seed: int = 0) -> Array:
    """Return a sound [T], float64, whose spectrogram is near ``numbers`` [frames, bands].

    The logarithm is undone, the magnitudes of frequencies are found by non-negative least squares,
    frames are interpolated to a hop of a fourth of the transform, and phases are found by
    Griffin-Lim from random ones. What many sounds share, no inverse can know: see
    :func:`retention`.

    Raises:
        UsageError: For a card without frequencies, and numbers of another shape.
    """
    if card.standardized:
        raise UsageError("front end: frames of samples are no spectrogram, and need no inverse")
    if numbers.ndim != 2 or numbers.shape[1] != card.width:
        shape = " x ".join(map(str, numbers.shape))
        raise UsageError(f"spectrogram of {shape} numbers: expected frames x {card.width}")
    magnitudes = magnitudes_of(card, numbers)
    hop = card.fft // OVERLAP
    samples = card.samples_of(len(numbers))
    moments = np.arange(1 + samples // hop) * hop
    first = 0 if card.centred else card.window / 2
    places = (moments - first) / card.hop
    frames = np.stack(
        [np.interp(places, np.arange(len(numbers)), column) for column in magnitudes.T], axis=1
    )
    sound = griffin_lim(frames, hop, samples, seed)
    return deemphasized(sound, card.pre_emphasis) if card.pre_emphasis else sound


def magnitudes_of(card: FrontEndCard, numbers: Array) -> Array:
    """Return magnitudes [frames, fft // 2 + 1] whose bands are nearest to ``numbers``."""
    logarithms = np.asarray(numbers, np.float64) * card.sd + card.mean
    base = {"ln": math.e, "log10": 10.0}.get(card.log)
    powers = logarithms if base is None else base**logarithms
    bands = np.maximum(powers - card.offset, 0) / card.gain
    if card.bands:
        hz_range = (card.low, card.highest)
        filters = mel_filters(card.mel, card.rate, card.fft, card.bands, hz_range, card.area_norm)
        scale = float(filters.max())
        matrix = filters.T.astype(np.float64) / scale
        bands = np.stack([nnls(matrix, frame / scale)[0] for frame in bands])
    magnitudes: Array = bands if card.power == 1 else np.sqrt(bands)
    return magnitudes


def griffin_lim(magnitudes: Array, hop: int, samples: int, seed: int = 0) -> Array:
    """Return a sound [samples] whose centred frames every ``hop`` have magnitudes [F, n // 2 + 1].

    Source: Perraudin, Balazs, Søndergaard, "A fast Griffin-Lim algorithm" (2013).
    """
    fft = 2 * (magnitudes.shape[1] - 1)
    random = np.random.default_rng(seed)
    phases = np.exp(2j * np.pi * random.random(magnitudes.shape))
    before = np.zeros_like(phases)
    for _ in range(ITERATIONS):
        sound = _synthesized(magnitudes * phases, fft, hop, samples)
        again = _analysed(sound, fft, hop)
        moved = again - MOMENTUM / (1 + MOMENTUM) * before
        phases = moved / np.maximum(np.abs(moved), 1e-16)
        before = again
    return _synthesized(magnitudes * phases, fft, hop, samples)


def _analysed(sound: Array, fft: int, hop: int) -> Array:
    """Return the spectra [F, fft // 2 + 1] of centred frames of a sound."""
    padded = np.pad(sound, fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop]
    spectra: Array = np.fft.rfft(frames * hann(fft), axis=-1)
    return spectra


def _synthesized(spectra: Array, fft: int, hop: int, samples: int) -> Array:
    """Return the sound whose frames are nearest to those of spectra [F, fft // 2 + 1]."""
    window = hann(fft).astype(np.float64)
    frames = np.fft.irfft(spectra, fft, axis=-1) * window
    length = max((len(frames) - 1) * hop + fft, samples + fft)
    sound, weight = np.zeros(length), np.zeros(length)
    for number, frame in enumerate(frames):
        place = slice(number * hop, number * hop + fft)
        sound[place] += frame
        weight[place] += window**2
    whole: Array = sound / np.maximum(weight, 1e-8)
    return whole[fft // 2 : fft // 2 + samples]


def deemphasized(sound: Array, share: float) -> Array:
    """Return a sound to each sample of which ``share`` of the one before is added."""
    from scipy.signal import lfilter

    emphasized: Array = lfilter([1.0], [1.0, -share], sound)
    return emphasized


def retention(of_sound: float, of_spectrogram: float) -> float:
    """Return the part of an activation that is left once a spectrogram became a sound.

    It is NaN where the spectrogram's activation is not above 0.

    >>> retention(1.5, 2.0), retention(1.0, -1.0)
    (0.75, nan)
    """
    return of_sound / of_spectrogram if of_spectrogram > 0 else float("nan")


def retention_warning(part: float) -> str:
    """Say that the sound is not what the unit saw, "" where most is left.

    >>> retention_warning(0.75)
    ''
    """
    if part >= LEAST_RETENTION:
        return ""
    if math.isnan(part):
        return "the spectrogram does not excite the unit itself: give more --steps, another --seed"
    return (
        f"the sound keeps {part:.0%} of the activation that the spectrogram has: it is not what "
        "the unit saw; give the network's own --front-end, so that the sound itself is optimized"
    )
