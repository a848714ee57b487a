"""Neuron groups: planted parts are found, their sum is the layer, and attribution adds up."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.groups import find_groups
from kerasviz.errors import UsageError

DRAW = np.random.default_rng(0)


def planted(signed: bool = False):
    """Three parts in three columns of a map of 5 x 7, with units of their own and one in common."""
    places = np.zeros((3, 5, 7))
    for k, column in enumerate((5, 0, 3)):
        places[k, :, column] = DRAW.uniform(0.5, 1, 5)
    units = np.zeros((3, 9))
    for k in range(3):
        units[k, 3 * k : 3 * k + 3] = DRAW.uniform(1, 2, 3)
    if signed:
        units[1, 4] *= -1
    return places, units, np.einsum("khw,kc->hwc", places, units)


@pytest.mark.parametrize("signed", [False, True])
def test_planted_groups_are_found_from_left_to_right(signed):
    places, units, activations = planted(signed)
    found = find_groups("layer", activations, 3)
    assert found.error < 1e-3
    np.testing.assert_allclose(found.activations, activations, atol=0.01)
    for k, part in enumerate((1, 2, 0)):  # sorted by column: 0, 3, 5
        scale = places[part].max()
        np.testing.assert_allclose(found.places[k], places[part] / scale, atol=0.01)
        np.testing.assert_allclose(found.units[k], units[part] * scale, atol=0.02)
    assert found.top(2, 9) == [int(n) for n in np.argsort(-units[0]) if units[0][n] > 0]


def test_contributions_of_groups_add_up_to_those_of_the_layer():
    _, _, activations = planted(signed=True)
    slopes = DRAW.normal(size=activations.shape)
    found = find_groups("layer", activations, 3)
    shares = found.contributions(slopes)
    exact = np.einsum("khw,kc,hwc->khw", found.places, found.units, slopes)
    np.testing.assert_allclose(shares, exact, atol=1e-9)
    np.testing.assert_allclose(shares.sum(0), (activations * slopes).sum(-1), atol=0.1)


def test_the_error_says_how_much_is_missing():
    noise = DRAW.uniform(size=(4, 3, 6))
    few, many = (find_groups("layer", noise, count) for count in (1, 6))
    lack = np.linalg.norm(noise - few.activations) / np.linalg.norm(noise)
    assert few.error == pytest.approx(lack, rel=1e-6) and many.error < 0.2 < few.error
    again = find_groups("layer", noise, 6)
    np.testing.assert_array_equal(again.units, many.units)
    assert len(find_groups("layer", noise, 50).units) <= 6


def test_errors_name_what_is_wrong():
    with pytest.raises(UsageError, match="pooled has no positions, so no groups; name a layer"):
        find_groups("pooled", np.ones(5))
    with pytest.raises(UsageError, match="conv is 0 for this photo"):
        find_groups("conv", np.zeros((3, 3, 2)))
