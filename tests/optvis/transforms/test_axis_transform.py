from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.axis_steps import Gain, Roll, Stretch
from kerasviz.optvis.transforms.axis_transform import SIGNAL_STEPS, AxisTransform
from kerasviz.optvis.transforms.steps import Jitter
from kerasviz.optvis.transforms.transform import FoldedTransform, transform_from_json
from kerasviz.optvis.transforms.views import Noise

SEEDS = tf.constant([3, 8, 5])


def draw(*shape):
    return np.random.default_rng(1).uniform(size=shape).astype(np.float32)


@pytest.mark.parametrize("lengths", [(33,), (1,), (4, 5), (3, 4, 5), (1, 1, 7)])
def test_rows_depend_on_their_seed_alone(lengths):
    axes = ("time", "height", "width")[: len(lengths)]
    transform = AxisTransform(SIGNAL_STEPS, axes=axes, lengths=lengths)
    images = draw(3, int(np.prod(lengths[:-1])), lengths[-1], 2)
    together = transform.apply(tf.constant(images), SEEDS, 4)
    alone = transform.apply(tf.constant(images[1:2]), SEEDS[1:2], 4)
    assert together.shape == images.shape and np.array_equal(together[1:2], alone)
    assert not np.array_equal(together, transform.apply(tf.constant(images), SEEDS, 5))


def test_views_are_independent():
    transform = AxisTransform((Roll(share=0.5),), axes=("time",), lengths=(64,))
    images = np.arange(64, dtype=np.float32).reshape(1, 1, 64, 1)
    views = transform.apply(tf.constant(images), SEEDS[:1], 0, views=4).numpy()
    assert views.shape == (4, 1, 64, 1) and len({float(v[0, 0, 0]) for v in views}) > 1


def test_folded_axes_are_the_right_ones():
    transform = AxisTransform(
        (Roll(pixels=1),), axes=("depth", "height", "width"), lengths=(8, 9, 10)
    )
    volume = draw(1, 8, 9, 10, 2)
    uniforms = tf.constant([[0.0, 0.5, 0.999]])
    found = transform(tf.constant(volume.reshape(1, 72, 10, 2)), uniforms).numpy()
    assert np.array_equal(found.reshape(8, 9, 10, 2), np.roll(volume[0], (-1, 0, 1), (0, 1, 2)))


def test_without_lengths_they_are_those_of_the_image():
    step = Roll(share=0.5, pixels=0)
    image = draw(1, 1, 20, 1)
    found = AxisTransform((step,))(tf.constant(image), tf.constant([[0.0, 0.0, 0.0]]))
    assert np.array_equal(found, np.roll(image, -10, 2))
    square = draw(1, 8, 9, 1)
    assert np.array_equal(AxisTransform((step,)).apply(tf.constant(square), SEEDS[:1], 0), square)


def test_json_comes_back():
    transform = AxisTransform(
        (Roll(), Stretch(0.1), Gain(), Noise(0.02)), axes=("time",), lengths=(9,)
    )
    assert transform_from_json(transform.to_json()) == transform
    assert transform_from_json({"resample": "axes", "steps": [{"kind": "roll"}]}) == AxisTransform(
        (Roll(),)
    )


def test_steps_of_other_transforms_are_refused():
    with pytest.raises(UsageError, match="roll: for signals"):
        FoldedTransform((Roll(),))
    with pytest.raises(UsageError, match="jitter: for images"):
        AxisTransform((Jitter(4),))
    with pytest.raises(UsageError, match="1 axes and 2 lengths"):
        AxisTransform((), axes=("time",), lengths=(3, 4))
    with pytest.raises(UsageError, match="in an image of"):
        AxisTransform((Gain(),), axes=("time",), lengths=(9,)).apply(
            tf.zeros([1, 1, 8, 1]), SEEDS[:1], 0
        )
