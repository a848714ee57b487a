"""Compute spectrograms in TensorFlow, with gradients to the sound."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard
from kerasviz.network.front_ends.mel import mel_filters
from kerasviz.types import Array, Tensor

#: The least deviation of a standardized frame (crepe, ``core.py``).
LEAST_SD = 1e-8


def spectrogram(card: FrontEndCard, sounds: Tensor) -> Tensor:
    """Compute spectrograms [B, frames, bands] of sounds [B, T] in [-1, 1].

    A card of standardized frames gives [B, frames, window]. Where the card names a number of frames
    and pads, the result has that number.

    Raises:
        UsageError: For a sound that is too short for one frame.
    """
    given = sounds.shape[1]
    if card.padding == "silence" and card.frames:
        missing = card.samples_of(card.frames) - given
        sounds = tf.pad(sounds, [[0, 0], [0, max(0, missing)]])
    frames = framed(card, sounds)
    if card.standardized:
        return _standardized(frames)
    numbers = _logarithm(card, _bands(card, frames))
    if card.padding == "zeros" and card.frames > frames.shape[1]:
        numbers = tf.pad(numbers, [[0, 0], [0, card.frames - frames.shape[1]], [0, 0]])
    return (numbers - card.mean) / card.sd


def framed(card: FrontEndCard, sounds: Tensor) -> Tensor:
    """Cut sounds [B, T] into frames [B, F, window]."""
    samples = sounds.shape[1]
    margin = card.fft // 2
    if card.frames_of(samples) < 1 or (card.centred and samples <= margin):
        least = max(card.samples_of(1), margin + 1 if card.centred else 0)
        raise UsageError(
            f"sound of {samples} samples is too short for a spectrogram; give {least} or more, "
            f"{1000 * least / card.rate:.3g} ms"
        )
    if card.centred:
        sounds = tf.pad(sounds, [[0, 0], [margin, margin]], mode="REFLECT")
        # The window lies in the middle of the transform.
        early = (card.fft - card.window) // 2
        sounds = sounds[:, early : samples + 2 * margin - (card.fft - card.window - early)]
    frames = tf.signal.frame(sounds, card.window, card.hop)
    return frames[:, :-1] if card.drop_last else frames


def hann(samples: int, symmetric: bool = False) -> Array:
    """Return a Hann window, float32.

    >>> hann(4).tolist(), hann(3, symmetric=True).tolist()
    ([0.0, 0.5, 1.0, 0.5], [0.0, 1.0, 0.0])
    """
    places = np.arange(samples) / (samples - symmetric)
    window: Array = (0.5 - 0.5 * np.cos(2 * math.pi * places)).astype(np.float32)
    return window


def _standardized(frames: Tensor) -> Tensor:
    """Return frames [B, F, window] of mean 0 and deviation 1."""
    centred = frames - tf.reduce_mean(frames, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
    return centred / tf.sqrt(tf.maximum(variance, LEAST_SD**2))


def _bands(card: FrontEndCard, frames: Tensor) -> Tensor:
    """Return the magnitudes or energies of bands [B, F, bands] of frames [B, F, window]."""
    if card.remove_mean:
        frames -= tf.reduce_mean(frames, axis=-1, keepdims=True)
    if card.pre_emphasis:
        before = tf.concat([frames[..., :1], frames[..., :-1]], axis=-1)
        frames -= card.pre_emphasis * before
    spectrum = tf.signal.rfft(frames * hann(card.window, card.symmetric), [card.fft])
    if card.power == 1:
        numbers = tf.abs(spectrum)
    else:
        numbers = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    if not card.bands:
        return numbers
    hz_range = (card.low, card.highest)
    filters = mel_filters(card.mel, card.rate, card.fft, card.bands, hz_range, card.area_norm)
    return tf.matmul(numbers, filters)


def _logarithm(card: FrontEndCard, numbers: Tensor) -> Tensor:
    """Return the logarithms of bands [B, F, bands], as far as the card takes them."""
    numbers = card.gain * numbers + card.offset
    if card.floor:
        numbers = tf.maximum(numbers, card.floor)
    if card.log != "none":
        numbers = tf.math.log(numbers)
    if card.log == "log10":
        numbers /= math.log(10)
    if card.dynamic_range:
        largest = tf.reduce_max(numbers, [1, 2], keepdims=True)
        numbers = tf.maximum(numbers, largest - card.dynamic_range)
    return numbers
