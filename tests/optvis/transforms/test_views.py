from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.gradients import checked_gradient

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.steps import Crop, Jitter, Pad, step_from_json, step_to_json
from kerasviz.optvis.transforms.transform import FoldedTransform, SequentialTransform
from kerasviz.optvis.transforms.views import (
    NORMALS,
    SMALLEST,
    Noise,
    ShrinkingCrop,
    resized,
    spread,
    weights_of,
)

SEEDS = tf.constant([3, 8])


def images_of(*shape):
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def resampled(line, start, length, count):
    """A line of pixels resampled to ``count``, one result after the other, in float64."""
    scale, found = length / count, []
    for result in range(count):
        middle, total, weights = start + (result + 0.5) * scale, 0.0, 0.0
        for pixel, value in enumerate(line):
            weight = max(0.0, 1 - abs(pixel + 0.5 - middle) / max(scale, 1.0))
            total, weights = total + weight * value, weights + weight
        found.append(total / weights)
    return np.array(found)


@pytest.mark.parametrize("count", [3, 8, 21])
def test_resampling_is_bilinear_with_the_area_of_a_result(count):
    line = np.random.default_rng(1).uniform(size=9)
    starts, lengths = [0.0, 2.4, 8.0], [9.0, 5.3, 1.0]
    found = weights_of(tf.constant(starts), tf.constant(lengths), count, 9).numpy() @ line
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        np.testing.assert_allclose(found[row], resampled(line, start, length, count), atol=1e-5)


def test_a_resized_image_is_resampled_along_both_axes():
    image = images_of(1, 9, 6, 2)
    found = resized(tf.constant(image), (4, 11)).numpy()[0]
    rows = np.apply_along_axis(resampled, 0, image[0].astype(float), 0, 9, 4)
    np.testing.assert_allclose(found, np.apply_along_axis(resampled, 1, rows, 0, 6, 11), atol=1e-5)
    assert resized(image, (9, 6)) is image


