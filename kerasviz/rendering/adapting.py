"""Adapt recipes and targets to a network: first activations, diversity."""

from __future__ import annotations

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.objective import Objective, diversity
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.media_recipes import along_axes, check_medium
from kerasviz.rendering.sizes import may_shrink, with_crop_size
from kerasviz.types import PreActivation

#: Updates with redirected ReLU gradients where :func:`adapt_recipe` turns them on (as in lucid).
REDIRECTED_STEPS = 17


def first_activation(net: Network, pre_activation: PreActivation = True) -> str | None:
    """Return the output of the network's first ReLU, or of "any" activation function.

    In a network of convolutions its input is linear in the image.
    """
    return next((name for name in net.taps if net.taps[name].before(pre_activation)), None)


def adapt_recipe(recipe: Recipe, objective: Objective, net: Network) -> Recipe:
    """Return the recipe for an objective: nearly always ``recipe`` itself.

    Before the first ReLU of a network (or the first activation function, for a recipe that takes
    the tensor before any) the mean of a channel is linear in the image, so that the
    best image is one flat colour. Units of that layer are optimized after the ReLU, and redirected
    gradients help those that are dead at the start. Crops get the size of the network, where the
    recipe names none, and images shrink only where they may (see
    :func:`kerasviz.rendering.sizes.may_shrink`). Recipes of signals get the lengths of the axes.

    Raises :class:`UsageError` for a recipe that makes none of what the network takes.
    """
    check_medium(recipe, net)
    recipe = along_axes(recipe, net)
    recipe = with_crop_size(recipe, net)
    if not may_shrink(recipe, objective, net):
        recipe = recipe.replace(transform=recipe.transform.unshrunk())
    first = first_activation(net, recipe.pre_activation)
    kinds = ("channel", "direction", "function")
    taps = {net.taps[n].name for t in objective.terms if t.kind in kinds for n in t.names}
    if not recipe.pre_activation or first not in taps:
        return recipe
    steps = max(recipe.redirect_steps, REDIRECTED_STEPS)
    return recipe.replace(pre_activation=False, redirect_steps=steps)


def with_diversity(target: Target, net: Network, weight: float = 0.1) -> Target:
    """Return a target with the diversity term at its own layer (paper: "Achieving Diversity").

    The Gram matrix is that of the first tap of the target, after the ReLU; for a class that of the
    last layer with positions, a main one if the main layers are known.
    """
    taps = [tap for term in target.objective.terms for tap in term.names]
    tap = taps[0] if taps else last_with_positions(net)
    if tap is None:
        raise UsageError(f"target {target.text!r}: diversity needs a layer with positions")
    return Target(target.text, target.objective + diversity(tap, weight))


def last_with_positions(net: Network) -> str | None:
    """Return the last main layer with positions, else the last tokens, else the last map.

    A row whose length depends on the image size counts as tokens.
    """
    main = [name for name in net.main_taps if len(net.taps[name].shape or ()) in (3, 4)]
    if main:
        return main[-1]
    ranks = {name: len(net.taps[name].shape or ()) for name in reversed(list(net.taps))}
    rows = {name: positions_of(net, name) for name, rank in ranks.items() if rank == 3}
    tokens = (name for name, row in rows.items() if row.grid or row.free)
    return next(tokens, next((n for n, rank in ranks.items() if rank == 4), None))
