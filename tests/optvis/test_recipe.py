"""A recipe: its data, and settings that are impossible."""

import json

import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES, recipe
from kerasviz.optvis.transforms.transform import FoldedTransform


def test_the_recipes_before_vivid_have_the_data_they_had():
    for name in ("article", "lucid", "fast"):
        data = recipe(name).to_json()
        assert list(data) == [
            *("name", "steps", "size", "learning_rate", "optimizer", "parameterization"),
            *("transform", "pre_activation", "redirect_steps", "precision", "tile", "patience"),
        ]
        assert list(data["transform"]) == ["steps", "shared", "resample"]


@pytest.mark.parametrize("name", RECIPES)
def test_json_round_trip(name):
    data = json.loads(json.dumps(RECIPES[name].to_json()))
    assert Recipe.from_json(data) == RECIPES[name]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps 0: expected 1 or more"),
        ({"size": (0, 5)}, "size 0x5"),
        ({"learning_rate": 0}, "learning rate 0"),
        ({"rivals": 1.5}, "rivals 1.5: expected a share"),
        ({"pre_activation": "all"}, "pre_activation 'all': expected true"),
        ({"optimizer": "sgd"}, "choose from adam, gradient-descent"),
        ({"views": 0}, "views 0: expected a number of images"),
        ({"views": 2, "tile": 16}, "leave out the tile"),
        ({"opacity": True, "tile": 16}, "leave out the tile"),
        ({"views": 2, "transform": FoldedTransform((), shared=True)}, "has the same draws"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(UsageError, match=message):
        recipe("article").replace(**changes)
