"""Where the weights of a layer lie: planted bands, pools, and networks that average nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.circuits import WEIGHT_BANDING
from kerasviz.figures.layout.article_outline import article_outline
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.weight_bands import averages_positions, banded_layer
from kerasviz.optvis.recipes import recipe

FAST = recipe("fast").replace(steps=2, size=(16, 16))
DRAW = np.random.default_rng(4)
#: A kernel [3, 3, 6, 4] that is another one in each row, and the same along it.
BANDS = np.repeat(DRAW.normal(size=(3, 1, 6, 4)), 3, 1).astype(np.float32)
COLUMNS = BANDS.swapaxes(0, 1)
NOISE = DRAW.normal(size=(3, 3, 6, 6)).astype(np.float32)


def network(kernel, flat=False, pool=False):
    """Two convolutions with kernels, and classes of the mean of the last, or of all positions."""
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(6, 1, activation="relu", name="first")(image)
    x = layers.Conv2D(6, 3, activation="relu", name="middle")(x)
    if pool:
        x = layers.AveragePooling2D(3, 1, name="pool")(x)
    x = layers.Conv2D(4, kernel.shape[0], activation="relu", name="last")(x)
    x = layers.Flatten()(x) if flat else layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Softmax()(layers.Dense(5, name="logits")(x)))
    model.get_layer("last").set_weights([kernel, np.zeros(4, np.float32)])
    model.get_layer("middle").set_weights([NOISE, np.zeros(6, np.float32)])
    return kerasviz.load(model, preprocess="unit")


def test_bands_are_found_and_told_from_columns():
    found = banded_layer(network(BANDS), "last", ["first", "middle"])
    assert (found.source, found.units) == ("middle", (0, 1, 2, 3))
    for unit, weights in zip(found.units, found.weights, strict=True):
        np.testing.assert_allclose(weights, BANDS[..., unit], atol=1e-5)
    assert found.rows.min() > 0.99 and found.columns.max() < 0.01
    turned = banded_layer(network(COLUMNS), "last", ["middle"])
    assert turned.columns.min() > 0.99 and turned.rows.max() < 0.01


def test_layers_behind_a_pool_are_passed_over():
    """Weights of 1x1 behind an average are alike at 3x3 positions; those before it are not."""
    net = network(BANDS.mean((0, 1), keepdims=True).astype(np.float32), pool=True)
    assert banded_layer(net, "last", ["middle"]) is None
    assert banded_layer(net, "last", ["first", "middle"]).source == "first"


def test_only_means_over_positions_have_the_figure():
    assert averages_positions(network(BANDS), "last")
    assert not averages_positions(network(BANDS, flat=True), "last")
    with pytest.raises(UsageError, match="does not average last"):
        choose(WEIGHT_BANDING, FigureOptions(network(BANDS, flat=True), FAST))
    with pytest.raises(UsageError, match="--model"):
        choose(WEIGHT_BANDING, FigureOptions(article_outline(), FAST))


def test_the_clearest_bands_come_first_beside_a_layer_in_the_middle():
    layout = choose(WEIGHT_BANDING, FigureOptions(network(BANDS), FAST))
    assert [block.title for block in layout.blocks] == [
        "The last layer, last, from middle",
        "The middle layer, middle, from first",
    ]
    for block in layout.blocks:
        shares = [float(tile.label.rstrip("%")) for tile in block.places]
        assert shares == sorted(shares, reverse=True)
    cells = np.array(layout.blocks[0].places[0].numbers)
    assert cells.shape == (3, 3, 3)
    assert np.ptp(cells, 1).max() <= 2 < np.ptp(cells, 0).max()  # one colour along a row
    assert any("100% of the variance of factors" in note for note in layout.notes)
