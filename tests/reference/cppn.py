"""A network that paints (lucid, ``cppn``), pixel after pixel."""

from __future__ import annotations

import numpy as np

from reference.colour import sigmoid


def places(n, longest):
    """Places of n pixels: 0 in the middle, those of the longest side from -sqrt(3) to sqrt(3)."""
    spacing = np.ptp(np.linspace(-(3**0.5), 3**0.5, longest)) / (longest - 1) if longest > 1 else 0
    return [(i - (n - 1) / 2) * spacing for i in range(n)]


def activated(x, activation):
    a = np.arctan(x)
    if activation == "composite":
        return np.concatenate([a / 0.67, a**2 / 0.6])
    if activation == "unbiased":
        return np.concatenate([a / 0.67, (a**2 - 0.45) / 0.396])
    return (np.maximum(x, 0) - 0.4) / 0.58


def image(params, height, width, activation):
    """Images [B, H, W, C] of weights [B, in, out] and biases [B, out] in turn."""
    params = [np.asarray(p, np.float64) for p in params]
    out = np.zeros((len(params[0]), height, width, params[-1].shape[-1]))
    longest = max(height, width)
    for row, i, j in np.ndindex(out.shape[:3]):
        numbers = np.array([places(width, longest)[j], places(height, longest)[i]])
        for k in range(0, len(params), 2):
            numbers = numbers @ params[k][row] + params[k + 1][row]
            if k + 2 < len(params):
                numbers = activated(numbers, activation)
        out[row, i, j] = sigmoid(numbers)
    return out
