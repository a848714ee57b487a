"""Colour decorrelation (lucid, ``to_valid_rgb``), one pixel after the other."""

from __future__ import annotations

import numpy as np

# The numbers as the source prints them, not the formula that kerasviz uses.
M = np.array([[0.5628, 0.1948, 0.0433], [0.5845, 0.0, -0.1082], [0.5845, -0.1948, 0.0649]])
S = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
LARGEST_COLUMN_NORM = 0.46195
CHOLESKY = np.array([[0.28, 0, 0], [0.25, 0.12, 0], [0.23, 0.14, 0.14]])


def sigmoid(values):
    return 1 / (1 + np.exp(-np.asarray(values, np.float64)))


def to_rgb(values, decorrelate=True, root=S):
    """Images of values [B, H, W, C]."""
    values = np.asarray(values, np.float64)
    mixed = np.empty_like(values)
    norm = max(np.sqrt((root[:, k] ** 2).sum()) for k in range(3))
    for place in np.ndindex(values.shape[:3]):
        v = values[place]
        mixed[place] = root @ v / norm if decorrelate and len(v) == 3 else v
    return sigmoid(mixed)
