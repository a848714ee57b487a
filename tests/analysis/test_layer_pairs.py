"""Attribution between layers: against derivatives by hand, and sums that agree."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.analysed import SECOND, of_keras, of_onnx

from kerasviz.analysis.layer_pairs import position_pairs, unit_pairs
from kerasviz.analysis.photo_pass import PhotoPass
from kerasviz.errors import UsageError

PHOTO = np.random.default_rng(2).uniform(size=(9, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=[of_keras, of_onnx])
def run(request):
    taps = ["first", "second", "pooled"]
    return PhotoPass(request.param(), PHOTO, taps, ["second_pre_relu"])


def test_positions_against_the_kernel(run):
    """The net is homogeneous without biases: what reaches a position adds up to its length."""
    found = position_pairs(run, "first", "second")
    second = run.values("second")
    assert found.shape == (5, 4, 7, 6)
    lengths = np.linalg.norm(second, axis=-1)
    np.testing.assert_allclose(found.sum((2, 3)), lengths, rtol=1e-4, atol=1e-6)
    y, x = np.unravel_index(lengths.argmax(), lengths.shape)
    far = found[y, x].copy()
    far[y : y + 3, x : x + 3] = 0
    assert not far.any()  # outside of the kernel's window
    first = run.values("first")[y : y + 3, x : x + 3]
    direction = second[y, x] / lengths[y, x]
    by_hand = np.einsum("hwi,hwio,o->hw", first, SECOND, direction)
    np.testing.assert_allclose(found[y, x, y : y + 3, x : x + 3], by_hand, rtol=1e-4, atol=1e-6)


def test_units_against_a_tape(run):
    found = unit_pairs(run, "first", "second", [4, 0])
    first = tf.constant(run.values("first")[None])
    with tf.GradientTape() as tape:
        tape.watch(first)
        sums = tf.reduce_sum(tf.nn.relu(tf.nn.conv2d(first, SECOND, 1, "VALID")), [1, 2])
        total = sums[0, 4]
    by_hand = (tape.gradient(total, first) * first).numpy().sum((0, 1, 2))
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sum(1), run.values("second").sum((0, 1))[[4, 0]], rtol=1e-4)


def test_errors_name_what_is_wrong(run):
    with pytest.raises(UsageError, match="pooled has no positions, so nothing to pair"):
        position_pairs(run, "first", "pooled")
    with pytest.raises(UsageError, match="first does not depend on second"):
        unit_pairs(run, "second", "first", [0])
