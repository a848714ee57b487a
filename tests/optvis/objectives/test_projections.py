from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support import tiny, tokens

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives import objective as ask
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.projections import project
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.term import NORMALIZATIONS, Objective, Term
from reference import objectives as twin

DRAW = np.random.default_rng(0)
MAPS = DRAW.normal(size=(3, 5, 7, 11)).astype(np.float32)
VECTORS = DRAW.normal(size=(3, 11)).astype(np.float32)
WHOLE = DRAW.normal(size=(3, 5 * 7 * 11)).astype(np.float32)


def tensors(vectors, power=0.0, bias=0.0):
    rows = np.ones(len(vectors), np.float32)
    return {"vector": vectors, "weight": 2 * rows, "power": power * rows, "bias": bias * rows}


def oracle(reduction, a, vector, power, bias):
    a, vector = a.astype(np.float64), vector.astype(np.float64)
    if reduction.startswith("latent"):
        return twin.latent(a, vector, bias, reduction.removeprefix("latent").strip())
    return getattr(twin, reduction)(a, vector, power)


CASES = [
    *(("cosine", power, 0.0) for power in (0.0, 1.0, 2.0, 3.5)),
    *(("whole", power, 0.0) for power in (0.0, 2.0)),
    *((f"latent {name}".strip(), 0.0, -1.5) for name in NORMALIZATIONS),
]


@pytest.mark.parametrize(("reduction", "power", "bias"), CASES)
def test_projections_agree_with_their_twins_and_finite_differences(reduction, power, bias):
    vectors = WHOLE if reduction == "whole" else VECTORS
    data = tensors(vectors, power, bias)
    a = tf.constant(MAPS)
    with tf.GradientTape() as tape:
        tape.watch(a)
        found = project(reduction, a, data)
    wanted = [2 * oracle(reduction, MAPS[b], vectors[b], power, bias) for b in range(3)]
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5)
    gradient = tape.gradient(found, a).numpy().astype(np.float64)
    nudge = np.random.default_rng(1).normal(size=MAPS.shape)
    for b in range(3):
        ends = [
            2 * oracle(reduction, MAPS[b] + sign * 1e-5 * nudge[b], vectors[b], power, bias)
            for sign in (1, -1)
        ]
        slope = np.sum(gradient[b] * nudge[b])
        assert np.isclose((ends[0] - ends[1]) / 2e-5, slope, rtol=1e-3, atol=1e-4)


def test_rows_do_not_know_of_each_other():
    together = project("cosine", MAPS, tensors(VECTORS, 2.0)).numpy()
    for b in range(3):
        alone = project("cosine", MAPS[b : b + 1], tensors(VECTORS[b : b + 1], 2.0))
        np.testing.assert_allclose(alone, together[b], rtol=1e-6)


@pytest.mark.parametrize("reduction", ["cosine", "latent layer_norm", "latent"])
def test_activations_of_zero_have_finite_gradients(reduction):
    a = tf.zeros([1, 2, 2, 11])
    with tf.GradientTape() as tape:
        tape.watch(a)
        found = project(reduction, a, tensors(VECTORS[:1], 2.0))
    assert np.isfinite(found).all() and np.isfinite(tape.gradient(found, a)).all()


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_latent_that_is_far_off_has_its_whole_gradient(normalize):
    reduction, gradients = f"latent {normalize}".strip(), []
    for bias in (0.0, -1e9):
        a = tf.constant(MAPS)
        with tf.GradientTape() as tape:
            tape.watch(a)
            found = project(reduction, a, tensors(VECTORS, bias=bias))
        gradients.append(tape.gradient(found, a).numpy())
    assert np.abs(gradients[0]).max() > 1e-3
    np.testing.assert_array_equal(*gradients)


def packed(objective, net, size=None):
    return pack_objectives(structure_of(objective, net), [objective], net, size=size)


def test_vectors_must_fit_the_tap():
    net = tiny.network()
    with pytest.raises(UsageError, match="direction of 8 numbers: joined has 9 channels"):
        packed(ask.direction("joined", np.ones(8), cosine=2), net)
    wide = ask.direction("joined", np.ones((5, 4, 9)))
    with pytest.raises(UsageError, match=r"5x4x9 numbers: joined has .* in images of"):
        packed(wide, net, (32, 32))
    row = ask.direction("block", np.ones((17, 6)))
    assert packed(row, tokens.network(2), (13, 22))["vector0"].shape == (1, 102)
    with pytest.raises(UsageError, match="16x6 numbers: block has 17x6 in images of 13x22"):
        packed(ask.direction("block", np.ones((16, 6))), tokens.network(2), (13, 22))


def test_a_latent_reads_the_tap_itself_and_a_direction_what_is_before_the_relu():
    net = tiny.network()
    latent = Objective((Term("latent", "relu1", unit=0, vector=(1.0,) * 6),))
    assert [slot.tap for slot in structure_of(latent, net)] == ["relu1"]
    direction = ask.direction("relu1", np.ones(6), cosine=1)
    assert [slot.tap for slot in structure_of(direction, net)] == ["conv1"]


def test_projections_of_one_kind_share_a_structure():
    net = tiny.network()
    rows = [ask.direction("joined", VECTORS[k, :9], cosine=1 + k) for k in range(3)]
    assert len({structure_of(row, net) for row in rows}) == 1
