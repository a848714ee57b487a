"""What the settings of a recipe may not be, each in one line."""

from __future__ import annotations

from typing import Any

import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Clip, Cppn, Grey, LowResolution
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe


@pytest.mark.parametrize(
    ("name", "changes", "line"),
    [
        ("fast", {"final_size": (64, 64)}, "final_size: pictures of param fourier have one size"),
        ("fast", {"final_size": (0, 64)}, "final_size 0x64: expected at least 1x1 pixel"),
        ("fast", {"cutoff": float("nan")}, "cutoff nan: expected a score"),
        ("deepdream", {"cutoff": 1.0}, "cutoff: pictures in octaves"),
        (
            "maco",
            {"final_size": (64, 64), "parameterization": Cppn()},
            "have an opacity of the size that they are optimized in",
        ),
    ],
)
def test_impossible_settings_are_one_line(name: str, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        recipe(name).replace(**changes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "own", [Cppn(), LowResolution(), Grey(Cppn()), Clip(LowResolution())], ids=str
)
def test_pictures_of_any_size_have_a_final_one(own: Any) -> None:
    chosen = recipe("fast").replace(parameterization=own, final_size=(64, 48))
    assert chosen.picture_size == (64, 48) and chosen.size == (128, 128)
    assert Recipe.from_json(chosen.to_json()) == chosen
    with pytest.raises(UsageError, match="have one size"):
        chosen.replace(parameterization=Grey())


def test_recipes_of_old_are_what_they_were() -> None:
    assert {"final_size", "cutoff"}.isdisjoint(recipe("fast").to_json())
    chosen = recipe("fast").replace(cutoff=2.5)
    assert chosen.to_json()["cutoff"] == 2.5 and Recipe.from_json(chosen.to_json()) == chosen
    assert chosen.transparent().replace(cutoff=None) == recipe("fast").transparent()
