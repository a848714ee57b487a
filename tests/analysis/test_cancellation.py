"""Paths of opposite signs: they are hidden in the sum, and the share says so."""

from __future__ import annotations

import keras
import numpy as np
from support.analysed import of_keras

import kerasviz
from kerasviz.analysis.cancellation import remaining_shares
from kerasviz.analysis.connections import connections


def test_planted_paths_that_cancel():
    """From unit 0 two paths of 3 and -2, from unit 1 two of the same sign, from 2 none."""
    image = keras.Input((9, 9, 3))
    first = keras.layers.Conv2D(3, 1, activation="relu", name="first")(image)
    middle = keras.layers.Conv2D(2, 1, activation="relu", name="middle")(first)
    last = keras.layers.Conv2D(1, 3, padding="same", use_bias=False, name="last")(middle)
    model = keras.Model(image, last)
    model.get_layer("middle").set_weights([np.array([[[[3.0, 2], [1, -1], [0, 0]]]]), np.zeros(2)])
    model.get_layer("last").set_weights([np.ones((3, 3, 2, 1)) * [[1.0], [-1.0]]])
    net = kerasviz.load(model, preprocess="unit")
    found = connections(net, "first", "last", [0])
    shares = remaining_shares(net, found)
    np.testing.assert_allclose(shares, [[1 / 5, 1, np.nan]], rtol=1e-5)


def test_a_single_convolution_cancels_nothing():
    net = of_keras()
    found = connections(net, "first", "second", [1, 3], size=(9, 9))
    image = np.full((9, 9, 3), 0.5, np.float32)
    np.testing.assert_allclose(remaining_shares(net, found, image=image), 1, rtol=1e-4)


def test_other_weights_on_the_way_are_not_compared():
    net = of_keras()
    found = connections(net, "first", "logits", [1], size=(9, 9))
    image = np.full((9, 9, 3), 0.5, np.float32)
    assert remaining_shares(net, found, image=image) is None
