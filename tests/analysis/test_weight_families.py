"""Suggested families: planted rotated copies are found, in their order."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from support.analysed import FIRST, of_keras, of_onnx

import kerasviz
from kerasviz.analysis.weight_families import (
    TURNS,
    Turn,
    equivariance_rank,
    likeness,
    pixel_weights,
    suggest_families,
)

DRAW = np.random.default_rng(11)
KERNEL = DRAW.normal(size=(5, 5, 3)).astype(np.float32)
#: The numbers of units with KERNEL turned by 0, 90, 180 and 270 degrees, of ten.
PLANTED = (2, 7, 0, 5)


@pytest.fixture(scope="module")
def net():
    """A convolution with four turned copies of a kernel among noise."""
    image = keras.Input((24, 24, 3))
    model = keras.Model(image, keras.layers.Conv2D(10, 5, strides=2, name="edges")(image))
    kernels = DRAW.normal(size=(10, 5, 5, 3)).astype(np.float32)
    for k, unit in enumerate(PLANTED):
        kernels[unit] = np.rot90(KERNEL, k)
    model.get_layer("edges").set_weights([np.moveaxis(kernels, 0, -1), np.zeros(10)])
    return kerasviz.load(model, preprocess="unit")


def test_four_turned_copies_are_one_family_in_their_order(net):
    weights = pixel_weights(net, "edges", range(10))
    (family,) = suggest_families(weights, "edges", range(10))
    start = PLANTED.index(0)  # the order begins with the lowest number
    assert family.units == PLANTED[start:] + PLANTED[:start]
    assert family.comment == "0°, 90°, 180°, 270°"
    assert family.tap == "edges"


def test_flips_and_signs():
    kernels = DRAW.normal(size=(6, 5, 5, 2))
    kernels[3] = kernels[1][:, ::-1]
    kernels[4] = -np.rot90(kernels[1], 1)
    (family,) = suggest_families(kernels, "a", [10, 11, 12, 13, 14, 15])
    assert (family.units, family.comment) == ((11, 13, 14), "0°, 0° flipped, 90° negative")
    cosines, best = likeness(kernels)
    assert cosines[1, 4] == pytest.approx(1) and TURNS[best[1, 4]] == Turn(90, negative=True)
    only = [Turn(0), Turn(90)]
    assert suggest_families(kernels, "a", range(6), turns=only) == []
    assert suggest_families(kernels[:1], "a", [0]) == []


@pytest.mark.parametrize("load", [of_keras, of_onnx])
def test_weights_from_the_pixels_are_the_first_kernel(load):
    found = pixel_weights(load(), "first", [0, 2], size=(12, 11))
    np.testing.assert_allclose(found, np.moveaxis(FIRST, -1, 0)[[0, 2]], rtol=1e-5)
    through = pixel_weights(load(), "second", [1], size=(12, 11))
    assert through.shape == (1, 5, 5, 3)  # through the ReLU between


def test_turned_pictures_excite_the_turned_unit(net):
    """What excites unit 2 most is its kernel; turned by 90 degrees it excites unit 7."""
    image = np.zeros((3, 24, 24, 3), np.float32) + 0.5
    for k in range(3):
        y, x = 4 + 2 * k, 6
        image[k, y : y + 5, x : x + 5] += 0.1 * KERNEL
    net = kerasviz.load(_largest(net), preprocess="unit")
    assert equivariance_rank(net, "largest", 7, image, Turn(90))[0] == 0
    assert equivariance_rank(net, "largest", 2, image, Turn(90))[0] > 0


def _largest(net):
    """The maxima of the units over all positions, less what flat grey gives."""
    image = keras.Input((24, 24, 3))
    layer = keras.layers.Conv2D(10, 5, use_bias=False, name="edges")
    x = keras.layers.GlobalMaxPooling2D(name="largest")(layer(image))
    model = keras.Model(image, x)
    kernels = pixel_weights(net, "edges", range(10))
    kernels = kernels - kernels.mean((1, 2, 3), keepdims=True)
    layer.set_weights([np.moveaxis(kernels, 0, -1)])
    return model
