"""Choose the loop of a run, compiled once for its settings and kept with the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerasviz.network.network import Network
from kerasviz.optvis.objectives.special_tokens import left_out
from kerasviz.optvis.objectives.structure import Structure, taps_in
from kerasviz.optvis.optimization.compile_cache import compiled
from kerasviz.optvis.optimization.loop import Loop
from kerasviz.optvis.optimization.photo_loop import PhotoLoop
from kerasviz.optvis.optimization.run import NO_DATA, PHOTO
from kerasviz.optvis.recipe import Recipe


def loop_for(
    net: Network, structure: Structure, recipe: Recipe, data: Mapping[str, Any] = NO_DATA
) -> Loop:
    """Return the loop for these settings, compiled once and kept with the network.

    ``data`` are the tensors of rows, which may have photos. Recipes that differ in name and number
    of steps share a loop, unless crops shrink with the steps.
    """
    recipe = recipe.replace(transform=recipe.transform.with_crops(steps=recipe.steps))
    kind: type[Loop] = Loop
    if PHOTO in data:
        kind = PhotoLoop
    key = (kind, structure, recipe.replace(name="", steps=1))
    net.warn_of_training()
    net = net.focused(taps_in(structure))
    special = left_out(net, recipe.special_tokens, taps_in(structure))
    return compiled(net, key, lambda net: kind(net, structure, recipe, special))