def test_windows_shrink_with_the_steps_and_lie_inside():
    crop = ShrinkingCrop(0.8, 0.2, sd=0.1, centre_sd=0.3, steps=11)
    every = tf.range(NORMALS, dtype=tf.float32)
    middle = tf.fill([NORMALS], float(NORMALS // 2))
    for step, mean in ((0, 0.8), (5, 0.5), (10, 0.2), (99, 0.2)):
        side, top, left = (
            w.numpy() for w in crop.windows([every, every, middle], tf.fill([NORMALS], step))
        )
        assert side[NORMALS // 2] == pytest.approx(mean)
        assert side.min() >= np.float32(SMALLEST) and side.max() <= 1
        within = (side > SMALLEST) & (side < 1)
        draws = (side - mean)[within] / 0.1
        assert abs(draws.mean()) < 0.2 and (np.diff(draws) > 0).all()
        assert top.min() >= 0 and (top + side).max() < 1.000001
        np.testing.assert_allclose(left + side / 2, 0.5, atol=0.3)
    # Normal numbers: deviation 1, but for the tails.
    side = crop.windows([every, middle, middle], tf.fill([NORMALS], 5))[0].numpy()
    assert side.std() == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize(("size", "seen"), [((9, 7), (4, 5)), ((8, 8), (0, 0)), ((6, 11), (9, 3))])
def test_views_are_windows_of_their_own_image(size, seen):
    image = images_of(2, *size, 3)
    crop = ShrinkingCrop(0.6, 0.6, sd=0.1, size=seen, steps=1)
    chosen, views = FoldedTransform((crop,)), 3
    found = chosen.apply(tf.constant(image), SEEDS, 4, views).numpy()
    assert chosen.seen_size(size) == found.shape[1:3] == tuple(map(max, seen, (0, 0))) or seen == (
        0,
        0,
    )
    assert found.shape[0] == 6
    from kerasviz.optvis import randomness
    from kerasviz.optvis.transforms.transform import STREAM

    uniforms = randomness.uniform(SEEDS, 4, 3 * views, STREAM).numpy().reshape(6, 3)
    picks = [tf.constant(p) for p in np.floor(uniforms * NORMALS).T]
    windows = np.stack(crop.windows(picks, tf.fill([6], 4)), 1)
    for row, (side, top, left) in enumerate(windows):
        one = image[row // views].astype(float)
        height, width = found.shape[1:3]
        one = np.apply_along_axis(resampled, 0, one, top * size[0], side * size[0], height)
        one = np.apply_along_axis(resampled, 1, one, left * size[1], side * size[1], width)
        np.testing.assert_allclose(found[row], one, atol=2e-5)
    assert len({tuple(w) for w in windows}) == 6


def test_the_gradient_of_a_crop_agrees_with_finite_differences():
    for size in ((3, 3), (13, 12)):
        chosen = FoldedTransform((ShrinkingCrop(0.7, 0.5, size=size, steps=9),))
        target = images_of(2, *size, 1)

        def score(x, chosen=chosen, target=target):
            return tf.reduce_sum(target * chosen.apply(x, SEEDS[:1], 3, 2))

        assert checked_gradient(score, images_of(1, 7, 6, 1)).any()


def test_noise_is_new_in_every_row_view_and_step():
    still = tf.fill([2, 16, 15, 3], 0.5)
    chosen = FoldedTransform((Noise(0.04),))
    first, second = (chosen.apply(still, SEEDS, step, 2).numpy() - 0.5 for step in (0, 1))
    assert first.shape == (4, 16, 15, 3)
    assert first.std() == pytest.approx(0.04, rel=0.05) and abs(first.mean()) < 0.002
    rows = np.concatenate([first, second]).reshape(8, -1)
    assert np.abs(np.corrcoef(rows) - np.eye(8)).max() < 0.15
    np.testing.assert_array_equal(chosen.apply(still, SEEDS, 1, 2).numpy() - 0.5, second)


def test_a_row_depends_on_its_seed_and_step_only_to_the_last_bit():
    steps = (ShrinkingCrop(0.7, 0.3, size=(7, 9), steps=20), Pad(2), Jitter(3), Noise(0.1), Crop())
    chosen, image = FoldedTransform(steps), images_of(1, 11, 10, 3)

    def row(place, seeds, numbers):
        images = images_of(len(seeds), 11, 10, 3) + place
        images[place] = image[0]
        images = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(images)
            seen = chosen.apply(images, tf.constant(seeds), tf.constant(numbers), 2)
            score = tf.reduce_sum(tf.square(seen))
        slopes = tape.gradient(score, images)
        assert seen.shape == (2 * len(seeds), 7, 9, 3)
        return seen[2 * place : 2 * place + 2].numpy(), slopes[place].numpy()

    first, second = row(0, [7, 1, 2], [13, 4, 5]), row(2, [6, 5, 7], [1, 2, 13])
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_views_repeat_an_image_and_add_up_its_gradients():
    images = tf.constant(images_of(2, 3, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        wide = spread(images, 3)
        score = tf.reduce_sum(wide * tf.reshape(tf.range(6.0), [6, 1, 1, 1]))
    np.testing.assert_array_equal(wide, np.repeat(images, 3, axis=0))
    np.testing.assert_array_equal(tape.gradient(score, images)[:, 0, 0, 0], [0 + 1 + 2, 3 + 4 + 5])
    assert spread(images, 1) is images


def test_the_settings_of_crops_that_are_0_are_filled_in():
    own = ShrinkingCrop(size=(5, 6))
    chosen = FoldedTransform((ShrinkingCrop(), Noise(0.1), own))
    filled = chosen.with_crops(steps=9, size=(3, 4))
    assert [s.steps for s in filled.steps if isinstance(s, ShrinkingCrop)] == [9, 9]
    assert [s.size for s in filled.steps if isinstance(s, ShrinkingCrop)] == [(3, 4), (5, 6)]
    assert filled.seen_size((20, 20)) == (5, 6) and filled.with_crops(steps=3) == filled
    plain = FoldedTransform((Jitter(2),))
    assert plain.with_crops(steps=3) is plain and plain.seen_size((9, 8)) == (9, 8)
    # A crop ends with its own size: a network of fixed sides needs no other.
    assert chosen.to_image_size() is chosen
    jittered = FoldedTransform((own, Jitter(2))).to_image_size()
    assert jittered.apply(tf.zeros([1, 9, 9, 3]), SEEDS[:1], 0).shape == (1, 5, 6, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Noise(-1), "noise -1; expected a deviation"),
        (lambda: ShrinkingCrop(first=0), "shrinking-crop from 0 to 0.05; expected shares"),
        (lambda: ShrinkingCrop(last=1.5), "shrinking-crop from 0.5 to 1.5"),
        (lambda: ShrinkingCrop(sd=-1), "deviation -1"),
        (lambda: ShrinkingCrop(size=(3,)), r"size \(3,\)"),
        (lambda: ShrinkingCrop(steps=-1), "steps -1"),
        (lambda: SequentialTransform((Noise(0.1),)), 'noise: expected with resample "once"'),
        (lambda: SequentialTransform((ShrinkingCrop(),)), "shrinking-crop: expected with"),
    ],
)
def test_impossible_settings_are_explained(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize("step", [Noise(0.1), ShrinkingCrop(), ShrinkingCrop(0.4, size=(3, 4))])
def test_json_round_trips(step):
    assert step_from_json(step_to_json(step)) == step
    assert step_from_json({"kind": "shrinking-crop"}) == ShrinkingCrop()
