"""The terms of sums, one by one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support import tiny

from kerasviz.optvis.objectives import objective as ask
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.sums import (
    Reach,
    balanced,
    is_sum,
    pack_terms,
    term_names,
    term_scores,
    unbalanced,
)
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.objectives.term import Objective
from reference import objectives as twin

NET = tiny.network()
IMAGES = np.random.default_rng(0).uniform(0, 1, (3, 17, 23, 3)).astype(np.float32)
#: One of each reduction, two units of one tap, and what has no score of its own.
WHOLE = (
    2 * ask.channel("joined", 1)
    - ask.channel("joined", 4)
    + 0.5 * ask.neuron("left", 2, (1, 2))
    - 3 * ask.neuron("left", 2, (0, 0))
    + 0.1 * ask.layer("relu1")
    + ask.logit(2)
    + 4 * ask.probability(1)
    - ask.total_variation(7.0)
    + ask.diversity("joined")
)


def scored(rows: list[Objective]) -> tuple[np.ndarray, np.ndarray]:
    """The scores [B] of rows of one structure, and those of their terms [B, T]."""
    structure = structure_of(rows[0], NET, False)
    activations = {"": tf.constant(IMAGES[: len(rows)])}
    taps = sorted({tap for slot in structure for tap in slot.taps})
    activations |= NET.activations(IMAGES[: len(rows)], taps)
    groups = tf.range(len(rows))
    whole = own_scores(structure, activations, pack_objectives(structure, rows, NET, False), groups)
    terms = {k: tf.constant(v) for k, v in pack_terms(structure, rows, NET, False).items()}
    return whole.numpy(), np.stack(term_scores(structure, activations, terms, groups), axis=1)


def test_every_term_has_the_score_of_its_twin() -> None:
    whole, terms = scored([WHOLE] * 3)
    taps = ("joined", "left", "relu1", "logits")
    a = {name: value.numpy() for name, value in NET.activations(IMAGES, taps).items()}
    wanted = [
        [
            twin.channel(a["joined"][row], 1),
            twin.channel(a["joined"][row], 4),
            twin.neuron(a["left"][row], 2, (1, 2)),
            twin.neuron(a["left"][row], 2, (0, 0)),
            twin.layer(a["relu1"][row]),
            twin.logit(a["logits"][row], 2),
            twin.probability(a["logits"][row], 1),
        ]
        for row in range(3)
    ]
    np.testing.assert_allclose(terms, wanted, rtol=1e-5, atol=1e-6)
    weights = [term.weight for term in WHOLE.own]
    np.testing.assert_allclose(terms @ weights, whole, rtol=1e-5, atol=1e-6)


def test_rows_of_other_terms_do_not_know_of_each_other() -> None:
    """A sum of two units has the structure of one unit, and of a sum of three."""
    three = sum(ask.channel("joined", unit) for unit in (1, 2, 3))
    rows = [ask.channel("joined", 5) - ask.channel("joined", 0), ask.channel("joined", 4), three]
    whole, terms = scored(rows)
    assert terms.shape == (3, 3)
    np.testing.assert_array_equal(terms[0, 2:], 0)
    np.testing.assert_array_equal(terms[1], 0)  # it is no sum
    a = NET.activations(IMAGES, ["joined"])["joined"].numpy()
    np.testing.assert_allclose(terms[0, :2], [a[0, ..., 5].mean(), a[0, ..., 0].mean()], rtol=1e-5)
    np.testing.assert_allclose(terms[2], a[2, ..., 1:4].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(whole[1], a[1, ..., 4].mean(), rtol=1e-5)


def test_without_sums_nothing_is_packed() -> None:
    one = ask.channel("joined", 1) - ask.total_variation()
    assert not is_sum(one)
    assert pack_terms(structure_of(one, NET), [one], NET) == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("joined:1 - 0.5*logit:goldfish", ("joined:1", "logit:goldfish")),
        ("-joined:1 - .5 * left:2@center", ("joined:1", "left:2@center")),
        ("-2*joined + prob:1 - 3*penalty:tv", ("joined", "prob:1")),
        ("joined:1 + 2*joined:1", ("joined:1", "joined:1")),
        ("joined:1 - penalty:l1", ()),
        ("joined:1", ()),
    ],
)
def test_names_are_those_of_the_text(text: str, names: tuple[str, ...]) -> None:
    (target,) = parse_target(text, NET)
    assert term_names(target.text, target.objective) == names


def test_objects_of_python_are_named_by_what_they_are() -> None:
    def contrast(tensors):
        return tensors["left"][:, 0, 0, 0]

    made = (
        ask.function(contrast, ["left"])
        + ask.neuron("left", 2)
        + ask.neuron("left", 2, (0, -1))
        + ask.direction("left", [1, 0, 0, 0, 0])
        + ask.head("left", 1, 5)
        + ask.probability(3)
    )
    assert term_names("objective 0", made) == (
        *("contrast", "left:2@center", "left:2@0,-1", "left:direction", "left:head-1/5"),
        "prob:3",
    )


def test_weights_are_divided_by_the_scale_and_keep_their_signs() -> None:
    terms = WHOLE.own
    rng = np.random.default_rng(1)
    score, first = rng.normal(size=(2, len(terms)))
    reaches = [Reach.of(*pair) for pair in zip(score, first, strict=True)]
    made = balanced(WHOLE, reaches)
    scale = np.maximum(np.abs(score), score - first)
    np.testing.assert_allclose(
        [term.weight for term in made.at(0, 1).own], [t.weight for t in terms] / scale, rtol=1e-3
    )
    others = [term for term in WHOLE.terms if term not in terms]
    assert [term for term in made.at(0, 1).terms if term not in made.at(0, 1).own] == others
    assert unbalanced(made) == WHOLE
    assert Objective.from_json(made.to_json()) == made
    assert [term.alone for term in made.own] == [reach.score for reach in reaches]
