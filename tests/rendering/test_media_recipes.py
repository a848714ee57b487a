from __future__ import annotations

import numpy as np
import pytest
from support.signals import matcher
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES, recipe
from kerasviz.rendering.media_recipes import (
    along_axes,
    check_medium,
    of_medium,
    options_of_medium,
    sized,
)
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.sizes import fixed_recipe, unless_named, usual_size

MINUTE = matcher(np.ones((8, 2)), (60,))
FREE = matcher(np.ones((8, 2)), (None,))
VOLUME = matcher(np.ones((3, 3, 3, 1)), (None, None, None))


def test_fast_stands_for_the_recipe_of_the_medium():
    assert options_of_medium(RecipeOptions("fast"), MINUTE).recipe == "signal"
    assert options_of_medium(RecipeOptions("fast"), network()).recipe == "fast"
    assert options_of_medium(RecipeOptions("signal"), MINUTE).recipe == "signal"
    changed = of_medium(recipe("fast").replace(steps=7), MINUTE)
    assert changed == recipe("signal").replace(steps=7)


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("signal", "words")])
def test_recipes_of_images_are_refused(name):
    with pytest.raises(UsageError, match=f"recipe {name}: makes .*, and matcher takes signals"):
        check_medium(recipe(name), MINUTE)


def test_recipes_of_signals_are_refused_for_images():
    with pytest.raises(UsageError, match=r"recipe signal: makes signals, and .* takes images"):
        check_medium(recipe("signal"), network())


@pytest.mark.parametrize(
    ("net", "size", "expected", "lengths"),
    [
        (MINUTE, None, (1, 60), (60,)),
        (MINUTE, 60, (1, 60), (60,)),
        (FREE, None, (1, 1024), (1024,)),
        (FREE, "300", (1, 300), (300,)),
        (FREE.with_axes(None, 100), None, (1, 400), (400,)),
        (VOLUME, None, (1024, 32), (32, 32, 32)),
        (VOLUME, 8, (64, 8), (8, 8, 8)),
        (VOLUME, (4, 4, 9), (16, 9), (4, 4, 9)),
    ],
)
def test_sizes(net, size, expected, lengths):
    found = sized(recipe("signal"), net, size)
    assert found.size == expected
    adapted = along_axes(found, net)
    assert adapted.parameterization.lengths == adapted.transform.lengths == lengths
    assert Recipe.from_json(adapted.to_json()) == adapted


def test_wrong_sizes():
    with pytest.raises(UsageError, match="takes signals of 60 only, not 70"):
        sized(recipe("signal"), MINUTE, 70)
    with pytest.raises(UsageError, match=r"1 axes of positions \(time\)"):
        sized(recipe("signal"), MINUTE, (60, 60))


def test_sizes_of_requests_are_kept():
    assert usual_size(MINUTE) == (1, 60)
    assert unless_named(recipe("signal"), FREE).size == (1, 1024)
    assert fixed_recipe(recipe("signal").replace(size=(1, 77)), FREE).size == (1, 77)
    assert unless_named(recipe("fast"), MINUTE).name == "signal"
