from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.gradient_limit import LimitGradient
from kerasviz.optvis.transforms.steps import Crop, Jitter, Pad, step_from_json, step_to_json
from kerasviz.optvis.transforms.transform import FoldedTransform, SequentialTransform
from kerasviz.optvis.transforms.views import Noise
from reference.transforms import limited_gradient

SEEDS = tf.constant([3, 8])


def spiky(*shape):
    """Numbers of which a few are a hundred times as large as the others."""
    random = np.random.default_rng(1)
    return (random.normal(size=shape) * 100 ** (random.uniform(size=shape) > 0.97)).astype("f")


def gradient_through(step, upstream):
    images = tf.constant(np.random.default_rng(0).uniform(size=upstream.shape).astype("f"))
    with tf.GradientTape() as tape:
        tape.watch(images)
        seen = FoldedTransform((step,)).apply(images, SEEDS[: len(upstream)], 0)
        score = tf.reduce_sum(seen * upstream)
    np.testing.assert_array_equal(seen, images)
    return tape.gradient(score, images).numpy()


@pytest.mark.parametrize("window", [1, 3, 15])
@pytest.mark.parametrize("most", [0.5, 1.0, 3.0])
def test_the_gradient_is_that_of_the_numpy_twin(window, most):
    upstream = spiky(2, 13, 10, 3)
    found = gradient_through(LimitGradient(most, window), upstream)
    wanted = np.stack([limited_gradient(g, most, window) for g in upstream.astype(np.float64)])
    np.testing.assert_allclose(found, wanted, rtol=2e-5)
    assert most > 1 or (found != upstream).any()


def test_a_spike_is_cut_to_the_limit_and_all_else_stays():
    upstream = np.ones((1, 9, 8, 1), "f")
    upstream[0, 4, 5] = 1000
    found = gradient_through(LimitGradient(2.0, 1), upstream)[0, ..., 0]
    assert found[4, 5] == pytest.approx(2 * (1000 + 71) / 72)
    assert (np.delete(found.ravel(), 4 * 8 + 5) == 1).all()


def test_no_gradient_and_those_of_any_scale_stay_finite():
    assert not gradient_through(LimitGradient(1.0), np.zeros((1, 5, 6, 3), "f")).any()
    upstream = spiky(1, 9, 7, 3)
    plain = gradient_through(LimitGradient(1.0), upstream)
    np.testing.assert_allclose(
        gradient_through(LimitGradient(1.0), upstream * 2.0**-30), plain * 2.0**-30, rtol=1e-6
    )


def test_rows_and_views_have_their_own_limit_to_the_last_bit():
    upstream = spiky(2, 11, 9, 3)
    both = gradient_through(LimitGradient(1.0, 5), upstream)
    alone = gradient_through(LimitGradient(1.0, 5), upstream[1:])
    np.testing.assert_array_equal(both[1], alone[0])
    images = tf.zeros([1, 11, 9, 3])
    with tf.GradientTape() as tape:
        tape.watch(images)
        seen = FoldedTransform((LimitGradient(1.0, 5),)).apply(images, SEEDS[:1], 0, views=2)
        score = tf.reduce_sum(seen * upstream)
    np.testing.assert_allclose(tape.gradient(score, images)[0], both.sum(0), rtol=1e-5, atol=1e-6)


def test_a_network_of_one_size_needs_no_second_sampling_behind_it():
    steps = (Pad(4), Jitter(3), Crop(), Noise(0.1), LimitGradient(1.0))
    chosen = FoldedTransform(steps, scaled_from=32)
    assert chosen.to_image_size() is chosen
    assert chosen.apply(tf.zeros([2, 17, 15, 3]), SEEDS, 0).shape == (2, 17, 15, 3)
    loose = FoldedTransform((Jitter(3), LimitGradient(1.0)))
    assert loose.to_image_size().steps[-1] == Crop()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LimitGradient(0), "limit-gradient 0; expected a number of means above 0"),
        (lambda: LimitGradient("2"), "limit-gradient '2'; expected"),
        (lambda: LimitGradient(1.0, 4), "window 4; expected an odd number of pixels"),
        (lambda: LimitGradient(1.0, 0), "window 0; expected"),
        (lambda: step_from_json({"kind": "limit-gradient"}), "most is missing"),
        (
            lambda: SequentialTransform((LimitGradient(1.0),)),
            'limit-gradient: expected with resample "once"',
        ),
    ],
)
def test_impossible_settings_are_explained(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_json_round_trips():
    step = LimitGradient(1.5, 7)
    assert step_to_json(step) == {"kind": "limit-gradient", "most": 1.5, "window": 7}
    assert step_from_json(step_to_json(step)) == step
    assert step_from_json({"kind": "limit-gradient", "most": 2}) == LimitGradient(2)
