"""What photos bring into the optimization: steepness, nudges and masks."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kerasviz.optvis.optimization.photos import (
    NUDGE,
    central_crop,
    mask_of,
    nudged,
    random_crop,
    steepness,
)


def test_steepness_is_the_ratio_of_sums_of_slopes_of_each_row() -> None:
    draw = np.random.default_rng(0)
    parts = [draw.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(4)]
    score, near = (tuple(map(tf.constant, pair)) for pair in (parts[:2], parts[2:]))
    sums = [sum(np.abs(p).sum((1, 2)) for p in pair) for pair in (parts[:2], parts[2:])]
    np.testing.assert_allclose(steepness(score, near), sums[0] / sums[1], rtol=1e-5)
    flat = tf.zeros([2, 3])
    np.testing.assert_allclose(steepness(flat, flat), [1e-6, 1e-6])
    np.testing.assert_allclose(steepness(flat + 1, flat), [1e6, 1e6])


def test_a_nudge_is_relative_and_depends_on_the_seed_of_its_row_only() -> None:
    params = (tf.constant([[1.0, 100.0, 0.0]] * 3), tf.ones([3, 50]))
    seeds = tf.constant([4, 7, 4])
    found = nudged(params, seeds)
    moves = [(new - old).numpy() for new, old in zip(found, params, strict=True)]
    assert (moves[0][:, 2] == 0).all() and 0.5 * NUDGE < moves[1][0].std() < 1.5 * NUDGE
    for move in moves:
        np.testing.assert_array_equal(move[0], move[2])
        assert np.abs(move[0] - move[1]).max() > 0
    alone = nudged(tuple(p[1:2] for p in params), seeds[1:2])
    np.testing.assert_array_equal(alone[1][0], found[1][1])


def test_a_mask_is_the_share_of_pixels_that_are_lower() -> None:
    height, width = 11, 18
    y, x = np.mgrid[:height, :width]
    slopes = np.stack([np.exp(-((y - 3.1) ** 2 + (x - 12.3) ** 2) / 8), 0 * x, x + 1.0])
    masks = mask_of(slopes.astype(np.float32))
    assert masks.shape == slopes.shape and masks.min() == 0 and masks.max() < 1
    assert np.unravel_index(masks[0].argmax(), (height, width)) == (3, 12)
    assert 0.19 < (masks[0] >= 0.8).mean() < 0.21
    assert (masks[1] == 0).all()
    assert (np.diff(masks[2], axis=1) >= 0).all()
    np.testing.assert_array_equal(mask_of(slopes[2:].astype(np.float32))[0], masks[2])
    np.testing.assert_array_equal(mask_of(7 * slopes[:1].astype(np.float32))[0], masks[0])


def test_windows_of_style_photos_are_anywhere_inside_by_seed_and_step() -> None:
    draw = np.random.default_rng(3)
    images = draw.random((2, 7, 9, 3)).astype(np.float32)
    seeds, places = tf.constant([4, 11]), set()
    for step in range(60):
        steps = tf.constant([step, step])
        cut = random_crop(tf.constant(images), (5, 6), seeds, steps).numpy()
        for image, window in zip(images, cut, strict=True):
            matches = [
                (y, x)
                for y, x in np.ndindex(3, 4)
                if np.array_equal(image[y : y + 5, x : x + 6], window)
            ]
            assert len(matches) == 1
            places.add(matches[0])
        alone = random_crop(tf.constant(images[1:]), (5, 6), seeds[1:], steps[1:])
        np.testing.assert_array_equal(alone[0], cut[1])
    assert len(places) == 12
    middle = central_crop(tf.constant(images), (5, 6))
    np.testing.assert_array_equal(middle, images[:, 1:6, 1:7])
    whole = random_crop(tf.constant(images), (7, 9), seeds, tf.constant(0))
    np.testing.assert_array_equal(whole, images)
