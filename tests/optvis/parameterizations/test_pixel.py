from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.parameterizations import Pixel
from reference.colour import to_rgb

SEEDS = np.array([4, 0, 11], np.int32)


@pytest.mark.parametrize(("height", "width", "channels"), [(7, 10, 3), (5, 5, 1), (4, 9, 5)])
def test_the_image_is_the_colours_of_the_parameters(height, width, channels):
    chosen = Pixel(sd=0.7)
    params = chosen.init(SEEDS, height, width, channels)
    assert params.shape == (3, height, width, channels)
    found = chosen.to_image(params, height, width)
    assert np.abs(found - to_rgb(params.numpy())).max() < 1e-6
    plain = Pixel(decorrelate=False).to_image(params, height, width)
    assert np.abs(plain - to_rgb(params.numpy(), decorrelate=False)).max() < 1e-6


def test_the_first_parameters_have_the_standard_deviation():
    assert np.isclose(np.std(Pixel().init(SEEDS, 60, 61, 3)), 0.01, rtol=0.02)
    assert np.isclose(np.std(Pixel(sd=2.0).init(SEEDS, 60, 61, 3)), 2.0, rtol=0.02)


def test_a_row_depends_on_its_seed_only():
    together = Pixel().init(SEEDS, 6, 7, 3).numpy()
    assert np.array_equal(Pixel().init(SEEDS[::-1].copy(), 6, 7, 3), together[::-1])
    assert np.array_equal(Pixel().init(SEEDS[1:2], 6, 7, 3), together[1:2])
    assert not np.array_equal(together[0], together[1])


def test_the_optimized_variables_are_pixels():
    # The gradient of one pixel touches this pixel only.
    params = Pixel().init(SEEDS[:1], 6, 7, 3)
    with tf.GradientTape() as tape:
        tape.watch(params)
        one = Pixel().to_image(params, 6, 7)[0, 2, 4, 1]
    touched = np.argwhere(tape.gradient(one, params).numpy().any(axis=-1))
    assert touched.tolist() == [[0, 2, 4]]
