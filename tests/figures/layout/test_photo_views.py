"""Tiles of a photo and of vectors."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysed import of_keras

from kerasviz.figures.catalogue.building_blocks import ACTIVATION_GRID
from kerasviz.figures.layout.context import FigureOptions, resolve
from kerasviz.figures.layout.photo_views import (
    ICON,
    ICON_STEPS,
    IconLook,
    direction_tile,
    icon_note,
    icon_tile,
    summed,
)
from kerasviz.optvis.recipes import recipe

LONG = recipe("fast").replace(steps=600, size=(64, 64))
VECTOR = np.array([3.0, 0.0, 4.0, 0.0, 0.0])


def context(side=None):
    return resolve(ACTIVATION_GRID, FigureOptions(of_keras(side=side), LONG))


def test_icons_are_small_and_short_and_of_unit_length():
    tile = icon_tile(
        context(), "second", VECTOR, "a cell", share=0.12345, look=IconLook(cosine=2.0)
    )
    (term,) = tile.request.objective.terms
    assert term.vector == (0.6, 0.0, 0.8, 0.0, 0.0) and term.cosine == 2
    assert tile.request.recipe.size == (ICON, ICON)
    assert tile.request.recipe.steps == tile.step == ICON_STEPS
    assert (tile.share, tile.name) == (0.123, "a cell")
    assert icon_note([tile]).startswith(f"Icons: {ICON_STEPS} steps of {ICON}x{ICON} pixels")
    whole = direction_tile(context(), "second", 7 * VECTOR, "a group", "+1")
    assert whole.request.recipe.size == (64, 64) and whole.step == 600 and whole.label == "+1"
    assert whole.request.objective.terms[0].vector == term.vector


def test_networks_of_one_size_have_icons_of_that_size():
    tile = icon_tile(context(side=64), "second", VECTOR, "a cell")
    assert tile.request.recipe.size == (64, 64)


def test_a_vector_of_zeros_stays_one():
    tile = icon_tile(context(), "second", np.zeros(5), "nothing")
    assert tile.request.objective.terms[0].vector == (0.0,) * 5


@pytest.mark.parametrize("shape", [(3, 4), (7, 5), (112, 60)])
def test_sums_of_cells_keep_the_total(shape):
    values = np.random.default_rng(1).normal(size=shape)
    found = summed(values, 4)
    assert found.shape == tuple(min(4, n) for n in shape)
    assert found.sum() == pytest.approx(values.sum())
