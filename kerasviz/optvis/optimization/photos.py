"""Photos in the optimization: pictures that start from one, or are compared with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.network.program import Kernels
from kerasviz.optvis import randomness
from kerasviz.optvis.objectives.structure import Structure, photo_of
from kerasviz.optvis.objectives.term import REPRODUCED
from kerasviz.types import Array, Size, Tensor

#: How steep the score is beside the likeness [B], among the tensors of objectives.
STEEPNESS = "steepness"
#: The relative change of parameters at which slopes are measured: at the photo itself the likeness
#: is at its maximum, where it has no slope.
NUDGE = 1e-2
#: The least and the largest steepness that is believed.
STEEPEST = 1e6
#: The stream of the random numbers of the nudge, far from those of images and transforms.
STREAM = 1 << 21
#: The stream of the random numbers that place crops of style photos.
CROP_STREAM = 1 << 22
#: The smoothing of masks: the deviation of a normal blur, in pixels of a picture of 224 pixels.
BLUR = 2.0


def starts_from_photo(structure: Structure) -> bool:
    """Return whether pictures with a photo start from it: all but those that reproduce it."""
    return not any(slot.reduction in REPRODUCED for slot in structure)


def photo_activations(
    net: Network,
    photos: Tensor,
    taps: Sequence[str],
    kernels: Kernels,
    name: Callable[[str], str] = photo_of,
) -> dict[str, Tensor]:
    """Return the activations of photos at taps, which have no gradient, by their ``name``."""
    if not taps:
        return {}
    computed = net.activations(tf.stop_gradient(photos), list(taps), kernels=kernels)
    return {name(tap): tf.stop_gradient(computed[tap]) for tap in taps}


def random_crop(images: Tensor, size: Size, seeds: Tensor, step: Tensor) -> Tensor:
    """Cut a window [B, height, width, C] out of images [B, H, W, C], at a place by seed and step.

    All places inside are equally likely.
    """
    room = [images.shape[1 + axis] - size[axis] for axis in (0, 1)]
    uniforms = randomness.uniform(seeds, step, 2, CROP_STREAM)
    places = tf.minimum(tf.cast(uniforms * [r + 1.0 for r in room], tf.int32), room)
    shape = (*size, images.shape[3])
    rows = zip(tf.unstack(images), tf.unstack(places), strict=True)
    return tf.stack([tf.slice(image, [place[0], place[1], 0], shape) for image, place in rows])


def central_crop(images: Tensor, size: Size) -> Tensor:
    """Cut the window [B, height, width, C] in the middle out of images [B, H, W, C]."""
    top, left = ((images.shape[1 + axis] - size[axis]) // 2 for axis in (0, 1))
    return images[:, top : top + size[0], left : left + size[1]]


def nudged(params: Any, seeds: Tensor) -> Any:
    """Return parameters changed by ``NUDGE`` times themselves times normal numbers."""
    parts = tf.nest.flatten(params)
    noise = [randomness.normal(seeds, tuple(p.shape[1:]), STREAM + n) for n, p in enumerate(parts)]
    moved = [p + NUDGE * tf.abs(p) * n for p, n in zip(parts, noise, strict=True)]
    return tf.nest.pack_sequence_as(params, moved)


def steepness(of_score: Any, of_likeness: Any) -> Tensor:
    """Return the ratio [B] of the sums of absolute slopes, by parameters whose axis 0 is B."""
    sums = [
        tf.add_n(
            [tf.reduce_sum(tf.abs(g), list(range(1, g.shape.rank))) for g in tf.nest.flatten(each)]
        )
        for each in (of_score, of_likeness)
    ]
    return tf.clip_by_value(sums[0] / tf.maximum(sums[1], 1e-30), 1 / STEEPEST, STEEPEST)


def with_unit_likeness(structure: Structure, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of objectives with the weight -1 for every likeness."""
    unit = {
        f"weight{i}": -tf.ones_like(data[f"weight{i}"])
        for i, slot in enumerate(structure)
        if slot.reduction == "likeness"
    }
    return {**data, **unit}


def mask_of(slopes: Array) -> Array:
    """Return masks [B, H, W] of sums of slopes: the share of pixels of a picture that are lower.

    The sums are blurred first. 0.8 and more is the fifth of the picture on which the score depended
    most. A picture without any slope has the mask 0.
    """
    batch, height, width = slopes.shape
    blurred = _blurred(slopes.astype(np.float64), BLUR * min(height, width) / 224)
    flat = blurred.reshape(batch, -1)
    masks = np.empty(flat.shape, np.float32)
    for row, numbers in enumerate(flat):
        values, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        lower = np.cumsum(counts) - counts
        masks[row] = lower[inverse.reshape(-1)] / len(numbers) if len(values) > 1 else 0
    return masks.reshape(slopes.shape)


def _blurred(images: Array, deviation: float) -> Array:
    """Blur images [B, H, W] by a normal kernel; what lies outside continues the border."""
    reach = max(1, round(3 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    for axis in (1, 2):
        around = [(0, 0)] * 3
        around[axis] = (reach, reach)
        padded = np.pad(images, around, mode="edge")
        parts = [
            weight * np.take(padded, range(k, k + images.shape[axis]), axis)
            for k, weight in enumerate(kernel)
        ]
        images = np.sum(parts, axis=0)
    return images
