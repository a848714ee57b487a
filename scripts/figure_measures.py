"""Measures of pictures for the claims of the article."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["distances", "energy_map", "gram_cosines", "surround_share"]

Array = np.ndarray[Any, Any]


def energy_map(images: Array) -> Array:
    """Measure how far each position of images [B, H, W, C] is from the median colour: [B, H, W].

    The distance is squared; it is 0 in an empty surround.
    """
    apart = np.asarray(images, np.float64)
    apart = apart - np.median(apart, axis=(1, 2), keepdims=True)
    found: Array = (apart**2).sum(-1)
    return found


def surround_share(images: Array, part: float = 0.5) -> Array:
    """Measure the energy by area outside a central box, as a share of that inside and outside: [B].

    The box has ``part`` of the height and width. 0.5 for a texture that fills an image [B, H, W,
    C], near 0 for something in the centre with an empty surround.

    >>> image = np.zeros((1, 8, 8, 3))
    >>> image[:, 3:5, 3:5] = 1
    >>> surround_share(image).tolist()
    [0.0]
    """
    energy = energy_map(images)
    height, width = energy.shape[1:]
    inside = np.zeros((height, width), bool)
    top, left = round(height * (1 - part) / 2), round(width * (1 - part) / 2)
    inside[top : height - top, left : width - left] = True
    centre, rest = energy[:, inside].mean(1), energy[:, ~inside].mean(1)
    found: Array = rest / (centre + rest)
    return found


def distances(images: Array) -> Array:
    """Compute the root mean square difference of every two images [B, ...]: [B, B]."""
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    found: Array = np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(-1))
    return found


def gram_cosines(activations: Array) -> Array:
    """Compute the cosines of the Gram matrices of activations [B, H, W, C], of every two: [B, B].

    Source: paper, section "Achieving Diversity with Optimization".
    """
    flat = np.asarray(activations, np.float64).reshape(len(activations), -1, activations.shape[-1])
    gram = np.einsum("bpi,bpj->bij", flat, flat).reshape(len(flat), -1)
    gram /= np.linalg.norm(gram, axis=1, keepdims=True)
    found: Array = gram @ gram.T
    return found
