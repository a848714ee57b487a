"""Images painted by networks, against a numpy twin that goes pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import LoopInputs
from kerasviz.optvis.parameterizations import Cppn, from_json
from kerasviz.optvis.recipes import recipe
from reference import cppn

SEEDS = np.array([4, 0, 11], np.int32)


def painted(chosen, channels, sd=0.5):
    """Parameters whose last weights are not zero."""
    *params, last, biases = chosen.init(SEEDS, 5, 7, channels)
    noise = np.random.default_rng(0).normal(0, sd, last.shape).astype(np.float32)
    return [*params, tf.constant(noise), biases]


@pytest.mark.parametrize("activation", ["composite", "unbiased", "relu"])
@pytest.mark.parametrize(("height", "width", "channels"), [(5, 8, 3), (7, 4, 1), (1, 1, 5)])
def test_a_colour_is_a_function_of_the_place(activation, height, width, channels):
    chosen = Cppn(hidden=6, layers=3, activation=activation)
    params = painted(chosen, channels)
    found = chosen.to_image(params, height, width)
    expected = cppn.image(params, height, width, activation)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_first_weights_keep_the_variance_and_the_image_starts_as_one_colour():
    chosen = Cppn(hidden=64, layers=3)
    params = chosen.init(SEEDS, 9, 6, 3)
    assert [p.shape[1:] for p in params[::2]] == [(2, 64), (128, 64), (128, 64), (128, 3)]
    for weights in params[2:6:2]:
        assert np.std(weights) == pytest.approx(128**-0.5, rel=0.03)
    assert np.std(params[3]) == pytest.approx(0.1, rel=0.2) and not np.any(params[-2])
    start = chosen.to_image(params, 9, 6).numpy()
    assert np.ptp(start, axis=(1, 2)).max() < 1e-6 and np.abs(start - 0.5).max() < 0.1


def test_a_larger_size_shows_the_same_picture():
    chosen = Cppn(hidden=8, layers=2)
    params = painted(chosen, 3)
    small, large = (chosen.to_image(params, *size).numpy() for size in [(9, 13), (25, 37)])
    np.testing.assert_allclose(large[:, ::3, ::3], small, atol=1e-5)


def test_gradients_by_all_parameters_are_those_of_finite_differences():
    chosen = Cppn(hidden=3, layers=2)
    params = painted(chosen, 2)
    mix = np.random.default_rng(1).normal(size=(3, 4, 5, 2))
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(chosen.to_image(params, 4, 5) * tf.constant(mix, tf.float32))
    slopes = tape.gradient(score, params)
    exact = [np.asarray(p, np.float64) for p in params]
    for k, slope in enumerate(slopes):
        place = tuple(n - 1 for n in exact[k].shape)
        ends = []
        for sign in (1, -1):
            nudged = [p.copy() for p in exact]
            nudged[k][place] += sign * 1e-5
            ends.append((mix * cppn.image(nudged, 4, 5, chosen.activation)).sum())
        assert float(slope[place]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-5)


def test_a_row_depends_on_its_seed_only():
    chosen = Cppn(hidden=5, layers=2)
    together = chosen.init(SEEDS, 6, 7, 3)
    alone = chosen.init(SEEDS[1:2], 6, 7, 3)
    for some, one in zip(together, alone, strict=True):
        np.testing.assert_array_equal(some[1:2], one)
    assert np.any(together[0][0] != together[0][1])
    image = chosen.to_image(painted(chosen, 3), 6, 7).numpy()
    one = chosen.to_image([p[1:2] for p in painted(chosen, 3)], 6, 7).numpy()
    np.testing.assert_allclose(image[1:2], one, atol=1e-6)


def test_rows_of_a_batch_are_independent_and_a_run_resumes_to_the_byte():
    net = network()
    chosen = recipe("article").replace(
        steps=20, size=(9, 13), parameterization=Cppn(hidden=5, layers=2), learning_rate=0.05
    )

    def batch(units, seeds):
        objectives = [channel("joined", unit) for unit in units]
        structure = structure_of(objectives[0], net)
        data = pack_objectives(structure, objectives, net)
        return LoopInputs(structure, data, np.array(seeds, np.int32), np.arange(len(units)))

    kept = []
    whole = optimize(net, chosen, batch([1, 2], [0, 1]), progress=kept.append)
    assert whole.history[-1].mean() > whole.history[0].mean() and np.ptp(whole.images[0]) > 0.1
    other = optimize(net, chosen, batch([5, 2], [7, 1]))
    np.testing.assert_array_equal(whole.images[1], other.images[1])
    resumed = optimize(net, chosen, batch([1, 2], [0, 1]), resume=kept[0].checkpoint())
    np.testing.assert_array_equal(resumed.images, whole.images)


def test_settings_travel_with_their_learning_rate():
    chosen = Cppn(hidden=8, activation="relu")
    assert from_json(chosen.to_json()) == chosen and hash(chosen)
    assert recipe("fast").of_kind("cppn").learning_rate == 0.005
    assert recipe("fast").of_kind("pixel").learning_rate == recipe("fast").learning_rate
    for wrong in ({"hidden": 0}, {"layers": 1.5}, {"activation": "tanh"}):
        with pytest.raises(UsageError, match=r"expected 1 or more|activation 'tanh'"):
            Cppn(**wrong)
