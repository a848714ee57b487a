"""Units of figures on circuits are found by their responses to stimuli."""

from __future__ import annotations

import numpy as np
import pytest
from support import oriented
from support.oriented import blob, bulge, gabor, kernels

from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.circuits import CURVE_DETECTORS, HIGH_LOW
from kerasviz.figures.layout.build import choose, choose_all
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tuned_units import boundaries_preferred, curves_preferred
from kerasviz.optvis.recipes import recipe

FAST = recipe("fast").replace(steps=2, size=(31, 31))


def stripes() -> np.ndarray:
    """A kernel of fine stripes on the left and coarse ones on the right."""
    y, x = np.mgrid[:15, :15] - 7
    waves = np.where(x < 0, np.sin(2 * np.pi * y / 3), np.sin(2 * np.pi * y / 13))
    kernel = waves * np.exp(-(x**2 + y**2) / 30.0)
    return (kernel / np.abs(kernel).sum()).astype(np.float32)


def test_preferences_of_planted_maps():
    heat = np.zeros((8, 4, 4))
    heat[5, 1, 0] = 2.0  # a boundary in one direction
    heat[5, :, 1] = 2.0  # in all
    heat[0, 1, 2] = 2.0  # one wavelength
    heat -= 0.5
    np.testing.assert_allclose(boundaries_preferred(heat), [1, 0, -1, 0])
    half = np.zeros((3, 4, 1))
    half[0, 0], half[2, 3] = 4.0, 1.0
    np.testing.assert_allclose(curves_preferred(half), [0.75])


def test_curve_detectors_in_the_order_of_their_directions():
    turned = [np.rot90(bulge(), k) for k in (2, 0, 1)]
    net = oriented.of_keras(kernels(*turned, gabor(30), blob()))
    layout = choose(CURVE_DETECTORS, FigureOptions(net, FAST))
    assert [tile.name for tile in layout.optimized] == ["unit:1", "unit:2", "unit:0"]
    labels = [float(tile.label.rstrip("°")) for tile in layout.optimized]
    assert np.diff(labels) == pytest.approx(90)
    assert any("those whose largest response is to a curve" in note for note in layout.notes)
    assert not any("evenly spaced" in note for note in layout.notes)


def test_boundaries_of_two_frequencies():
    net = oriented.of_keras(kernels(gabor(30), np.rot90(stripes()), stripes()))
    layout = choose(HIGH_LOW, FigureOptions(net, FAST))
    assert {tile.name for tile in layout.optimized} == {"unit:1", "unit:2"}
    by = {tile.name: float(tile.label.rstrip("°")) for tile in layout.optimized}
    assert (by["unit:1"] - by["unit:2"]) % 360 == 90


def test_a_network_without_such_units_has_no_such_figure():
    net = oriented.of_keras(kernels(blob()))
    layouts, failed = choose_all([CURVE_DETECTORS], FigureOptions(net, FAST))
    assert not layouts
    assert "no unit of unit responds more to a curve than to others" in failed["curve-detectors"]
    with pytest.raises(UsageError):
        choose(CURVE_DETECTORS, FigureOptions(net, FAST))
