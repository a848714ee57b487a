"""Choices between photos against loops over pairs, and cases whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.examples.trust.choices import EXAMPLES, PAIRS, choose, places


def twin(strong: np.ndarray, weak: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> list[float]:
    """The probability of the right choice for each pair, by loops."""
    centre = np.mean([*strong, *weak], axis=0)

    def similarity(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a - centre, b - centre
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    def lead(query: np.ndarray) -> float:
        towards = np.mean([similarity(query, e) for e in plus])
        return float(towards - np.mean([similarity(query, e) for e in minus]))

    leads = [lead(a) - lead(b) for a, b in zip(strong, weak, strict=True)]
    return [1 / (1 + np.exp(-d / 0.16)) for d in leads]


def test_choices_are_those_of_loops_over_pairs() -> None:
    draw = np.random.default_rng(0)
    strong, weak = draw.normal(1, 1, (2, 7, 13))
    plus, minus = draw.normal(1, 1, (3, 13)), draw.normal(0, 1, (5, 13))
    found, wanted = choose(strong, weak, plus, minus), twin(strong, weak, plus, minus)
    assert found.probability == pytest.approx(np.mean(wanted), rel=1e-12)
    assert (found.right, found.pairs) == (sum(p > 0.5 for p in wanted), 7)


def test_pictures_equal_to_the_photos_know_nearly_always() -> None:
    draw = np.random.default_rng(1)
    strong, weak = (draw.normal(0, 0.3, (PAIRS, 32)) + side for side in draw.normal(size=(2, 32)))
    found = choose(strong, weak, strong[:EXAMPLES], weak[:EXAMPLES])
    assert found.probability > 0.99 and found.right == PAIRS
    wrong = choose(strong, weak, weak[:EXAMPLES], strong[:EXAMPLES])
    assert wrong.probability < 0.01 and wrong.right == 0


def test_random_pictures_know_by_chance_even_behind_a_relu() -> None:
    """Embeddings far from 0 in one direction, whose plain cosines are all near 1."""
    draw = np.random.default_rng(2)
    found = []
    for _ in range(60):
        strong, weak = draw.normal(5, 1, (2, PAIRS, 24))
        sides = draw.normal(5, 1, (2, EXAMPLES, 24))
        found.append(choose(strong, weak, *sides).probability)
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


def test_an_embedding_that_is_constant_decides_nothing() -> None:
    same = np.ones((4, 3))
    assert choose(same, same, same, same).probability == 0.5


def test_photos_are_divided_between_pairs_and_examples() -> None:
    assert places(58) == (20, 9) and places(8) == (3, 1) and places(0) == (0, 0)
    assert all(2 * sum(places(n)) <= n for n in range(70))
