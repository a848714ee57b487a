"""Families: rotated copies of a kernel are found, in the order of their rotation."""

from __future__ import annotations

import numpy as np
import pytest
from support import oriented
from support.oriented import blob, gabor, kernels

from kerasviz.analysis.family_suggestion import RotatedUnits, rotated_alike, rotated_together
from kerasviz.analysis.joint_tuning import joint_tuning
from kerasviz.analysis.stimuli import Aperture
from kerasviz.analysis.sweeps import Look, sweep_of
from kerasviz.analysis.tuning import Place, Recorder, heat_maps

#: Four copies of an odd kernel in another order, an even one, and one without a direction.
PLANES = [np.rot90(gabor(20), k) for k in (0, 2, 1, 3)]
WEIGHTS = kernels(*PLANES, gabor(50, odd=False), blob())
FAMILY = RotatedUnits((0, 2, 1, 3), (0.0, 90.0, 180.0, 270.0))


@pytest.fixture(scope="module")
def net():
    return oriented.of_keras(WEIGHTS)


def test_copies_by_stimuli(net):
    place = Place("unit", (8, 8), Aperture((31, 31), (15.0, 15.0), 7.5))
    recorder = Recorder(net, "unit", (31, 31))
    heat = heat_maps(recorder, place, sweep_of("curve", place.aperture, Look()))
    assert rotated_alike(heat, range(6)) == [FAMILY]
    assert rotated_alike(heat, [3, 4, 1]) == [RotatedUnits((1, 3), (0.0, 90.0))]
    assert rotated_alike(heat, [4]) == []


def test_copies_by_photos(net):
    random = np.random.default_rng(0)
    photos = [
        np.kron(random.uniform(0, 1, (4, 4, 3)), np.ones((8, 8, 1)))[:31, :31] for _ in "abcdef"
    ]
    photos = [photo.astype(np.float32) for photo in photos]
    place = Place("unit", (8, 8), Aperture((31, 31), (15.0, 15.0), 7.5))
    joint = joint_tuning(net, place, range(6), photos, count=3, turns=36)
    family, *others = rotated_together(joint)
    assert family.units == (0, 2, 1, 3)
    np.testing.assert_allclose(family.degrees, (0, 90, 180, 270), atol=10)
    assert not others


def test_periods_of_half_a_turn_and_flat_units():
    wave = np.cos(np.radians(2 * np.arange(0, 180, 10)))
    heat = np.stack([wave, np.roll(wave, 3), np.ones(18)], -1)[None]
    assert rotated_alike(heat, range(3), 180.0) == [RotatedUnits((0, 1), (0.0, 30.0))]
    assert rotated_alike(np.zeros((2, 18, 3)), range(3)) == []
