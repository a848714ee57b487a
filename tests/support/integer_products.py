"""Weights of 8 bits of whose products with uint8 onnxruntime makes exact sums here.

Without VNNI it adds pairs of products in 16 bits, and cuts off those of weights beyond 7 bits.
"""

from __future__ import annotations

import numpy as np

from support.processor import VNNI

#: The lowest weight, and one more than the highest.
LOWEST, BEYOND = (-128, 128) if VNNI else (-64, 64)


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw int8 weights."""
    return np.random.default_rng(seed).integers(LOWEST, BEYOND, shape).astype(np.int8)
