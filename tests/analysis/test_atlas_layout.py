"""Layouts: percentiles, axes of variance against numpy's SVD, planted clusters apart."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from kerasviz.analysis import atlas_layout
from kerasviz.analysis.atlas_layout import comparison_layout, pca_layout, umap_layout, unit_square
from kerasviz.errors import UsageError

DRAW = np.random.default_rng(0)


def clusters(count: int = 60, channels: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Activations around three orthogonal means, and the cluster of each."""
    labels = np.arange(count) % 3
    noise = DRAW.normal(0, 0.05, (count, channels))
    return (3 * np.eye(channels)[labels] + noise).astype(np.float32), labels


def test_the_range_is_that_of_percentiles_with_a_margin():
    points = DRAW.normal(size=(501, 2)) * [1, 50]
    points[0] = [1e6, -1e6]  # an outlier
    found = unit_square(points)
    low, high = np.percentile(points, [1, 99], axis=0)
    span = high - low
    expected = np.clip((points - (low - 0.1 * span)) / (1.2 * span), 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found[0], [1, 0])


def test_axes_of_variance(monkeypatch):
    monkeypatch.setattr(atlas_layout, "ROWS", 16)
    values = DRAW.normal(size=(90, 7)).astype(np.float32) * [5, 3, 1, 1, 1, 1, 1]
    found = pca_layout(values)
    rows = values / np.linalg.norm(values, axis=1, keepdims=True)
    centred = rows - rows.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:2].T
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-5)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, pca_layout(values))


def test_clusters_lie_apart():
    values, labels = clusters()
    found = pca_layout(values)
    middles = np.stack([found[labels == k].mean(0) for k in range(3)])
    nearest = np.linalg.norm(found[:, None] - middles, axis=-1).argmin(1)
    np.testing.assert_array_equal(nearest, labels)


def test_one_channel_has_one_axis():
    found = pca_layout(np.array([[1.0], [-1.0], [2.0]], np.float32))
    assert found.shape == (3, 2) and not found[:, 1].any()


def test_umap_gets_what_the_article_used(monkeypatch):
    asked = {}

    class Model:
        def __init__(self, **settings):
            asked.update(settings)

        def fit_transform(self, values):
            return values[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Model))
    monkeypatch.setattr(atlas_layout, "has_umap", lambda: True)
    values, _ = clusters()
    np.testing.assert_array_equal(umap_layout(values, seed=4), values[:, :2])
    assert (asked["n_neighbors"], asked["min_dist"], asked["metric"]) == (50, 0.05, "cosine")
    assert asked["random_state"] == 4
    umap_layout(values[:9])
    assert asked["n_neighbors"] == 8


def test_without_umap_learn(monkeypatch):
    monkeypatch.setattr(atlas_layout, "has_umap", lambda: False)
    with pytest.raises(UsageError, match=r'pip install "kerasviz\[umap\]"'):
        umap_layout(clusters()[0])


def test_a_comparison_has_differences_from_left_to_right():
    values, labels = clusters(45)
    differences = np.linspace(-2, 3, 45)
    found = comparison_layout(values, differences, seed=1)
    most = np.percentile(np.abs(differences), 99)
    expected = (np.clip(differences / most, -1, 1) + 1) / 2
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)
    y = found[:, 1]
    assert y.min() >= 0 and y.max() <= 1
    within = np.mean([y[labels == k].std() for k in range(3)])
    assert within < 0.5 * y.std()
    np.testing.assert_array_equal(found, comparison_layout(values, differences, seed=1))
    with pytest.raises(UsageError, match="2 activations: expected three or more"):
        comparison_layout(values[:2], differences[:2])
