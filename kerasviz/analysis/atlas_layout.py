"""Lay activations out in two dimensions, so that like ones lie near each other."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np

from kerasviz.analysis.whitening import ROWS, unit_length
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.probes import sklearn_module
from kerasviz.types import Array

#: The percentiles of each axis between which points keep their places.
PERCENTILES = (1.0, 99.0)
#: The room beyond them on both sides, as a share of the distance between them.
MARGIN = 0.1
#: The number of neighbours and the least distance of UMAP for all points (Carter et al. 2019).
NEIGHBOURS = 50
LEAST_DISTANCE = 0.05
#: The same for the points of a class.
CLASS_NEIGHBOURS = 20
CLASS_LEAST_DISTANCE = 0.01
#: The perplexity of t-SNE along the axis of a comparison of two classes.
PERPLEXITY = 50


def has_umap() -> bool:
    """Return whether umap-learn is installed."""
    return importlib.util.find_spec("umap") is not None


def pca_layout(values: Array) -> Array:
    """Lay activations [N, C] out by the two axes of their largest variance: [N, 2] float32.

    Activations are taken at unit length, so that angles count, as for :func:`umap_layout`. The
    largest number of each axis is positive, so that the same activations give the same layout.
    """
    count, channels = values.shape
    mean = np.zeros(channels)
    moment = np.zeros((channels, channels))
    for part in _parts(values):
        mean += part.sum(0) / count
        moment += part.T @ part / count
    _, axes = np.linalg.eigh(moment - np.outer(mean, mean))
    axes = axes[:, ::-1][:, :2]
    if axes.shape[1] < 2:  # a tap of one channel
        axes = np.pad(axes, ((0, 0), (0, 1)))
    largest = axes[np.abs(axes).argmax(0), [0, 1]]
    axes = axes * np.where(largest < 0, -1, 1)
    return np.concatenate([(part - mean) @ axes for part in _parts(values)]).astype(np.float32)


def umap_layout(
    values: Array,
    seed: int = 0,
    neighbours: int = NEIGHBOURS,
    least_distance: float = LEAST_DISTANCE,
) -> Array:
    """Lay activations [N, C] out by UMAP with the cosine as metric: [N, 2] float32.

    One seed gives one layout, on one core.

    Raises:
        UsageError: Without umap-learn, and for fewer than four activations.
    """
    if not has_umap():
        raise UsageError(
            'layout umap needs umap-learn: pip install "kerasviz[umap]", or choose the layout pca'
        )
    if len(values) < 4:
        raise UsageError(f"layout umap of {len(values)} activations: give four or more, or pca")
    umap: Any = importlib.import_module("umap")
    model = umap.UMAP(
        n_components=2,
        n_neighbors=min(neighbours, len(values) - 1),
        min_dist=least_distance,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(model.fit_transform(np.asarray(values)), np.float32)


def comparison_layout(values: Array, differences: Array, seed: int = 0) -> Array:
    """Lay activations [N, C] out for the comparison of two classes: [N, 2] in [0, 1], float32.

    From left to right the ``differences`` [N] of their attributions grow, by their 99th percentile
    and clipped; from top to bottom they lie by t-SNE of one dimension, by the cosine.

    Raises:
        UsageError: For fewer than three points.

    Reference:
        Carter et al., "Activation Atlas" (Distill 2019), section "Focusing on a Single
        Classification".
    """
    if len(values) < 3:
        raise UsageError(f"{len(values)} activations: expected three or more to compare classes")
    most = float(np.percentile(np.abs(differences), 99)) or 1.0
    x = (np.clip(differences / most, -1, 1) + 1) / 2
    model = sklearn_module("manifold").TSNE(
        n_components=1,
        metric="cosine",
        perplexity=min(PERPLEXITY, (len(values) - 1) / 3),
        init="random",
        random_state=seed,
    )
    y = unit_square(model.fit_transform(np.asarray(values, np.float32)))
    return np.concatenate([x[:, None], y], 1).astype(np.float32)


def unit_square(points: Array) -> Array:
    """Bring points [N, D] into [0, 1] along each axis: [N, D] float64.

    The range between the 1st and the 99th percentile is made wider by a tenth on both sides; points
    farther out are moved to its border. An axis without extent becomes 0.5.

    >>> unit_square(np.array([[0.0, 7.0], [1.0, 7.0]])).round(1).tolist()
    [[0.1, 0.5], [0.9, 0.5]]
    """
    low, high = np.percentile(np.asarray(points, np.float64), PERCENTILES, axis=0)
    room = MARGIN * (high - low)
    low, high = low - room, high + room
    extent = high - low
    flat = extent == 0
    shares = (np.clip(points, low, high) - low) / np.where(flat, 1, extent)
    return np.asarray(np.where(flat, 0.5, shares))


def _parts(values: Array) -> Any:
    """Yield the rows in parts of bounded memory, at unit length in float64."""
    for start in range(0, len(values), ROWS):
        yield unit_length(np.asarray(values[start : start + ROWS], np.float64))
