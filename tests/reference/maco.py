"""MACO images as sums of waves with fixed magnitudes, in float64."""

from __future__ import annotations

import numpy as np

from reference.colour import to_rgb


def full_phases(half, width):
    """The phases [H, W] of all waves of a real image, from those of rfft2, wave by wave."""
    height = half.shape[0]
    full = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            mirrored = (-y % height, -x % width)
            # Of a wave and its mirror image one decides: that in the half, and there the upper one.
            own = x < half.shape[1] and (x != mirrored[1] or y <= height // 2)
            full[y, x] = half[y, x] if own else -half[mirrored]
    return full


def image(params, base, magnitudes, width, contrast=1.0, epsilon=1e-5):
    """Images [B, H, W, C] of parameters [B, C, H, F], their base and magnitudes [C, H, F]."""
    params, magnitudes = np.asarray(params, np.float64), np.asarray(magnitudes, np.float64)
    height, columns = params.shape[2:]
    # Waves whose phase is that of another one do not count for mean and deviation.
    counted = np.ones((height, columns), bool)
    for column in [0, width // 2] if width % 2 == 0 else [0]:
        counted[height // 2 + 1 :, column] = False
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    rows = []
    for phases in params:
        mean, sd = phases[:, counted].mean(), phases[:, counted].std()
        phases = base + (phases - mean) / (sd + epsilon) * np.pi / np.sqrt(3)
        planes = []
        for phase, magnitude in zip(phases, magnitudes, strict=True):
            full = full_phases(phase, width)
            plane = np.zeros((height, width))
            for fy in range(height):
                for fx in range(width):
                    size = (
                        magnitude[fy, fx] if fx < columns else magnitude[-fy % height, width - fx]
                    )
                    wave = 2 * np.pi * (fy * y / height + fx * x / width)
                    plane += size * np.cos(wave + full[fy, fx])
            planes.append(plane / (height * width))
        values = np.stack(planes, axis=-1)
        rows.append((values - values.mean()) / (values.std() + epsilon))
    return to_rgb(contrast * np.stack(rows), len(magnitudes) == 3)
