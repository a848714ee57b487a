from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.rows import assert_same_rows

from kerasviz.errors import UsageError
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.parameterizations import Maco, from_json
from kerasviz.optvis.parameterizations.maco import PHASE_SD, base_phases
from reference import maco as twin

SEEDS = np.array([4, 0, 11], np.int32)
SIZES = [(8, 8, 3), (7, 9, 1), (9, 6, 3), (6, 7, 5), (12, 4, 3)]


def spectrum_of(side, low=1.0, high=9.0, seed=0):
    """Magnitudes of a real image within a narrow range, so that float32 holds all to 1e-5."""
    draw = np.random.default_rng(seed).uniform(low, high, (3, side, side // 2 + 1))
    for column in {0, side // 2} if side % 2 == 0 else {0}:
        draw[:, :, column] += np.roll(draw[:, ::-1, column], 1, axis=1)
    return draw


def real_bins(height, width):
    """Which bins of rfft2 are their own mirror images."""
    rows = [0, height // 2] if height % 2 == 0 else [0]
    columns = [0, width // 2] if width % 2 == 0 else [0]
    mask = np.zeros((height, width // 2 + 1), bool)
    mask[np.ix_(rows, columns)] = True
    return mask


@pytest.mark.parametrize(("height", "width", "channels"), SIZES)
def test_the_image_is_that_of_its_twin(height, width, channels):
    chosen = Maco(contrast=1.7)
    params = chosen.init(SEEDS, height, width, channels)
    assert params.shape == (3, channels, height, width // 2 + 1)
    found = chosen.to_image(params, height, width).numpy()
    fixed = (base_phases(height, width, channels), chosen.magnitudes(height, width, channels))
    expected = twin.image(params.numpy(), *fixed, width, 1.7)
    assert found.shape == (3, height, width, channels)
    assert np.abs(found - expected).max() < 1e-5
    assert found.min() > 0 and found.max() < 1


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("phases", ["first", "later"])
def test_magnitudes_are_held_in_all_bins_but_the_four_real_ones(side, phases):
    spectrum = spectrum_of(side)
    chosen = Maco(spectrum=HeldArray.of(spectrum))
    params = chosen.init(SEEDS, side, side, 3)
    if phases == "later":  # any phases, of any deviation, as after many steps
        params = 3 * params + np.random.default_rng(1).normal(5, 9, params.shape)
    values = chosen.values(tf.cast(params, tf.float32), side, side).numpy().astype(np.float64)
    found = np.abs(np.fft.rfft2(np.moveaxis(values, 3, 1)))
    held = np.broadcast_to(~real_bins(side, side), found[0].shape)
    ratios = found[:, held] / spectrum[held]
    assert np.abs(ratios / ratios.mean(axis=1, keepdims=True) - 1).max() < 1e-5
    if side % 2 == 0:  # A cos(phase) in the others, but for the mean, which is subtracted
        free = found[:, :, 4, 4] / spectrum[:, 4, 4] / ratios.mean(axis=1, keepdims=True)
        assert free.max() < 1.00001 and free.min() < 0.95


def test_the_scale_of_magnitudes_has_no_meaning():
    spectrum = np.round(spectrum_of(8, 1, 2000))
    params = Maco().init(SEEDS, 8, 8, 3)
    once, more = (
        Maco(spectrum=HeldArray.of(factor * spectrum)).to_image(params, 8, 8) for factor in (1, 10)
    )
    np.testing.assert_array_equal(once, more)


def test_first_phases_are_uniform_and_keep_their_deviation():
    params = Maco().init(SEEDS, 64, 64, 3).numpy()
    assert np.abs(params).max() <= np.float32(np.pi) and abs(params.std() - PHASE_SD) < 0.02
    counts, _ = np.histogram(params, 8, (-np.pi, np.pi))
    assert counts.min() > 0.9 * counts.mean()
    # Optimized parameters are normal: no bright spot in the corner, which phases about 0 have.
    normal = np.random.default_rng(0).normal(0, 3, params.shape).astype(np.float32)
    for numbers in (params, normal):
        values = Maco().values(tf.constant(numbers), 64, 64).numpy()
        assert np.abs(values[:, 0, 0]).max() < 4
    waves = Maco().magnitudes(64, 64, 3) * np.exp(1j * normal / 3 * PHASE_SD)
    spots = np.fft.irfft2(waves)
    assert (spots[..., 0, 0] / spots.std(axis=(2, 3))).mean() > 5
    values = Maco().values(tf.constant(params), 64, 64).numpy()
    # Larger phases are scaled back; the phases of a picture do not depend on another's.
    rows = tf.constant(np.concatenate([params[:1], 5 * params[1:]]))
    again = Maco().values(rows, 64, 64).numpy()
    np.testing.assert_allclose(again, values, atol=2e-4)


@pytest.mark.parametrize(("height", "width"), [(6, 5), (5, 6)])
def test_the_gradient_agrees_with_finite_differences(height, width):
    chosen = Maco(spectrum=HeldArray.of(spectrum_of(6)))
    params = chosen.init(SEEDS[:1], height, width, 3)
    weights = np.random.default_rng(2).normal(0, 1, (1, height, width, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(weights * chosen.to_image(params, height, width))
    gradient = tape.gradient(score, params).numpy()
    fixed = (base_phases(height, width, 3), chosen.magnitudes(height, width, 3))

    def value(phases):
        return float((weights * twin.image(phases, *fixed, width)).sum())

    for place in list(np.ndindex(*params.shape))[::2]:
        nudge = np.zeros(params.shape)
        nudge[place] = 1e-4
        slope = (value(params.numpy() + nudge) - value(params.numpy() - nudge)) / 2e-4
        assert abs(slope - gradient[place]) < 2e-4
    # Phases that are minus those of another frequency are no parameters.
    lower = gradient[0, :, height // 2 + 1 :, 0]
    assert lower.size and not lower.any()


def test_a_linear_functional_rises_under_gradient_ascent():
    chosen = Maco()
    weights = np.random.default_rng(3).normal(0, 1, (1, 12, 12, 3)).astype(np.float32)
    params = chosen.init(SEEDS[:1], 12, 12, 3)
    scores = []
    for _ in range(12):
        with tf.GradientTape() as tape:
            tape.watch(params)
            score = tf.reduce_sum(weights * chosen.to_image(params, 12, 12))
        params += 0.1 * tape.gradient(score, params)
        scores.append(float(score))
    assert scores[-1] > scores[0] + 2 and min(np.diff(scores)) > -0.05


@pytest.mark.parametrize("size", [(7, 9), (16, 16)])
def test_a_row_is_the_same_to_the_last_bit_wherever_it_stands(size):
    chosen = Maco(contrast=1.5)

    def of(seeds):
        params = chosen.init(tf.constant(seeds), *size, 3)
        with tf.GradientTape() as tape:
            tape.watch(params)
            image = chosen.to_image(params, *size)
            score = tf.reduce_sum(tf.square(image), axis=[1, 2, 3])
        return image.numpy(), tape.gradient(score, params).numpy()

    first, second = of([7, 1, 2, 3]), of([5, 9, 8, 7])
    for a, b in zip(first, second, strict=True):
        assert_same_rows(a[0], b[3])


def test_json_and_settings():
    measured = HeldArray.of(spectrum_of(6).astype(np.float32), "photos")
    for chosen in (Maco(), Maco(contrast=2.0, spectrum=measured)):
        assert from_json(chosen.to_json()) == chosen
    assert Maco().to_json() == {"kind": "maco", "contrast": 1.0}
    for contrast in (0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="contrast"):
            Maco(contrast=contrast)
    with pytest.raises(UsageError, match=r"spectrum of shape \(3, 6, 6\)"):
        Maco(spectrum=HeldArray.of(np.ones((3, 6, 6))))
    with pytest.raises(UsageError, match="photos: only its checksum"):
        from_json(Maco(spectrum=measured).to_json()).to_image(np.zeros((1, 3, 6, 4)), 6, 6)
