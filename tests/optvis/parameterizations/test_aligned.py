from __future__ import annotations

import numpy as np
import tensorflow as tf
from support.rows import assert_same_rows

from kerasviz.optvis.parameterizations import Aligned, Fourier, from_json
from reference.colour import to_rgb
from reference.fourier import values

CHOSEN = Aligned(own=Fourier(sd=0.2), shared=(4,), ramps=(2,))
SEEDS = np.array([4, 5, 6, 20, 21], np.int32)
GROUPS = np.array([0, 0, 0, 1, 1], np.int32)


def numbers(params):
    return [part.numpy().astype(np.float64) for part in params]


def enlarged(part, height, width):
    return tf.image.resize(part.astype(np.float32), [height, width]).numpy()


def test_the_image_is_its_own_part_and_what_its_group_shares():
    params = CHOSEN.init(SEEDS, 7, 9, 3)
    assert [tuple(p.shape[1:3]) for p in params[2:]] == [(4, 4), (2, 2), (2, 2)]
    found = CHOSEN.to_image(params, 7, 9, tf.constant(GROUPS)).numpy()
    real, imaginary, shared, first, last = numbers(params)
    own = values(real, imaginary, 7, 9)
    for rows in ([0, 1, 2], [3, 4]):
        common = enlarged(shared[rows].mean(0), 7, 9)
        ends = enlarged(first[rows].mean(0), 7, 9), enlarged(last[rows].mean(0), 7, 9)
        for place, row in enumerate(rows):
            w = place / (len(rows) - 1)
            whole = own[row] + common + (1 - w) * ends[0] + w * ends[1]
            np.testing.assert_allclose(found[row], to_rgb(whole[np.newaxis])[0], atol=1e-5)


def test_copies_of_what_is_shared_have_equal_gradients():
    """So that they stay what they are to each other, and their mean moves like one variable."""
    params = CHOSEN.init(SEEDS, 7, 9, 3)
    weights = np.random.default_rng(0).normal(size=(5, 7, 9, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(params)
        score = tf.reduce_sum(weights * CHOSEN.to_image(params, 7, 9, tf.constant(GROUPS)))
    slopes = tape.gradient(score, params)
    for slope in slopes[2:]:
        slope = slope.numpy()
        assert np.abs(slope).max() > 0
        np.testing.assert_allclose(slope[0], slope[2], rtol=1e-5)
        np.testing.assert_allclose(slope[3], slope[4], rtol=1e-5)
        assert not np.allclose(slope[0], slope[3])
    assert not np.allclose(slopes[0][0], slopes[0][1])


def test_other_groups_do_not_matter_and_without_groups_every_picture_is_alone():
    params = CHOSEN.init(SEEDS, 7, 9, 3)
    together = CHOSEN.to_image(params, 7, 9, tf.constant(GROUPS)).numpy()
    alone = CHOSEN.to_image([p[:3] for p in params], 7, 9, tf.zeros([3], tf.int32)).numpy()
    assert_same_rows(together[:3], alone)
    single = CHOSEN.to_image(params, 7, 9).numpy()
    one = CHOSEN.to_image([p[1:2] for p in params], 7, 9).numpy()
    np.testing.assert_allclose(single[1:2], one, atol=1e-6)


def test_settings_travel():
    assert from_json(CHOSEN.to_json()) == CHOSEN
    assert hash(from_json(Aligned().to_json())) == hash(Aligned())
