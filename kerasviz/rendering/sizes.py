"""Sizes of pictures: what a network requires, else what it was trained for or a recipe says."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from kerasviz.network.network import Network
from kerasviz.network.size import USUAL
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.structure import taps_of
from kerasviz.optvis.objectives.term import Term
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.media_recipes import of_medium, sized


def usual_size(net: Network) -> tuple[int, int]:
    """Return the (height, width) that a network was trained for; 224 if unknown.

    Signals have the length that the network takes, else one of some seconds.
    """
    if net.medium != "image":
        return sized(Recipe(""), net).size
    return net.fitting_size(net.trained_size or USUAL)


def fixed_recipe(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe with the sides that the network fixes.

    Pictures of which it sees tiles or crops keep their size.
    """
    if net.medium != "image":
        recipe = of_medium(recipe, net)
        if recipe.size == Recipe("").size:
            return sized(recipe, net)
    if recipe.tile or recipe.transform.crop is not None:
        return with_crop_size(recipe, net)
    return recipe.replace(size=net.fitting_size(recipe.size))


def with_crop_size(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe whose crops of the image have a size that a network takes.

    It is that of the presets' pictures where the network takes it, else its own. Crops of a size
    that the recipe names keep it.
    """
    crop = recipe.transform.crop
    if crop is None or crop.size != (0, 0):
        return recipe
    size = net.fitting_size(Recipe("").size)
    size = size if _takes(net, size) else usual_size(net)
    return recipe.replace(transform=recipe.transform.with_crops(size=size))


def unless_named(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe with the sides that the network requires, if its size is the presets'.

    A recipe of another size asks for that size, which may be an error.
    """
    if net.medium != "image":
        return fixed_recipe(recipe, net)
    if recipe.size != Recipe("").size or recipe.transform.crop is not None:
        return with_crop_size(recipe, net)
    fixed = fixed_recipe(recipe, net)
    return fixed if _takes(net, fixed.size) else recipe.replace(size=usual_size(net))


def _takes(net: Network, size: tuple[int, int]) -> bool:
    """Return whether a network takes a size, as far as it was made for another one.

    A graph whose sides are free may hold positions of one size, as exports of transformers do. The
    cards of the zoo say which sides are free.
    """
    of_file = net.trained_size is not None and not net.origins.get("size", "").startswith("card")
    outputs = [name for name in net.program.outputs if name in net.taps]
    if not of_file or not outputs or None not in net.fixed_size or usual_size(net) == size:
        return True
    return net.computes(outputs[-1], *size) or not net.computes(outputs[-1], *usual_size(net))


def may_shrink(recipe: Recipe, objective: Objective, net: Network) -> bool:
    """Return whether a network computes an objective from images as small as a recipe shows them.

    What is about positions sees images in their own size: neurons, directions in a whole layer, and
    functions of the user's, which may have a position in mind.
    """
    if recipe.transform.unshrunk() is recipe.transform or recipe.seen_size == recipe.size:
        return True
    if any(_is_about_positions(term) for term in objective.terms):
        return False
    known = _computed.setdefault(net, {})
    taps = taps_of([objective], net, recipe.pre_activation)
    key = (*taps, recipe.seen_size)
    if key not in known:
        known[key] = all(net.computes(tap, *recipe.seen_size) for tap in taps)
    return known[key]


_computed: WeakKeyDictionary[Network, dict[tuple[object, ...], bool]] = WeakKeyDictionary()


def _is_about_positions(term: Term) -> bool:
    return (
        bool(term.shape or term.of)
        or term.position is not None
        or term.kind in ("neuron", "function")
    )
