"""Grey images for networks of colours."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Alpha, Cppn, Fourier, Grey, Pixel, from_json
from reference.colour import sigmoid

SEEDS = np.array([4, 0, 11], np.int32)


@pytest.mark.parametrize(("height", "width"), [(7, 10), (5, 5), (4, 9)])
def test_three_equal_colours_of_one_value(height, width):
    chosen = Grey(Pixel(sd=0.7))
    params = chosen.init(SEEDS, height, width, 3)
    assert params.shape == (3, height, width, 1)
    found = chosen.to_image(params, height, width).numpy()
    wanted = np.repeat(sigmoid(params.numpy()), 3, axis=-1)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_gradient_is_the_sum_over_colours():
    chosen = Grey(Pixel(sd=0.5))
    params = chosen.init(SEEDS[:1], 5, 4, 3)
    mix = np.random.default_rng(0).normal(size=(1, 5, 4, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(mix * chosen.to_image(params, 5, 4))
    s = sigmoid(params.numpy())
    wanted = (s * (1 - s)) * mix.sum(-1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(score, params), wanted, atol=1e-5)


@pytest.mark.parametrize("own", [Fourier(), Cppn(hidden=4, layers=2)])
def test_a_row_depends_on_its_seed_only(own):
    def image(seeds):
        return Grey(own).to_image(Grey(own).init(seeds, 9, 7, 3), 9, 7).numpy()

    np.testing.assert_allclose(image(SEEDS)[1:2], image(SEEDS[1:2]), atol=1e-7)


def test_settings_travel_and_bad_ones_are_refused():
    chosen = Grey(Fourier(decay_power=1.2))
    assert from_json(chosen.to_json()) == chosen and hash(chosen)
    with pytest.raises(UsageError, match="own 'alpha'; expected one of colours alone"):
        Grey(Alpha())
    with pytest.raises(UsageError, match="not images of 5 channels; leave it out"):
        Grey().init(SEEDS, 5, 5, 5)
