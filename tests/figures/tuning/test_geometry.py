"""The layout of plots."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.sweeps import StimulusAxis
from kerasviz.figures.tuning.geometry import colour_of, radial_points, spread, ticks


def test_radial_curves_are_between_the_rings():
    curve = np.array([5.0, 10.0, -3.0, 0.0])
    points = radial_points(curve, 360.0, 700.0) - 350
    radius = np.hypot(*points.T)
    assert radius == pytest.approx([60 + 100, 60 + 200, 60, 60])
    np.testing.assert_allclose(points[1], (0, -260), atol=1e-9)  # 90 degrees is up
    assert len(radial_points(curve, 180.0, 700.0)) == 8
    assert np.isfinite(radial_points(np.zeros(4), 360.0, 70.0)).all()


def test_labels_are_spread():
    places = spread([10.0, 350.0, 12.0, 11.0], 20.0)
    order = np.sort(np.array(places) % 360)
    gaps = np.diff(order, append=order[0] + 360)
    assert gaps.min() >= 20 - 1e-3
    assert places[0] < places[3] < places[2]  # their order stays
    assert spread([1.0], 20.0) == [1.0]
    full = spread(list(np.zeros(30)), 20.0)  # more than fit: evenly
    assert np.diff(np.sort(np.array(full))).min() > 5


def test_colours_and_ticks():
    assert colour_of(240.0) == (45, 45, 210)
    assert colour_of(90.0, 180.0) == colour_of(180.0)
    assert ticks(StimulusAxis("radius", "pixels", (1.0, 3.0, 5.0))) == ("1", "3", "5")
