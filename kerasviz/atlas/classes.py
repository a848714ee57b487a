"""Layers whose units are classes: the last maps of networks that average them into logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.network import Network
from kerasviz.types import Array

#: The largest difference between the mean of a map and its logit, by the largest logit.
TOLERANCE = 1e-3


def class_layers(
    net: Network, taps: Sequence[str], size: tuple[int, int]
) -> dict[str, tuple[str, ...]]:
    """Return the taps whose channels are classes, with the label of each channel.

    Such a tap has a channel for each label, whose mean over all positions is the logit of the
    class, as in SqueezeNet. It is tried with an image of ``size`` (height, width).
    """
    logits = net.classes.logits
    likely = [tap for tap in taps if net.labels and net.taps[tap].channels == len(net.labels)]
    if not likely or logits is None or logits not in net.taps:
        return {}
    image = np.random.default_rng(0).random((1, *size, net.channels), np.float32)
    try:
        activations = net.activations(image, [*likely, logits])
    except (ModelError, UsageError):  # the head does not take images of this size
        return {}
    expected = _means(np.asarray(activations[logits]))
    return {tap: net.labels for tap in likely if _same(np.asarray(activations[tap]), expected)}


def _same(maps: Array, logits: Array) -> bool:
    means = _means(maps)
    scale = float(np.abs(logits).max()) or 1.0
    return means.shape == logits.shape and bool(np.abs(means - logits).max() < TOLERANCE * scale)


def _means(activations: Array) -> Array:
    """Average activations [B, ..., C] over all positions: [B, C]."""
    means: Array = activations.reshape(len(activations), -1, activations.shape[-1]).mean(1)
    return means
