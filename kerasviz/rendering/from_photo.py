"""Requests of pictures that start from photos, or reproduce them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kerasviz.network.network import Network
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.objectives.term import STYLED
from kerasviz.optvis.parameterizations import Waveform
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import OF_MEDIA
from kerasviz.rendering.photos import hold_photo
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.recordings import hold_recording
from kerasviz.rendering.request import Request, by_image, make_requests
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Size

if TYPE_CHECKING:
    from kerasviz.rendering.picture_options import PictureOptions

#: The recipe that ``fast``, the usual one, stands for where a picture starts from a photo.
USUAL = "accentuation"
#: The same for sounds and recordings.
OF_RECORDINGS = "sound-accentuation"
#: The snapshots of a picture that starts from a photo, for the slider of the page.
MOMENTS = 10
#: How much larger than the picture a style photo is: each step sees another window of it.
LARGER = 1.5
#: The number of a style photo that has no name.
STYLE_NUMBER = 0


def photo_requests(
    net: Network,
    targets: Sequence[Target],
    options: RecipeOptions,
    pictures: PictureOptions,
    chosen: Recipe,
) -> list[Request]:
    """Turn targets into requests for every photo, in the size and by the recipe that fit.

    ``chosen`` is the recipe of the options in the precision that fits.
    """
    requests: list[Request] = []
    held: dict[tuple[int, Size, int], HeldArray] = {}
    for number, photo in enumerate(pictures.photos):
        for part, image in by_image(net, targets, chosen):
            for target in part:
                recipe = _recipe_for(target, options, chosen, image)
                key = (number, recipe.size, image.channels)
                if key not in held:
                    held[key] = _held(photo, key, image)
                style = _style_for(target, pictures.style, recipe.size, image.channels)
                requests += make_requests(
                    net,
                    [target],
                    recipe,
                    seed=pictures.seed,
                    kind="negative" if pictures.negative else "",
                    rows=pictures.diversity or 1,
                    snapshots=_snapshots(target, recipe, pictures),
                    photo=held[key],
                    style=style,
                )
    return requests


def _held(photo: Any, key: tuple[int, Size, int], net: Network) -> HeldArray:
    """Hold a photo, or a recording for a network that takes sounds."""
    if net.medium != "sound":
        return hold_photo(photo, *key)
    assert net.rate is not None
    number, (_, samples), channels = key
    return hold_recording(photo, number, samples, net.rate, channels)


def _style_for(target: Target, photo: Any, size: Size, channels: int) -> HeldArray | None:
    """Hold a style photo, larger than pictures of a size, for a target that takes a style."""
    if photo is None or not any(term.kind in STYLED for term in target.objective.terms):
        return None
    height, width = (round(LARGER * side) for side in size)
    return hold_photo(photo, STYLE_NUMBER, (height, width), channels)


def _recipe_for(target: Target, options: RecipeOptions, chosen: Recipe, net: Network) -> Recipe:
    """Return the recipe of a target: one that starts from the photo keeps near it by default."""
    if target.objective.reproduces:
        if options.size is None and chosen.name == "fast":
            return chosen.replace(size=usual_size(net))
        return options.fitted(chosen, net)
    if net.medium == "sound" and options.recipe == OF_MEDIA["sound"]:
        chosen = replace(options, recipe=OF_RECORDINGS).chosen().replace(precision=chosen.precision)
    if options.recipe == "fast":
        chosen = replace(options, recipe=USUAL).chosen().replace(precision=chosen.precision)
    return options.fitted(chosen, net)


def _snapshots(target: Target, recipe: Recipe, pictures: PictureOptions) -> Sequence[int]:
    is_sound = isinstance(recipe.parameterization, Waveform)
    if pictures.snapshots or target.objective.reproduces or not recipe.likeness or is_sound:
        return pictures.snapshots
    return range(0, recipe.steps, max(1, round(recipe.steps / MOMENTS)))
