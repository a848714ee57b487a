"""Find directions in activations by scikit-learn: parts, axes, clusters and concepts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.probes import fitted, linear_probe, sklearn_module
from kerasviz.types import Array

#: Vectors [N, C], the most important first, and numbers that say how good they are.
Found = tuple[Array, dict[str, float | list[float]]]
#: Negative activations that are rounding errors, relative to the largest.
_ROUNDING = 1e-6


def decompose(method: str, values: Array, count: int, seed: int) -> Found:
    """Find ``count`` directions in activations [N, C], by ``nmf``, ``pca`` or ``kmeans``.

    Raises:
        UsageError: For fewer activations or channels than directions, and negative activations for
            ``nmf``.
    """
    if method == "nmf":
        values = _not_negative(values)
    samples, channels = values.shape
    most = samples if method == "kmeans" else min(samples, channels)
    if count > most:
        what = f"{samples} activations" if most == samples else f"{channels} channels"
        raise UsageError(f"count {count}: {method} of {what} gives at most {most}")
    if np.ptp(values, axis=0).max() == 0:
        raise UsageError(f"{method}: the activations are the same everywhere; name another tap")
    return _METHODS[method](values, count, seed)


def _nmf(values: Array, count: int, seed: int) -> Found:
    """Factorize A into amounts [N, count] times parts [count, C], both at least 0."""
    model = sklearn_module("decomposition").NMF(
        count, init="nndsvda", solver="cd", max_iter=400, random_state=seed
    )
    amounts = fitted(model.fit_transform, values)
    parts = model.components_
    weights = amounts.sum(axis=0) * np.linalg.norm(parts, axis=1)
    order = np.argsort(-weights, kind="stable")
    explained = 1 - (model.reconstruction_err_ / np.linalg.norm(values)) ** 2
    return parts[order], {"explained": float(explained)}


def _pca(values: Array, count: int, seed: int) -> Found:
    """Return the axes of the largest variance, of length 1, whose signs mean nothing."""
    model = sklearn_module("decomposition").PCA(
        count, svd_solver="covariance_eigh", random_state=seed
    )
    fitted(model.fit, values.astype(np.float64))
    shares = [float(share) for share in model.explained_variance_ratio_]
    return model.components_, {"explained": sum(shares), "shares": shares}


def _kmeans(values: Array, count: int, seed: int) -> Found:
    """Return the centres of clusters, the largest first."""
    model = sklearn_module("cluster").KMeans(count, n_init=4, random_state=seed)
    fitted(model.fit, values)
    sizes = np.bincount(model.labels_, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    spread = float(((values - values.mean(axis=0, dtype=np.float64)) ** 2).sum())
    shares = [float(size) / len(values) for size in sizes[order]]
    return model.cluster_centers_[order], {
        "explained": 1 - float(model.inertia_) / spread,
        "shares": shares,
    }


def _not_negative(values: Array) -> Array:
    if values.min() < -_ROUNDING * np.abs(values).max():
        share = 100 * float((values < 0).mean())
        raise UsageError(
            f"nmf needs activations of at least 0, {share:.0f} % are below; name a tap behind a "
            "ReLU, or take --method pca or kmeans"
        )
    return np.maximum(values, 0)


_METHODS: dict[str, Callable[[Array, int, int], Found]] = {
    "nmf": _nmf,
    "pca": _pca,
    "kmeans": _kmeans,
}


def concept_vector(positive: Array, negative: Array, seed: int) -> Found:
    """Find the direction (CAV) along which a logistic regression tells two sets apart.

    Args:
        positive: [N, C] Activations of the concept.
        negative: [M, C] Those of anything else.
        seed: Orders the photos for the test.

    Returns:
        The vector [1, C], which points to ``positive``, and the balanced accuracy on photos that
        the classifier was not fitted to (0.5 is chance).

    Raises:
        UsageError: For fewer than two photos on a side.
    """
    probe = linear_probe(positive, negative, seed, "cav")
    return probe.weights[None], {"accuracy": probe.accuracy}
