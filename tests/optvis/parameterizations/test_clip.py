"""Colours that are cut off, against a loop over pixels, and the gradient that leads back."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Clip, Cppn, Fourier, LowResolution, Pixel, from_json
from kerasviz.optvis.parameterizations.clip import limited
from reference.colour import S

SEEDS = np.array([4, 0, 11], np.int32)


def cut_off(values, decorrelate=True):
    """Images of values [B, H, W, C] (lucid, ``to_valid_rgb(sigmoid=False)``)."""
    values = np.asarray(values, np.float64)
    norm = max(np.sqrt((S[:, k] ** 2).sum()) for k in range(3))
    out = np.empty_like(values)
    for place in np.ndindex(values.shape[:3]):
        v = values[place]
        mixed = S @ v / norm + [0.48, 0.46, 0.41] if decorrelate and len(v) == 3 else v + 0.5
        u = 2 * mixed - 1
        out[place] = u / np.maximum(1, np.abs(u)) / 2 + 0.5
    return out


@pytest.mark.parametrize(("height", "width", "channels"), [(7, 10, 3), (5, 5, 1), (4, 9, 5)])
@pytest.mark.parametrize("decorrelate", [True, False])
def test_the_image_is_the_values_cut_off(height, width, channels, decorrelate):
    chosen = Clip(Pixel(sd=0.7, decorrelate=decorrelate))
    params = chosen.init(SEEDS, height, width, channels)
    found = chosen.to_image(params, height, width).numpy()
    np.testing.assert_allclose(found, cut_off(params.numpy(), decorrelate), atol=1e-6)
    assert found.min() == 0 and found.max() == 1  # both are reached
    assert np.abs(Clip().to_image(Clip().init(SEEDS, 9, 7, 3), 9, 7) - 0.45).max() < 0.1


def test_spectra_are_cut_off_too():
    own = Fourier(sd=0.4)
    params = own.init(SEEDS, 9, 7, 3)
    found = Clip(own).to_image(params, 9, 7)
    np.testing.assert_allclose(found, cut_off(own.values(params, 9, 7).numpy()), atol=1e-5)


@pytest.mark.parametrize("own", [Pixel(), Pixel(decorrelate=False), Fourier()])
def test_a_photo_is_held_to_black_and_white(own):
    photos = np.random.default_rng(0).uniform(size=(2, 6, 9, 3)).astype(np.float32)
    photos[:, 1], photos[:, 2] = 0, 1
    chosen = Clip(own)
    found = chosen.to_image(chosen.from_images(tf.constant(photos)), 6, 9)
    np.testing.assert_allclose(found, photos, atol=1e-5)
    with pytest.raises(UsageError, match="low-resolution: it cannot hold a photo"):
        Clip(LowResolution()).from_images(tf.constant(photos))


def test_the_gradient_is_that_of_the_identity_but_never_leads_outwards():
    numbers = tf.constant([-3.0, -1.0, -0.999, 0.2, 1.0, 2.0])
    for sign in (1.0, -1.0):
        with tf.GradientTape() as tape:
            tape.watch(numbers)
            score = tf.reduce_sum(sign * limited(numbers))
        kept = [1, 1, 1, 1, 0, 0] if sign > 0 else [0, 0, 1, 1, 1, 1]
        np.testing.assert_array_equal(tape.gradient(score, numbers), sign * np.array(kept))


def test_a_pixel_beyond_white_comes_back():
    chosen = Clip(Pixel(decorrelate=False))
    params = tf.fill([1, 1, 1, 1], 0.9)  # 0.4 beyond white
    for _ in range(12):
        with tf.GradientTape() as tape:
            tape.watch(params)
            score = -tf.reduce_sum(chosen.to_image(params, 1, 1))
        params = params + 0.1 * tape.gradient(score, params)
    assert float(chosen.to_image(params, 1, 1)[0, 0, 0, 0]) < 0.25


def test_a_row_depends_on_its_seed_only():
    together = Clip().init(SEEDS, 6, 7, 3)
    np.testing.assert_array_equal(Clip().init(SEEDS[1:2], 6, 7, 3), together[1:2])
    image = Clip(Pixel(sd=0.5)).to_image(together * 50, 6, 7).numpy()
    np.testing.assert_array_equal(Clip().to_image(together[1:2] * 50, 6, 7), image[1:2])


def test_settings_travel_and_bad_ones_are_refused():
    chosen = Clip(Fourier(decay_power=1.2))
    assert from_json(chosen.to_json()) == chosen and hash(chosen)
    with pytest.raises(UsageError, match="clip parameterization: own 'cppn'; expected pixel"):
        Clip(Cppn())
