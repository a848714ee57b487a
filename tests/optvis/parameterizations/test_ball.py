"""Pictures near a photo: distances, gradients at the boundary, and the photo that stays."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import L2Ball, LinfBall, from_json

DRAW = np.random.default_rng(0)
PHOTOS = DRAW.uniform(0.3, 0.7, (3, 5, 7, 3)).astype(np.float32)
KINDS = [LinfBall(0.1), L2Ball(0.05)]


def shown(ball, differences, photos=PHOTOS):
    return ball.to_image((tf.constant(differences), tf.constant(photos)), 5, 7).numpy()


@pytest.mark.parametrize("ball", KINDS)
def test_a_picture_starts_as_its_photo(ball):
    differences, photos = ball.from_images(tf.constant(PHOTOS))
    assert not np.any(differences)
    np.testing.assert_allclose(ball.to_image((differences, photos), 5, 7), PHOTOS, atol=1e-6)


@pytest.mark.parametrize("length", [0.4, 1.0, 6.0])
def test_no_colour_or_no_mean_is_further_than_the_radius(length):
    differences = (length * DRAW.normal(size=PHOTOS.shape)).astype(np.float32)
    found = shown(LinfBall(0.1), differences)
    np.testing.assert_allclose(found, PHOTOS + 0.1 * np.clip(differences, -1, 1), atol=1e-6)
    for row in range(3):
        rms = np.sqrt(np.mean(differences[row].astype(float) ** 2))
        wanted = PHOTOS[row] + 0.05 * differences[row] / max(1, rms)
        found = shown(L2Ball(0.05), differences)[row]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        assert np.sqrt(np.mean((found - PHOTOS[row]) ** 2)) < 0.05 * 1.0001


@pytest.mark.parametrize("ball", KINDS)
def test_colours_stay_colours(ball):
    bright = np.ones_like(PHOTOS)
    found = shown(ball, 3 * DRAW.normal(size=PHOTOS.shape).astype(np.float32), bright)
    assert found.max() <= 1 and found.min() >= 0.3


def gradient(ball, differences, mix):
    params = tf.constant(differences), tf.constant(PHOTOS)
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(mix * ball.to_image(params, 5, 7))
    return tape.gradient(score, params)


@pytest.mark.parametrize("ball", KINDS)
def test_inside_the_gradient_is_that_of_the_difference_and_the_photo_has_none(ball):
    differences = 0.1 * DRAW.normal(size=PHOTOS.shape).astype(np.float32)
    mix = DRAW.normal(size=PHOTOS.shape).astype(np.float32)
    found, of_photo = gradient(ball, differences, mix)
    np.testing.assert_allclose(found, ball.radius * mix, rtol=1e-5)
    assert of_photo is not None and not np.any(of_photo)  # 0, so that optimizers leave it


def test_at_the_boundary_nothing_leads_outwards():
    differences = 2 * DRAW.normal(size=PHOTOS.shape).astype(np.float32)
    mix = DRAW.normal(size=PHOTOS.shape).astype(np.float32)
    found, _ = gradient(LinfBall(0.1), differences, mix)
    leaves = (np.abs(differences) >= 1) & (differences * mix > 0)
    np.testing.assert_allclose(found, np.where(leaves, 0, 0.1 * mix), rtol=1e-5)
    # Outwards of the sphere for row 0, inwards for row 1.
    mix[0], mix[1] = differences[0] + 0.3 * mix[0], -differences[1]
    found, _ = gradient(L2Ball(0.05), differences, mix)
    for row in (0, 1):
        unit = differences[row] / np.linalg.norm(differences[row])
        along = float((mix[row] * unit).sum())
        wanted = mix[row] - max(along, 0) * unit
        np.testing.assert_allclose(found[row], 0.05 * wanted, atol=1e-5)
    assert abs(float(np.sum(found[0] * differences[0]))) < 1e-3


@pytest.mark.parametrize("ball", KINDS)
def test_rows_are_independent(ball):
    differences = 2 * DRAW.normal(size=PHOTOS.shape).astype(np.float32)
    together = shown(ball, differences)
    alone = shown(ball, differences[1:2], PHOTOS[1:2])
    np.testing.assert_allclose(together[1:2], alone, atol=1e-7)


def test_settings_travel_and_bad_ones_are_refused():
    for ball in KINDS:
        assert from_json(ball.to_json()) == ball and hash(ball)
    assert from_json({"kind": "l2-ball"}) == L2Ball()
    for radius in (0, -1.0, float("inf")):
        with pytest.raises(UsageError, match="radius"):
            LinfBall(radius)
    with pytest.raises(UsageError, match="stays near a photo; give --from PHOTO"):
        L2Ball().init(np.array([0], np.int32), 5, 7, 3)
