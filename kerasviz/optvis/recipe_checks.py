"""Check the settings of a recipe: what is impossible alone, and what does not go together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kerasviz.errors import UsageError

if TYPE_CHECKING:
    from kerasviz.optvis.recipe import Recipe


def check_recipe(recipe: Recipe) -> None:
    """Raise :class:`UsageError` for impossible settings of a recipe."""
    if recipe.steps < 1:
        raise UsageError(f"steps {recipe.steps}: expected 1 or more")
    if min(recipe.size) < 1:
        raise UsageError(f"size {recipe.size[0]}x{recipe.size[1]}: expected at least 1x1 pixel")
    if recipe.patience < 0:
        raise UsageError(f"patience {recipe.patience}: expected a number of steps, or 0 for all")
    _check_tile(recipe)
    _check_numbers(recipe)
    _check_views(recipe)
    _check_octaves(recipe)
    _check_final_size(recipe)
    if recipe.pre_activation not in (True, False, "any"):
        raise UsageError(
            f"pre_activation {recipe.pre_activation!r}: expected true (before ReLUs), false or "
            '"any" (before other activation functions too)'
        )


def _check_tile(recipe: Recipe) -> None:
    if recipe.tile < 0:
        raise UsageError(f"tile {recipe.tile}: expected a number of pixels, or 0 for no tiles")
    if recipe.tile and recipe.transform.resample == "each":
        raise UsageError(
            f"tile {recipe.tile}: the transform of the recipe {recipe.name} changes the size of "
            "the image in every step; choose another recipe, such as fast"
        )


def _check_numbers(recipe: Recipe) -> None:
    if recipe.learning_rate <= 0:
        raise UsageError(f"learning rate {recipe.learning_rate}: expected more than 0")
    if not 0 <= recipe.likeness < math.inf:
        raise UsageError(f"likeness {recipe.likeness}: expected a number from 0 on, such as 1")
    if recipe.cutoff is not None and not math.isfinite(recipe.cutoff):
        raise UsageError(f"cutoff {recipe.cutoff}: expected a score, such as 2.5")
    if not 0 <= recipe.rivals <= 1:
        raise UsageError(f"rivals {recipe.rivals}: expected a share from 0 (none) to 1, as 0.5")


def _check_views(recipe: Recipe) -> None:
    if not isinstance(recipe.views, int) or recipe.views < 1:
        raise UsageError(f"views {recipe.views!r}: expected a number of images in a step, as 4")
    if recipe.views > 1 and recipe.transform.shared:
        raise UsageError(
            f"views {recipe.views}: the transform of the recipe {recipe.name} has the same draws "
            "for all; choose another recipe, such as maco"
        )
    if recipe.tile and (recipe.views > 1 or recipe.opacity or recipe.transform.crop is not None):
        raise UsageError(
            f"tile {recipe.tile}: the recipe {recipe.name} shows the network crops of the image; "
            "leave out the tile"
        )


def _check_octaves(recipe: Recipe) -> None:
    if not isinstance(recipe.octaves, int) or not 1 <= recipe.octaves <= recipe.steps:
        raise UsageError(
            f"octaves {recipe.octaves!r}: expected a number of sizes from 1 to that of steps, "
            f"{recipe.steps}"
        )
    if not recipe.octave_scale > 1:
        raise UsageError(f"octave_scale {recipe.octave_scale}: expected more than 1, such as 1.4")
    if recipe.octaves == 1:
        return
    settings = {
        "tile": recipe.tile,
        "patience": recipe.patience,
        "cutoff": recipe.cutoff is not None,
        "opacity": recipe.opacity,
        "crops": recipe.transform.crop is not None,
        "param with a radius": recipe.needs_photo,
    }
    for name, value in settings.items():
        if value:
            raise UsageError(
                f"{name}: pictures in octaves, as of the recipe {recipe.name}, are made without; "
                "leave it out"
            )


def _check_final_size(recipe: Recipe) -> None:
    if recipe.final_size is None:
        return
    if min(recipe.final_size) < 1:
        height, width = recipe.final_size
        raise UsageError(f"final_size {height}x{width}: expected at least 1x1 pixel")
    if not getattr(recipe.parameterization, "any_size", False):
        kind = recipe.parameterization.to_json()["kind"]
        raise UsageError(
            f"final_size: pictures of param {kind} have one size; choose param cppn or "
            "low-resolution, or a larger size"
        )
    if recipe.opacity:
        raise UsageError(
            f"final_size: pictures of the recipe {recipe.name} have an opacity of the size that "
            "they are optimized in; leave it out"
        )
