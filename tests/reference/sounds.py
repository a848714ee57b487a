"""Sounds in NumPy, one row after the other."""

from __future__ import annotations

import numpy as np


def waveform(real, imaginary, samples, rate, power=1.0, floor=30.0, band=(20.0, np.inf), rms=0.1):
    """The sound [T] of variables [bins] of a row."""
    total = np.zeros(samples)
    moments = np.arange(samples)
    for k, (a, b) in enumerate(zip(real, imaginary, strict=True)):
        hz = k * rate / samples
        if k == 0 or not band[0] <= hz <= band[1]:
            continue
        scale = 1 / max(hz, floor) ** power
        angle = 2 * np.pi * k * moments / samples
        wave = a * np.cos(angle) - b * np.sin(angle)
        total += scale * wave * (1 if 2 * k == samples else 2)
    return rms * total / np.sqrt(np.mean(total**2))


def speed(sound, factor):
    """A sound [T] in another speed about its middle, in a circle."""
    middle = (len(sound) - 1) / 2
    result = []
    for moment in range(len(sound)):
        place = middle + factor * (moment - middle)
        before = int(np.floor(place))
        share = place - before
        first, second = sound[before % len(sound)], sound[(before + 1) % len(sound)]
        result.append((1 - share) * first + share * second)
    return np.array(result)
