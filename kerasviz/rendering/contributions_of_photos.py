"""Fill caricatures of targets with what of a photo contributes to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasviz.analysis.contributions import contributions
from kerasviz.network.network import Network
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.optvis.recipe import Recipe
from kerasviz.types import Array


def with_contributions(
    objective: Objective, photo: HeldArray, recipe: Recipe, net: Network
) -> Objective:
    """Return an objective whose caricatures of targets hold the contributions in a photo.

    The photo is seen in the size in which the recipe shows pictures to the network.
    """
    if not any(term.of for term in objective.terms):
        return objective
    image = _as_seen(photo, recipe, net)

    def filled(term: Term) -> Term:
        if not term.of:
            return term
        settings = {"pre_activation": recipe.pre_activation}
        found = contributions(net, term.tap, Objective(term.of), image, **settings)
        return replace(term, probe=HeldArray.of(found, f"contributions at {term.tap}"))

    return Objective(tuple(filled(term) for term in objective.terms))


def _as_seen(photo: HeldArray, recipe: Recipe, net: Network) -> Array:
    fixed = net.fixed_size != (None, None)
    transform = recipe.transform.to_image_size() if fixed else recipe.transform
    images = tf.constant(photo.numbers[None].astype(np.float32) / 255)
    seen: Array = np.asarray(transform.whole(images))[0]
    return seen
