"""Tuning: units of known direction are found, from Keras, ONNX and tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import oriented
from support.oriented import blob, gabor, kernels

from kerasviz.analysis.stimuli import Aperture
from kerasviz.analysis.sweeps import Look, StimulusAxis, sweep_of
from kerasviz.analysis.tuning import AT_ONCE, Place, Recorder, half_width, tune
from kerasviz.errors import UsageError

MIDDLE = Aperture((31, 31), (15.0, 15.0), 7.5)
CENTRE = Place("unit", (8, 8), MIDDLE)
WEIGHTS = kernels(gabor(37), gabor(127), gabor(200, odd=False), blob())


def tuned(net, place, kind, units, channels=3, angles=360):
    recorder = Recorder(net, place.tap, place.aperture.size)
    sweep = sweep_of(kind, place.aperture, Look(channels=channels))
    return tune(recorder, place, sweep, units, angles)


@pytest.fixture(scope="module")
def lines():
    return tuned(oriented.of_keras(WEIGHTS), CENTRE, "line", [0, 1, 3])


def test_the_direction_of_a_planted_unit(lines):
    assert abs(lines[0].preferred - 37) <= 1
    assert lines[0].down.values[lines[0].row] == 0  # the border through the middle
    assert 20 < lines[0].half_width < 90
    assert lines[0].maximum > 0 > lines[0].curve.min()  # before the ReLU


def test_a_turned_kernel_turns_the_curve_exactly():
    turned = kernels(gabor(37), np.rot90(gabor(37)))
    first, second = tuned(oriented.of_keras(turned), CENTRE, "curve", [0, 1], angles=72)
    np.testing.assert_allclose(np.roll(first.curve, 18), second.curve, rtol=1e-5, atol=1e-6)
    assert second.preferred == first.preferred + 90


def test_a_unit_that_is_the_same_in_all_directions_is_flat(lines):
    assert lines[2].maximum > 0.05
    assert lines[2].flatness < 0.02 < lines[0].flatness


def test_gratings_of_half_a_turn(lines):
    (found,) = tuned(oriented.of_keras(WEIGHTS), CENTRE, "grating", [2])
    assert len(found.curve) == 180
    assert abs(found.preferred - 20) <= 1  # 200 degrees, and the other way round
    assert 6 < found.down.values[found.row] < 12  # its wavelength is 9


def test_the_same_from_onnx(lines):
    (found,) = tuned(oriented.of_onnx(WEIGHTS), CENTRE, "line", [0])
    np.testing.assert_allclose(found.curve, lines[0].curve * 127.5, rtol=1e-3, atol=1e-3)


def test_a_token_sees_its_patch():
    grey = kernels(gabor(300), channels=1)
    place = Place("unit", (5,), Aperture((45, 45), (22.0, 37.0), 7.5))
    (found,) = tuned(oriented.of_tokens(grey), place, "line", [0], channels=1)
    assert abs(found.preferred - 300) <= 1
    other = Place("unit", (3,), place.aperture)  # a token that does not see the stimulus
    (found,) = tuned(oriented.of_tokens(grey), other, "line", [0], channels=1, angles=36)
    assert found.maximum < 1e-6


def test_rows_of_a_chunk_do_not_know_of_each_other():
    recorder = Recorder(oriented.of_keras(WEIGHTS), "unit", (31, 31))
    images = np.random.default_rng(0).uniform(0, 1, (AT_ONCE + 3, 31, 31, 3)).astype(np.float32)
    together = recorder.responses((8, 8), images)
    assert together.shape == (AT_ONCE + 3, 4)
    alone = [recorder.responses((8, 8), [image])[0] for image in images[-4:]]
    np.testing.assert_allclose(together[-4:], alone, atol=1e-6)
    direct = np.einsum("yxcu,yxc->u", WEIGHTS, 2 * images[2, 8:23, 8:23] - 1)
    np.testing.assert_allclose(together[2], direct, atol=1e-5)


def test_half_widths():
    turn = StimulusAxis("direction", "degrees", tuple(range(0, 360, 30)), 360.0)
    peak = np.array([2, 1.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 1.5])
    assert half_width(turn, peak) == pytest.approx((45 + 40) / 2)
    for shift in (1, 5, 11):
        assert half_width(turn, np.roll(peak, shift)) == pytest.approx((45 + 40) / 2)
    assert half_width(turn, np.ones(12)) is None
    assert half_width(turn, peak - 3) is None
    radius = StimulusAxis("radius", "pixels", (1.0, 2.0, 4.0, 8.0))
    assert half_width(radius, np.array([0, 4.0, 0, 0])) == pytest.approx((0.5 + 1) / 2)
    assert half_width(radius, np.array([0, 1, 2, 4.0])) is None  # not known beyond the end


def test_as_data(lines):
    data = json.loads(json.dumps(lines[0].to_json(), allow_nan=False))
    assert data["preferred"] == lines[0].preferred and len(data["curve"]) == 360
    curve = tuned(oriented.of_keras(WEIGHTS), CENTRE, "curve", [0], angles=36)[0]
    assert json.loads(json.dumps(curve.to_json(), allow_nan=False))["down"]["values"][-1] is None


def test_a_unit_that_the_layer_does_not_have():
    with pytest.raises(UsageError, match="unit has the units 0 to 3, given 4"):
        Recorder(oriented.of_keras(WEIGHTS), "unit", (31, 31)).check(4)
