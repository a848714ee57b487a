from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.signals import matcher
from support.tiny import network as image_network

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.axes import axes_of
from kerasviz.network.program import Port
from kerasviz.network.signal_input import SignalInput


def signal_of(shape, axes=None, first=False):
    return SignalInput.of(
        Port("x", tf.float32, shape, first), None if axes is None else axes_of(axes)
    )


def draw(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


CASES = [
    # shape, axes, channels first, size of the image, own shape of two
    ((None, 70), "batch,time", False, (1, 70, 1)),
    ((None, 5), "batch,feature", False, (1, 1, 5)),
    ((None, 70, 3), None, False, (1, 70, 3)),
    ((None, 3, 70), None, False, (1, 70, 3)),
    ((None, 3, 70), None, True, (1, 70, 3)),
    ((70, None, 3), "time,batch,channel", False, (1, 70, 3)),
    ((None, 7, 11), "batch,frame,band", False, (7, 11, 1)),
    ((None, 2, 7, 11), "batch,channel,height,width", True, (7, 11, 2)),
    ((None, 4, 5, 6, 2), None, False, (20, 6, 2)),
    ((None, 2, 4, 5, 6), None, True, (20, 6, 2)),
    ((None, 4, 5, 6), "batch,depth,height,width", False, (20, 6, 1)),
]


@pytest.mark.parametrize(("shape", "axes", "first", "image"), CASES)
def test_signals_are_embedded_and_fed(shape, axes, first, image):
    signal = signal_of(shape, axes, first)
    assert signal.size == image[:2] and signal.channels == image[2]
    assert signal.size_of(signal.lengths_in(image[:2])) == image[:2]
    own = draw(*(2 if n is None else n for n in shape))
    assert signal.own_shape(image[:2], 2) == own.shape
    images = signal.embedded(own)
    assert images.shape == (2, *image)
    assert np.array_equal(signal.own_layout(tf.constant(images)), own)
    fed = signal.feed(tf.constant(images)).numpy()
    assert np.array_equal(fed, np.moveaxis(own, 1, -1) if first else own)
    single = signal.own_array(images[1])
    assert np.array_equal(signal.embedded(single)[0], images[1])


def test_embedding_agrees_with_indices():
    signal = signal_of((None, 2, 4, 5, 6), "batch,channel,depth,height,width", True)
    own = draw(3, 2, 4, 5, 6)
    image = signal.embedded(own)
    for b, c, z, y, x in [(0, 0, 0, 0, 0), (2, 1, 3, 4, 5), (1, 0, 2, 1, 3)]:
        assert image[b, z * 5 + y, x, c] == own[b, c, z, y, x]


def test_an_input_without_a_batch_takes_one():
    signal = signal_of((40, 3), "time,channel")
    assert signal.batch == signal.rows == 1
    image = signal.embedded(draw(40, 3))
    assert np.array_equal(signal.feed(tf.constant(image)), draw(40, 3))
    with pytest.raises(ValueError, match="takes one signal"):
        signal.feed(tf.zeros([2, 1, 40, 3]))


def test_free_lengths_are_as_equal_as_they_can():
    signal = signal_of((None, None, None, None, 1))
    assert signal.size == (None, None)
    assert signal.lengths_in((36, 9)) == (6, 6, 9)
    assert signal.lengths_in((24, 9)) == (4, 6, 9)
    half = signal_of((None, 4, None, 6, 1))
    assert half.lengths_in((20, 6)) == (4, 5, 6)
    with pytest.raises(UsageError, match="holds no depth x height of 4"):
        half.lengths_in((21, 6))


def test_a_single_channel_may_be_left_out():
    signal = signal_of((None, 1, 70))
    assert signal.embedded(draw(70)).shape == (1, 1, 70, 1)
    assert signal.embedded(draw(1, 70)).shape == (1, 1, 70, 1)
    assert signal.embedded(draw(4, 1, 70)).shape == (4, 1, 70, 1)
    with pytest.raises(UsageError, match="4 axes"):
        signal.embedded(draw(4, 1, 70, 1))
    with pytest.raises(UsageError, match="2 channels"):
        signal.embedded(draw(4, 2, 70))


def test_other_inputs_are_no_signals():
    for dtype, shape in [
        (tf.int64, (None, 12)),
        (tf.float32, None),
        (tf.float32, (None, None, None)),
        (tf.float32, (None,)),
        (tf.string, (None, 3)),
    ]:
        assert SignalInput.of(Port("x", dtype, shape)) is None


def test_a_network_says_what_it_takes():
    net = matcher(draw(8, 3), (50,))
    assert (net.medium, net.channels, net.fixed_size) == ("signal", 3, (1, 50))
    assert net.geometry == {"axes": "batch,time,channel"}
    own = draw(2, 50, 3)
    images = net.image_input.embedded((own + 1) / 2)
    found = net.activations(images, ["match"])["match"]
    expected = net.program.compute({"signal": tf.constant(own)}, ["match"])["match"]
    assert np.allclose(found, expected, atol=1e-4)
    with pytest.raises(UsageError, match=r"signals of 50 only, not 60; give --size 50"):
        net.activations(tf.zeros([1, 1, 60, 3]), ["match"])
    with pytest.raises(UsageError, match=r"takes signals \[batch"):
        net.activations(tf.zeros([1, 1, 50, 2]), ["match"])
    long = matcher(draw(8, 3), (None,), "batch,time,channel")
    with pytest.raises(ModelError, match=r"match cannot be computed from signals of 4 .*--size"):
        long.activations(tf.zeros([1, 1, 4, 3]), ["match"])


def test_axes_that_no_input_has_are_refused():
    with pytest.raises(UsageError, match="no input of floats has 4 axes"):
        matcher(draw(8, 3), (50,), axes="batch,height,width,channel")


def test_a_range_is_asked_for():
    net = matcher(draw(8, 3), (50,))
    unknown = type(net)(net.program, net.identity)
    with pytest.raises(UsageError, match="give --range LOW,HIGH"):
        unknown.require_input_spec()


def test_what_is_for_images_says_so():
    net = matcher(draw(8, 2), (50,))
    with pytest.raises(
        UsageError, match="figures: matcher takes signals, and this is for networks"
    ):
        net.require_images("figures")
    assert image_network().require_images("figures").medium == "image"
