"""Where units are recorded, and what part of the image they see there."""

from __future__ import annotations

import keras
import pytest
from support import oriented, tokens
from support.oriented import gabor, kernels

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.figures.tuning.places import place_of, units_by_place

WEIGHTS = kernels(gabor(0), gabor(90))


def strided(side=40, kernel=7, padding="valid"):
    image = keras.Input((side, side, 3))
    x = keras.layers.Conv2D(4, kernel, 2, padding=padding, activation="relu", name="unit")(image)
    return kerasviz.load(keras.Model(image, x), preprocess="unit")


def test_units_of_one_position_are_together():
    net = oriented.of_keras(WEIGHTS)
    found = units_by_place(net, ["unit:0-1", "unit:1@3,4"])
    assert found == {("unit", (8, 8)): [0, 1], ("unit", (3, 4)): [1]}


def test_the_middle_and_the_width_of_a_field():
    place = place_of(strided(), "unit", (5, 8))
    assert place.aperture.centre == (2 * 5 + 3, 2 * 8 + 3)
    assert place.aperture.radius == 3.5
    assert place.stride == (2, 2)
    assert place_of(strided(), "unit", (16, 16)).stride == (
        2,
        2,
    )  # in the corner


def test_a_field_that_is_cut_off_lies_where_its_position_is():
    place = place_of(strided(padding="same"), "unit", (0, 10))
    assert place.aperture.centre[0] == (0 + 0.5) * 2 - 0.5
    assert place.aperture.radius < 3.5


def test_tokens_have_the_field_of_their_patch():
    net = oriented.of_tokens(WEIGHTS)
    place = place_of(net, "unit", (5,))
    assert place.aperture.centre == (22, 37) and place.aperture.radius == 7.5
    ((_, index),) = units_by_place(net, ["mixed:1"])
    assert index == (4,)  # the middle of 3 x 3
    place = place_of(net, "mixed", (5,))  # which sees all tokens, but has its own place
    assert place.aperture.centre == (22, 37) and place.aperture.radius == 22.5


def test_what_is_no_unit_or_has_no_place():
    net = oriented.of_keras(WEIGHTS)
    for text, message in (
        ("unit", "tuning is that of one unit; give LAYER:UNIT"),
        ("unit:0 + unit:1", "tuning is that of one unit"),
        ("mean:0", "mean has no positions: stimuli are shown at a position of a map"),
        ("unit:5", "5"),
        ("unit:0@40,2", "position 40,2"),
    ):
        with pytest.raises(UsageError, match=message):
            units_by_place(net, [text])
    with pytest.raises(UsageError, match="no units; give one or more"):
        units_by_place(net, [])
    with pytest.raises(UsageError, match="is a special token"):
        place_of(tokens.network(special=1), "tokens", (0,))


def test_fields_and_images_too_small():
    with pytest.raises(UsageError, match=r"sees 3x3 pixels of 40x40.*need 5x5: name a later layer"):
        place_of(strided(kernel=3), "unit", (9, 9))
    with pytest.raises(UsageError, match=r"sees 3x3 pixels of 4x4.*the images are too small"):
        place_of(strided(4, 3), "unit", (0, 0))
