"""Curves of units without the units that they are built from."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from support.oriented import bulge, gabor, kernels

import kerasviz
from kerasviz.analysis.sweeps import Look, sweep_of
from kerasviz.analysis.tuning import Recorder, tune
from kerasviz.figures.catalogue.circuits import ABLATED_CURVES
from kerasviz.figures.layout.ablated_tuning import ANGLES, ablated_curves
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.tuning.places import place_of
from kerasviz.network.positions import positions_of
from kerasviz.optvis.recipes import recipe

#: 16 oriented units, of which four are for curves.
FIRST = kernels(*[np.rot90(bulge(), k) for k in range(4)], *[gabor(30.0 * k) for k in range(12)])
#: Later unit n takes unit n three times as strongly as unit n + 8.
SECOND = np.concatenate([3 * np.eye(8), np.eye(8)])[None, None].astype(np.float32)


@pytest.fixture(scope="module")
def net():
    image = keras.Input((31, 31, 3))
    x = keras.layers.Conv2D(16, 15, use_bias=False, activation="relu", name="first")(image)
    x = keras.layers.Conv2D(8, 1, use_bias=False, activation="relu", name="mixed3b")(x)
    model = keras.Model(image, x)
    model.get_layer("first").set_weights([FIRST])
    model.get_layer("mixed3b").set_weights([SECOND])
    return kerasviz.load(model, preprocess="inception")


def test_what_is_left_of_a_unit_is_what_its_other_inputs_give(net):
    place = place_of(net, "mixed3b", positions_of(net, "mixed3b", (31, 31)).centre)
    sweep = sweep_of("curve", place.aperture, Look())
    (whole,) = tune(Recorder(net, "mixed3b", (31, 31)), place, sweep, [3], ANGLES)
    found = ablated_curves(net, "first", place, sweep, 3, whole.row)
    assert found.silenced == (3, 11)  # an eighth of 16
    np.testing.assert_allclose(found.before, whole.curve, rtol=1e-4)
    np.testing.assert_allclose(found.after, 0, atol=1e-6)
    np.testing.assert_allclose(found.control, found.before, rtol=1e-4)
    one = ablated_curves(net, "first", place, sweep, 3, whole.row)
    np.testing.assert_array_equal(one.control, found.control)


def test_the_figure_has_a_picture_and_a_plot_for_each_unit(net):
    options = FigureOptions(net, recipe("fast").replace(steps=2, size=(31, 31)))
    layout = choose(ABLATED_CURVES, options)
    shown = {block.places[0].name for block in layout.blocks}
    assert shown and shown <= {f"mixed3b:{n}" for n in range(4)}  # those of curves
    for block in layout.blocks:
        picture, plot = block.places
        assert plot.kind == "lines" and picture.name in plot.name
        names = [name for name, _, _ in plot.numbers[1]]
        assert names == ["as it is", "without its inputs", "without as many other units"]
        assert {len(values) for _, _, values in plot.numbers[1]} == {ANGLES + 1}
