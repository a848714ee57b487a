"""Stimuli: their pixels are those of the definition, and a quarter turn turns them exactly."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis import stimuli
from kerasviz.analysis.stimuli import Aperture
from kerasviz.errors import UsageError
from reference import stimuli as twin

ODD = Aperture((27, 34), (10.0, 16.5), 8.0)
SQUARE = Aperture((24, 24), (11.5, 11.5), 9.0)


@pytest.mark.parametrize(("degrees", "radius", "width"), [(0, 5, 90), (33, 9, 90), (250, 0, 70)])
def test_curves_and_angles_are_those_of_the_definition(degrees, radius, width):
    value = twin.curve(degrees, radius, width)
    shape = stimuli.angle(degrees, 180 - width) if radius == 0 else stimuli.curve(degrees, radius)
    wanted = twin.shares(ODD.size, ODD.centre, lambda r, u: value(r, u) > 0)
    np.testing.assert_allclose(stimuli.filled(ODD, shape), wanted[ODD.window])
    wanted = twin.shares(ODD.size, ODD.centre, lambda r, u: abs(value(r, u)) > 0.5)
    np.testing.assert_allclose(stimuli.outlined(ODD, shape), wanted[ODD.window])


def test_lines_circles_and_their_widths():
    value = twin.line(71, 2.5)
    wanted = twin.shares(ODD.size, ODD.centre, lambda r, u: abs(value(r, u)) > 1.5)
    found = stimuli.outlined(ODD, stimuli.line(71, 2.5), 3.0)
    np.testing.assert_allclose(found, wanted[ODD.window])
    straight = stimuli.filled(ODD, stimuli.curve(71, np.inf))
    np.testing.assert_array_equal(straight, stimuli.filled(ODD, stimuli.line(71)))
    wanted = twin.shares(ODD.size, ODD.centre, lambda r, u: r * r + u * u > 36)
    np.testing.assert_allclose(stimuli.filled(ODD, stimuli.circle(6)), wanted[ODD.window])


def test_a_curve_bulges_to_its_direction_and_is_dark_inside():
    image = stimuli.filled(SQUARE, stimuli.curve(90, 5))
    assert image[8, 11] == 1 and image[15, 11] == 0  # light above, dark below
    image = stimuli.filled(SQUARE, stimuli.curve(0, 5))
    assert image[11, 15] == 1 and image[11, 8] == 0


@pytest.mark.parametrize("degrees", [0.0, 13.0, 77.5, 181.0])
def test_a_quarter_turn_turns_every_pixel(degrees):
    def images(angle):
        shapes = [stimuli.curve(angle, 7), stimuli.line(angle, 2), stimuli.angle(angle, 60)]
        yield from (stimuli.filled(SQUARE, shape) for shape in shapes)
        yield stimuli.grating(SQUARE, angle, 6.0, 90.0)
        yield stimuli.frequency_boundary(SQUARE, angle, 3.0, 4.0)

    for first, second in zip(images(degrees), images(degrees + 90), strict=True):
        np.testing.assert_array_equal(np.rot90(first), second)


def test_waves_have_their_length_and_sides():
    row = stimuli.grating(Aperture((1, 25), (0, 12), 9.0), 0, 8.0, 90)[0]
    assert row[12] == 1 and row[16] == pytest.approx(0, abs=1e-12) and row[20] == 1
    sides = stimuli.frequency_boundary(Aperture((33, 33), (16, 16), 16.0), 0, 4.0, 2.0, 90)
    np.testing.assert_allclose(sides[::4, 4], 1)  # stripes of 4 pixels on the left
    np.testing.assert_allclose(sides[::8, 28], 1)  # of 8 on the right
    np.testing.assert_allclose(sides[4::8, 28], 0, atol=1e-12)


def test_all_is_grey_outside():
    colours = np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.8, 0.0])
    shares = stimuli.filled(ODD, stimuli.line(10))
    image = stimuli.between(shares, *colours)
    np.testing.assert_allclose(
        image[0, 0], shares[0, 0] * colours[1] + (1 - shares[0, 0]) * colours[0]
    )
    whole = np.random.default_rng(0).uniform(0, 1, (*ODD.size, 3))
    wanted = twin.faded(whole, ODD.centre, 8.0, 4.0)
    np.testing.assert_allclose(ODD.faded(whole[ODD.window]), wanted, atol=1e-6)
    large = Aperture((64, 64), (31.5, 31.5), 21.0)
    np.testing.assert_allclose(
        large.faded(np.ones((*large.mask.shape, 1)))[..., 0],
        twin.faded(np.ones((64, 64)), large.centre, 21.0, 10.0),
        atol=1e-6,
    )


def test_a_disc_too_small():
    with pytest.raises(UsageError, match=r"a disc of radius 1.5: shapes need at least 2.5 pixels"):
        Aperture((9, 9), (4.0, 4.0), 1.5)
