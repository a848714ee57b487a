from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import LowResolution, Pyramid, from_json
from kerasviz.optvis.parameterizations.low_resolution import enlarged
from reference.colour import to_rgb

SEEDS = np.array([4, 0, 11], np.int32)


def resized(values, height, width):
    """Bilinear, pixel centres on pixel centres: each output pixel between its four neighbours."""
    h, w = values.shape[:2]
    out = np.zeros((height, width, values.shape[2]))
    for i, j in np.ndindex(height, width):
        y = min(max((i + 0.5) * h / height - 0.5, 0), h - 1)
        x = min(max((j + 0.5) * w / width - 0.5, 0), w - 1)
        a, b = int(y), int(x)
        c, d = min(a + 1, h - 1), min(b + 1, w - 1)
        top = values[a, b] * (1 - (x - b)) + values[a, d] * (x - b)
        low = values[c, b] * (1 - (x - b)) + values[c, d] * (x - b)
        out[i, j] = top * (1 - (y - a)) + low * (y - a)
    return out


@pytest.mark.parametrize(("height", "width"), [(16, 16), (13, 17), (9, 5), (3, 2)])
def test_the_pyramid_is_a_sum_of_enlarged_levels(height, width):
    chosen = Pyramid(levels=3, sd=0.4)
    params = chosen.init(SEEDS, height, width, 3)
    sides = [(max(1, height >> n), max(1, width >> n)) for n in range(3)]
    assert [tuple(level.shape) for level in params] == [(3, *side, 3) for side in sides]
    found = chosen.to_image(params, height, width).numpy()
    for row in range(3):
        values = sum(resized(level[row].numpy().astype(float), height, width) for level in params)
        np.testing.assert_allclose(found[row], to_rgb(values[np.newaxis])[0], atol=1e-5)
    levels = [level.numpy().ravel()[:9] for level in params]
    assert not np.allclose(levels[0], levels[1])  # every level has noise of its own


def test_a_coarse_image_has_few_numbers():
    chosen = LowResolution(size=3, sd=1.0, decorrelate=False)
    params = chosen.init(SEEDS, 12, 15, 2)
    assert params.shape == (3, 3, 3, 2)
    found = chosen.to_image(params, 12, 15).numpy()
    expected = to_rgb(resized(params[1].numpy().astype(float), 12, 15)[np.newaxis], False)
    np.testing.assert_allclose(found[1], expected[0], atol=1e-5)


@pytest.mark.parametrize("chosen", [Pyramid(), LowResolution(size=4)])
def test_rows_are_independent(chosen):
    def image(seeds):
        return chosen.to_image(chosen.init(seeds, 9, 7, 3), 9, 7).numpy()

    np.testing.assert_array_equal(image(SEEDS)[1:2], image(SEEDS[1:2]))
    np.testing.assert_array_equal(image(SEEDS[::-1].copy()), image(SEEDS)[::-1])


def test_gradients_against_finite_differences():
    chosen = Pyramid(levels=2, sd=0.3)
    params = chosen.init(SEEDS[:1], 7, 6, 3)
    weights = np.random.default_rng(0).normal(size=(1, 7, 6, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(weights * chosen.to_image(params, 7, 6))
    slopes = tape.gradient(score, params)
    for n, part in enumerate(params):
        way = np.random.default_rng(n).normal(size=part.shape).astype(np.float32)
        ends = []
        for sign in (1, -1):
            moved = [p + sign * 1e-2 * way if k == n else p for k, p in enumerate(params)]
            ends.append(float(tf.reduce_sum(weights * chosen.to_image(moved, 7, 6))))
        assert np.isclose((ends[0] - ends[1]) / 2e-2, (slopes[n] * way).numpy().sum(), rtol=1e-2)


def test_the_size_itself_is_not_resized():
    values = tf.random.stateless_normal([1, 4, 5, 3], [0, 1])
    assert enlarged(values, 4, 5) is values


def test_settings_travel_and_bad_ones_are_refused():
    for chosen in (Pyramid(levels=2, root="cholesky"), LowResolution(size=5, sd=0.2)):
        assert from_json(chosen.to_json()) == chosen
    for bad in ({"levels": 0}, {"sd": -1.0}, {"root": "qr"}):
        with pytest.raises(UsageError):
            Pyramid(**bad)
    with pytest.raises(UsageError, match="size 0"):
        LowResolution(size=0)
