"""Plots of pages."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.sweeps import StimulusAxis
from kerasviz.analysis.tuning import Tuning
from kerasviz.figures.tuning import svg

AXIS = StimulusAxis("direction", "degrees", tuple(k / 2 for k in range(720)), 360.0)


def tuning(unit, degrees):
    curve = np.cos(np.radians(np.array(AXIS.values) - degrees))
    return Tuning("a<b", unit, "line", AXIS, AXIS, curve[None], 0, AXIS, curve)


def test_a_radial_plot_has_a_link_and_a_picture_for_each_unit():
    plot = ET.fromstring(
        svg.radial([tuning(3, 90), tuning(4, 200)], 360.0, {"a<b:3": "pictures/x y.png"})
    )
    units = [e for e in plot if e.get("class") == "curve"]
    assert [unit.get("href") for unit in units] == [f"#{svg.card(tuning(n, 0))}" for n in (3, 4)]
    assert units[0].get("aria-label") == "a<b:3: largest at 90°"
    (image,) = plot.iter("image")
    assert image.get("href") == "pictures/x%20y.png"
    assert float(image.get("y")) < 60  # above
    assert [e.text for e in units[1] if e.tag == "text"] == ["4"]
    corners = units[0].find("polygon").get("points").split()
    assert len(corners) == svg.CORNERS
    top = min(corners, key=lambda corner: float(corner.split(",")[1]))
    assert abs(float(top.split(",")[0]) - svg.SIDE / 2) < 2


def test_curves_fill_their_box():
    plot = ET.fromstring(svg.curve(tuning(3, 90)))
    zero, line = (e.get("points").split() for e in plot.iter("polyline"))
    heights = [float(point.split(",")[1]) for point in line]
    assert (min(heights), max(heights)) == (0, svg.PLOT[1])
    assert line[-1].startswith(f"{svg.PLOT[0]:.1f},")
    assert zero[0].endswith(f",{svg.PLOT[1] / 2:.1f}")


def test_the_unit_of_the_photos_stands_out():
    degrees = np.arange(0, 360, 10.0)
    curves = np.stack([np.cos(np.radians(degrees - d)) for d in (0, 120)])
    plot = ET.fromstring(svg.joint(JointTuning("tap", 7, (7, 9), degrees, curves, (0,))))
    lines = [e for e in plot if e.tag == "g"]
    assert [line.get("class") for line in lines] == ["line own", "line"]
    assert lines[1].find("title").text == "tap:9: largest at 120°"
