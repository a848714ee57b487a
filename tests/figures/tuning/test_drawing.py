"""Drawings of tuning."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.stimuli import Aperture
from kerasviz.analysis.sweeps import Look, StimulusAxis, sweep_of
from kerasviz.analysis.tuning import Tuning
from kerasviz.figures.tuning.drawing import (
    joint_image,
    radial_image,
    stimuli_image,
    thumb,
    unit_image,
)

AROUND = StimulusAxis("direction", "degrees", tuple(float(d) for d in range(0, 360, 10)), 360.0)


def tuning(unit, degrees):
    curve = np.cos(np.radians(np.array(AROUND.values) - degrees))
    heat = np.stack([curve / 2, curve])
    down = StimulusAxis("radius", "pixels", (4.0, np.inf))
    return Tuning("layer", unit, "curve", AROUND, down, heat, 1, AROUND, curve)


def test_radial_curves_and_pictures_at_their_directions(tmp_path):
    Image.new("RGB", (8, 8), (0, 0, 255)).save(tmp_path / "u.png")
    pictures = {"layer:0": tmp_path / "u.png"}
    image = np.asarray(radial_image([tuning(0, 0), tuning(1, 120)], 360.0, pictures))
    side = image.shape[0]
    right = image[side // 2, side // 2 + int(0.25 * side)]
    assert right[0] > right[2] + 40  # red to the right
    x, y = int(side / 2 - 0.15 * side), int(side / 2 - 0.26 * side)
    assert image[y, x, 1] > image[y, x, 0] + 20  # green to the upper left
    assert tuple(image[side // 2, side // 2 + int(1.5 / 3.5 * side)]) == (0, 0, 255)  # its picture


def test_heat_maps_are_red_and_blue():
    image = np.asarray(unit_image(tuning(3, 90)).convert("RGB")).astype(int)
    red = (image[..., 0] - image[..., 2] > 150).sum()
    blue = (image[..., 2] - image[..., 0] > 100).sum()
    assert red > 500 and blue > 500


def test_lines_of_units_and_sheets():
    degrees = np.arange(0, 360, 10.0)
    curves = np.stack([np.cos(np.radians(degrees - d)) for d in (0, 120)])
    joint = np.asarray(joint_image(JointTuning("layer", 0, (0, 1), degrees, curves, (0,))))
    assert ((joint[..., 0] > 180) & (joint[..., 1] < 90)).sum() > 100  # red
    assert ((joint[..., 1] > 180) & (joint[..., 0] < 90)).sum() > 100  # green
    sweep = sweep_of("line", Aperture((40, 50), (20.0, 25.0), 12.0), Look(channels=1))
    sheet = stimuli_image(sweep)
    assert sheet.width > sheet.height > 300
    small = np.asarray(thumb(sweep, 0.0, 0.0, 32))
    assert small.shape == (32, 32, 3)
    assert small[16, 8, 0] == 0 and small[16, 24, 0] == 255


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_unit_that_nothing_excites(value):
    flat = tuning(0, 0)
    curve, heat = np.full(36, value), np.full((2, 36), value)
    still = Tuning("layer", 0, "curve", AROUND, flat.down, heat, 0, AROUND, curve)
    assert unit_image(still).size == unit_image(flat).size
    assert radial_image([still], 360.0, {}).size == radial_image([], 360.0, {}).size
