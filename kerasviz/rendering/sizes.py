"""Sizes of pictures: what a network requires, else what it was trained for or a recipe says."""

from __future__ import annotations

from kerasviz.network.network import Network
from kerasviz.optvis.recipes import Recipe
from kerasviz.zoo.model_card import card_for_checksum

#: The (height, width) that most classifiers of ImageNet were made for.
CLASSIFIED = (224, 224)


def usual_size(net: Network) -> tuple[int, int]:
    """Return the (height, width) that a network was trained for; 224 if unknown."""
    card = card_for_checksum(net.identity.sha256)
    return net.fitting_size(card.input_size if card is not None else CLASSIFIED)


def fixed_recipe(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe with the sides that the network fixes; tiled pictures keep their size."""
    return recipe if recipe.tile else recipe.replace(size=net.fitting_size(recipe.size))


def unless_named(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe with the sides that the network fixes, if its size is the presets'.

    A recipe of another size asks for that size, which may be an error.
    """
    return fixed_recipe(recipe, net) if recipe.size == Recipe("").size else recipe
