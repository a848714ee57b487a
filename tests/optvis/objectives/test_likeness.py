"""Terms that compare activations with those of a photo, beside numpy twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.gradients import checked_gradient

from kerasviz.errors import UsageError
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.objectives import objective as objectives
from kerasviz.optvis.objectives.likeness import attributed_scores, compare, pack_attributed
from kerasviz.optvis.objectives.term import Objective, Term

SHAPES = [(3, 5, 7, 4), (3, 6, 4), (3, 9)]
WEIGHT, POWER = np.array([1.0, -2.0, 0.5], np.float32), np.array([0.0, 1.0, 2.0], np.float32)


def twin(kind: str, a: Any, photo: Any) -> Any:
    flat, other = (x.reshape(len(x), -1).astype(np.float64) for x in (a, photo))
    if kind == "likeness":
        distance = np.linalg.norm(a.astype(np.float64) - photo, axis=-1)
        return WEIGHT * distance.reshape(len(a), -1).mean(1)
    square = (other**2).sum(1)
    if kind == "inversion":
        return -WEIGHT * ((flat - other) ** 2).sum(1) / square
    along = (flat * other).sum(1)
    cosine = along / (np.linalg.norm(flat, axis=1) * np.linalg.norm(other, axis=1) + 1e-6)
    return WEIGHT * along / square * np.maximum(cosine, 0.1) ** POWER


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["caricature", "inversion", "likeness"])
def test_scores_are_those_of_the_formula(kind: str, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(0)
    photo = draw.normal(size=shape).astype(np.float32)
    a = (photo + draw.normal(size=shape)).astype(np.float32)
    data = {"weight": tf.constant(WEIGHT), "power": tf.constant(POWER)}
    found = compare(kind, tf.constant(a), tf.constant(photo), data).numpy()
    np.testing.assert_allclose(found, twin(kind, a, photo), rtol=2e-5)
    same = compare(kind, tf.constant(photo), tf.constant(photo), data).numpy()
    expected = {"caricature": WEIGHT, "inversion": 0 * WEIGHT, "likeness": 0 * WEIGHT}
    np.testing.assert_allclose(same, expected[kind], atol=1e-5)


@pytest.mark.parametrize("kind", ["caricature", "inversion", "likeness"])
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    draw = np.random.default_rng(1)
    photo = draw.normal(size=(1, 3, 5, 1)).astype(np.float32)
    data = {"weight": tf.constant([1.5]), "power": tf.constant([2.0])}
    away = draw.uniform(0.2, 1.0, photo.shape) * draw.choice([-1, 1], photo.shape)
    a = (photo + away).astype(np.float32)
    gradient = checked_gradient(lambda x: compare(kind, x, photo, data)[0], a)
    assert np.abs(gradient).max() > 0.01


@pytest.mark.parametrize("kind", ["caricature", "inversion", "likeness"])
def test_a_photo_without_activations_has_finite_scores_and_gradients(kind: str) -> None:
    zeros = tf.zeros([3, 2, 2, 4])
    data = {"weight": tf.constant(WEIGHT), "power": tf.constant(POWER)}
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        total = compare(kind, zeros, tf.zeros_like(zeros), data)
    assert np.isfinite(total).all() and np.isfinite(tape.gradient(total, zeros)).all()


def test_they_are_objectives_that_plain_data_make_again() -> None:
    for found in (
        objectives.caricature("a", cosine=2),
        objectives.inversion("a"),
        objectives.likeness("a", -3),
    ):
        assert objectives.Objective.from_json(found.to_json()) == found
    assert objectives.caricature("a").reproduces and objectives.inversion("a").reproduces
    near = objectives.channel("b", 1) + objectives.likeness("a")
    assert not near.reproduces and near.own == near.terms[:1]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_caricature_of_a_target_is_a_weighted_sum(shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(3)
    a, weights = draw.normal(size=(2, *shape)).astype(np.float32)
    of = (Term("logit", unit=1),)
    terms = [
        Term("attributed", "x", weight=float(w), of=of, probe=HeldArray.of(row))
        for w, row in zip(WEIGHT, weights, strict=True)
    ]
    packed = pack_attributed(terms)
    found = attributed_scores("x", tf.constant(a), tf.constant(packed["vector"]), packed["weight"])
    wanted = WEIGHT * (a.astype(float) * weights).reshape(3, -1).sum(1)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="choose a recipe that keeps the size"):
        attributed_scores("x", tf.constant(a[:, 1:]), tf.constant(packed["vector"]), WEIGHT)
    with pytest.raises(UsageError, match="give --from PHOTO"):
        pack_attributed([Term("attributed", "x", of=of)])
    again = Objective.from_json(Objective(tuple(terms)).to_json())
    assert again == Objective(tuple(terms)) and again.terms[0].of == of and again.reproduces
    with pytest.raises(UsageError, match="is of another target, which it needs"):
        objectives.attributed("x", Objective(()))
