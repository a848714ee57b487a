"""Penalties on an image [H, W, C] (lucid, ``objectives.py``), pixel by pixel."""

from __future__ import annotations

import numpy as np


def l1(x):
    return sum(abs(value - 0.5) for value in x.reshape(-1))


def total_variation(x):
    total = 0.0
    for i, j, c in np.ndindex(x.shape):
        if i:
            total += abs(x[i, j, c] - x[i - 1, j, c])
        if j:
            total += abs(x[i, j, c] - x[i, j - 1, c])
    return total


def blurred(x):
    out = np.zeros_like(x)
    height, width, _ = x.shape
    for i, j in np.ndindex(height, width):
        weights = 0.0
        for a in range(max(0, i - 1), min(height, i + 2)):
            for b in range(max(0, j - 1), min(width, j + 2)):
                weight = 1.0 if (a, b) == (i, j) else 0.5
                out[i, j] += weight * x[a, b]
                weights += weight
        out[i, j] /= weights
    return out


def blur(x):
    return 0.5 * ((x - blurred(x)) ** 2).sum()
