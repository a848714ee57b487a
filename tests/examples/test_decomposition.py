from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.examples.decomposition import concept_vector, decompose

DRAW = np.random.default_rng(0)


def cosine(a: Any, b: Any) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def matched(found: np.ndarray, true: np.ndarray) -> list[float]:
    """The largest |cosine| of each true vector with one that was found."""
    return [max(abs(cosine(f, t)) for f in found) for t in true]


def test_nmf_finds_the_parts_that_were_mixed() -> None:
    parts = np.array([[1, 1, 0, 0, 0, 0, 0], [0, 0, 3, 0, 1, 0, 0], [0, 0, 0, 1, 0, 1, 1]], float)
    amounts = DRAW.exponential(size=(400, 3)) * (DRAW.uniform(size=(400, 3)) < 0.5)
    values = (amounts @ parts).astype(np.float32)
    found, quality = decompose("nmf", values, 3, 0)
    assert min(matched(found, parts)) > 0.99 and found.min() >= 0
    assert quality["explained"] > 0.999
    assert abs(cosine(found[0], parts[1])) > 0.99  # the largest comes first
    with pytest.raises(UsageError, match=r"50 % are below; name a tap behind a ReLU"):
        decompose("nmf", np.array([[1, -1], [2, -2]], np.float32), 1, 0)


def test_pca_finds_the_axes_of_variance() -> None:
    axes = np.linalg.qr(DRAW.normal(size=(6, 6)))[0]
    values = DRAW.normal(size=(3000, 6)) * [5, 3, 1, 0.1, 0.1, 0.1] @ axes.T + 7
    found, quality = decompose("pca", values.astype(np.float32), 3, 0)
    centred = values - values.mean(0)
    _, _, oracle = np.linalg.svd(centred, full_matrices=False)
    for one, other in zip(found, oracle, strict=False):
        assert abs(cosine(one, other)) > 0.9999
    wanted = (centred @ oracle[:3].T).var(0) / centred.var(0).sum()
    np.testing.assert_allclose(quality["shares"], wanted, rtol=1e-3)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_kmeans_finds_the_centres_the_largest_first() -> None:
    centres = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9]], float)
    values = np.repeat(centres, [50, 200, 100], axis=0) + DRAW.normal(0, 0.3, (350, 3))
    found, quality = decompose("kmeans", values.astype(np.float32), 3, 0)
    np.testing.assert_allclose(found, centres[[1, 2, 0]], atol=0.2)
    np.testing.assert_allclose(quality["shares"], [200 / 350, 100 / 350, 50 / 350])
    assert quality["explained"] > 0.98


@pytest.mark.parametrize("method", ["nmf", "pca", "kmeans"])
def test_the_same_activations_give_the_same_bytes(method: str) -> None:
    values = DRAW.exponential(size=(300, 8)).astype(np.float32)
    first, again = (decompose(method, values, 4, 3)[0] for _ in range(2))
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("nmf", "count 9: nmf of 5 channels gives at most 5"),
        ("pca", "count 9: pca of 5 channels gives at most 5"),
        ("kmeans", "count 9: kmeans of 7 activations gives at most 7"),
    ],
)
def test_more_directions_than_there_can_be_are_one_line(method: str, line: str) -> None:
    values = DRAW.exponential(size=(7, 5)).astype(np.float32)
    with pytest.raises(UsageError, match=line):
        decompose(method, values, 9, 0)
    with pytest.raises(UsageError, match="the same everywhere"):
        decompose(method, np.ones((7, 5), np.float32), 2, 0)


def test_a_concept_vector_points_to_its_photos_whatever_the_scales() -> None:
    scales = np.array([1, 100, 0.01, 1, 1])
    shift = np.array([0, 3, 3, 0, 0])
    positive, negative = (DRAW.normal(size=(40, 5)) for _ in range(2))
    found, quality = concept_vector(
        ((positive + shift) * scales).astype(np.float32), (negative * scales).astype(np.float32), 0
    )
    assert found.shape == (1, 5) and quality["accuracy"] > 0.9
    assert cosine(found[0] * scales, shift) > 0.9  # in units of each channel's deviation
    back, _ = concept_vector(negative.astype(np.float32), (positive + shift).astype(np.float32), 0)
    assert cosine(back[0], shift) < -0.9


def test_a_concept_vector_of_nothing_is_as_good_as_chance() -> None:
    sides = [DRAW.normal(size=(n, 4)).astype(np.float32) for n in (200, 100)]
    _, quality = concept_vector(sides[0], sides[1], 0)
    assert 0.35 < quality["accuracy"] < 0.65
    with pytest.raises(UsageError, match="cav of 1 photos against 100"):
        concept_vector(sides[0][:1], sides[1], 0)
    with pytest.raises(UsageError, match="the same"):
        concept_vector(np.ones((3, 4)), np.ones((3, 4)), 0)
