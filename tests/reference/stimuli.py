"""Stimuli by the formulas of their definition, pixel by pixel and point by point."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def points() -> list[tuple[float, float]]:
    """Points in a pixel, to the right and up: in 36 cells of a quarter, in four rotations."""
    random = np.random.default_rng(0).uniform(0, 1, (2, 36))
    turned = []
    for k in range(36):
        right, up = (k // 6 + random[0, k]) / 12, (k % 6 + random[1, k]) / 12
        turned += [(right, up), (-up, right), (-right, -up), (up, -right)]
    return turned


def curve(degrees: float, radius: float, width: float) -> Callable[[float, float], float]:
    """E of a curve: on the arc the distance from its circle, else that from its tangents."""
    theta, w = math.radians(degrees), math.radians(width)

    def value(right: float, up: float) -> float:
        a = right * math.cos(theta) + up * math.sin(theta) + radius
        b = up * math.cos(theta) - right * math.sin(theta)
        if abs(math.atan2(b, a)) <= w / 2:
            return math.hypot(a, b) - radius
        return a * math.cos(w / 2) + abs(b) * math.sin(w / 2) - radius

    return value


def line(degrees: float, offset: float) -> Callable[[float, float], float]:
    theta = math.radians(degrees)
    return lambda right, up: right * math.cos(theta) + up * math.sin(theta) - offset


def shares(
    size: tuple[int, int],
    centre: tuple[float, float],
    light: Callable[[float, float], bool],
) -> np.ndarray:
    """The share of points of each pixel that are light."""
    image = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            seen = [light(x - centre[1] + r, centre[0] - y + u) for r, u in points()]
            image[y, x] = sum(seen) / len(seen)
    return image


def faded(image: np.ndarray, centre: tuple[float, float], radius: float, fade: float) -> np.ndarray:
    """An image that turns to grey beyond a radius."""
    out = np.empty_like(image)
    for y, x in np.ndindex(image.shape[:2]):
        beyond = math.hypot(y - centre[0], x - centre[1]) - radius
        share = min(1.0, max(0.0, 1 - beyond / fade))
        out[y, x] = share * image[y, x] + (1 - share) * 0.5
    return out
