from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.parameterizations import Fourier, Pixel
from kerasviz.optvis.parameterizations.fourier import frequency_scale
from reference import fourier as twin
from reference.colour import M

SEEDS = np.array([4, 0, 11], np.int32)
SIZES = [(8, 8), (7, 9), (9, 6), (6, 11), (5, 5)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("decay_power", [1.0, 0.5])
def test_the_scale_is_that_of_the_source(height, width, decay_power):
    expected = twin.scale(height, width, decay_power)
    assert np.allclose(frequency_scale(height, width, decay_power), expected, rtol=1e-12)


def test_the_scale_at_128_pixels():
    # From 16384 at frequency 0 down to 181 at 0.707.
    scale = frequency_scale(128, 128, 1.0)
    assert scale.shape == (128, 65)
    assert scale.max() == scale[0, 0] == 16384
    assert np.isclose(scale.min(), 181, atol=0.1) and scale.argmin() == 64 * 65 + 64


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_image_is_the_sum_of_its_waves(height, width, channels):
    chosen = Fourier(sd=0.3)
    params = chosen.init(SEEDS, height, width, channels)
    columns = width // 2 + 1 + width % 2
    assert [part.shape for part in params] == [(3, channels, height, columns)] * 2
    found = chosen.to_image(params, height, width)
    assert found.shape == (3, height, width, channels)
    assert np.abs(found - twin.image([part.numpy() for part in params], height, width)).max() < 1e-5


def test_settings_change_the_image_as_they_say():
    params = Fourier().init(SEEDS, 6, 9, 3)
    numbers = [part.numpy() for part in params]
    for power, decorrelate in ((0.5, True), (2.0, False)):
        found = Fourier(decay_power=power, decorrelate=decorrelate).to_image(params, 6, 9)
        expected = twin.image(numbers, 6, 9, power, decorrelate)
        assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(("size", "spread"), [(128, 0.018), (64, 0.017)])
def test_the_first_image_is_nearly_grey(size, spread):
    # The standard deviation of the image before colours and sigmoid.
    chosen = Fourier(decorrelate=False)
    image = chosen.to_image(chosen.init(np.arange(8), size, size, 3), size, size).numpy()
    logits = np.log(image / (1 - image))
    assert np.isclose(logits.std(), spread, rtol=0.06)


def test_a_row_depends_on_its_seed_only():
    def both(seeds):
        params = Fourier().init(seeds, 9, 7, 3)
        return [*(part.numpy() for part in params), Fourier().to_image(params, 9, 7).numpy()]

    together = both(SEEDS)
    for chosen in (np.array([2, 0, 1]), np.array([1])):
        for found, expected in zip(both(SEEDS[chosen]), together, strict=True):
            assert np.array_equal(found, expected[chosen])
    assert not np.array_equal(together[0][0], together[0][1])


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7)])
def test_the_gradient_agrees_with_finite_differences(height, width):
    chosen = Fourier(sd=0.1)
    params = chosen.init(SEEDS[:1], height, width, 3)
    weights = np.random.default_rng(0).normal(size=(1, height, width, 3))
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(weights.astype(np.float32) * chosen.to_image(params, height, width))
    gradients = tape.gradient(score, params)
    numbers = [part.numpy().astype(np.float64) for part in params]
    for part in range(2):
        for place in np.ndindex(*numbers[part].shape):
            slopes = []
            for nudge in (1e-4, -1e-4):
                nudged = [n.copy() for n in numbers]
                nudged[part][place] += nudge
                slopes.append((weights * twin.image(nudged, height, width)).sum())
            slope = (slopes[0] - slopes[1]) / 2e-4
            assert np.isclose(slope, gradients[part].numpy()[place], atol=2e-3, rtol=1e-3)


def one_step(chosen, gradient):
    """How the image's logits move by a small step up a gradient of the image, from flat grey."""
    batch, height, width, channels = gradient.shape
    params = tf.nest.map_structure(
        tf.zeros_like, chosen.init(np.zeros(batch, np.int32), height, width, channels)
    )
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(gradient * chosen.to_image(params, height, width))
    slopes = tape.gradient(score, params)
    size = max(float(tf.reduce_max(tf.abs(s))) for s in tf.nest.flatten(slopes))
    params = tf.nest.map_structure(lambda p, s: p + 1e-4 / size * s, params, slopes)
    image = chosen.to_image(params, height, width).numpy().astype(np.float64)
    return np.log(image / (1 - image))


def slope_of_spectrum(image):
    """d log amplitude / d log frequency, over images [B, N, N, C]."""
    size = image.shape[1]
    amplitude = np.sqrt((np.abs(np.fft.fft2(image, axes=(1, 2))) ** 2).mean(axis=(0, 3)))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    used = (frequency > 1.5 / size) & (frequency < 0.45)
    return np.polyfit(np.log(frequency[used]), np.log(amplitude[used]), 1)[0]


def test_one_step_up_a_white_gradient_has_the_spectrum_of_natural_images():
    # The optimized variables are the scaled frequencies: A A' with A ~ 1 / f moves the image by
    # 1 / f^2. Were only the first noise shaped, the step would be as white as the gradient.
    white = np.random.default_rng(0).normal(size=(4, 64, 64, 3)).astype(np.float32)
    assert abs(slope_of_spectrum(one_step(Fourier(), white)) + 2) < 0.05
    assert abs(slope_of_spectrum(one_step(Fourier(decay_power=0.5), white)) + 1) < 0.05
    assert abs(slope_of_spectrum(one_step(Pixel(), white))) < 0.05


@pytest.mark.parametrize("kind", [Fourier, Pixel])
def test_one_step_up_a_red_gradient_moves_along_decorrelated_colours(kind):
    red = np.zeros((1, 8, 8, 3), np.float32)
    red[..., 0] = 1
    moved = one_step(kind(), red).mean(axis=(0, 1, 2))
    assert np.allclose(moved / moved[0], (M @ M.T)[:, 0] / (M @ M.T)[0, 0], atol=0.01)
    moved = one_step(kind(decorrelate=False), red).mean(axis=(0, 1, 2))
    assert np.allclose(moved / moved[0], [1, 0, 0], atol=0.01)
