"""Descriptions of networks as plain data: layers with their inputs, units, recipes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, get_args

from kerasviz.errors import KerasvizError, ModelError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of, traced_shapes
from kerasviz.optvis.parameterizations import media_of_kind
from kerasviz.optvis.recipe import media_of_recipe
from kerasviz.optvis.recipes import RECIPE_SUMMARIES, RECIPES
from kerasviz.rendering.sizes import fixed_recipe, usual_size
from kerasviz.service.filling import filling_of
from kerasviz.types import Param
from kerasviz.zoo.model_card import card_for_checksum

#: The numbers of axes of layers with units.
RANKS = (2, 3, 4, 5)
#: Layers that are listed besides the main ones, at most.
MOST_OTHERS = 400


def label_of(net: Network, tap: str, unit: int) -> str | None:
    """Return the label of a class unit, ``None`` for other units."""
    heads = [net.classes.logits, *net.program.outputs]
    names = {net.taps[n].name for n in heads if n is not None and n in net.taps}
    if net.taps[tap].name not in names or net.taps[tap].channels != len(net.labels):
        return None
    return net.labels[unit]


def describe_network(net: Network, name: str, *, filling: bool = False) -> dict[str, Any]:
    """Describe a network for the page, with the settings of pictures that it requests itself."""
    card = card_for_checksum(net.identity.sha256)
    fitting = [r for r in RECIPES.values() if net.medium in media_of_recipe(r)]
    recipes = [fixed_recipe(recipe, net) for recipe in fitting]
    return {
        "name": name,
        "title": card.title if card is not None else net.name,
        "description": card.description if card is not None else "",
        "licence": card.licence if card is not None else "",
        "format": net.identity.format,
        "sha256": net.identity.sha256,
        "input": {
            **net.require_input_spec().to_json(),
            "size": list(usual_size(net)),
            "channels": net.channels,
            "medium": net.medium,
            "noun": net.image_input.noun,
            **net.geometry,
        },
        "classes": len(net.labels) or _classes(net),
        "first_class": net.classes.first,
        "layers": describe_layers(net),
        "recipes": [
            {
                "name": recipe.name,
                "summary": RECIPE_SUMMARIES[recipe.name],
                "photo": recipe.likeness > 0 or recipe.octaves > 1,
                "steps": recipe.steps,
                "size": list(recipe.size),
            }
            for recipe in recipes
        ],
        "params": [name for name in get_args(Param) if net.medium in media_of_kind(name)],
        "filling": filling_of(net) if filling else None,
    }


def _classes(net: Network) -> int:
    logits = net.classes.logits
    return 0 if logits is None or logits not in net.taps else net.taps[logits].channels or 0


def describe_layers(net: Network) -> list[dict[str, Any]]:
    """List the layers with units in order, each with the layers that it is computed from.

    ``main`` are the main layers of the map and the classes. The others are its modules, and the
    convolutions and joins that are no module.
    """
    heads = [n for n in (net.classes.logits, *net.program.outputs) if n is not None]
    main = [n for n in (*net.main_taps, *heads) if n in net.taps and _has_units(net, n)]
    names = {net.taps[name].name: name for name in reversed(main)}
    order = {tap: k for k, tap in enumerate(net.taps)}
    others = [n for n in net.map.layers() if n in order and n not in names and _has_units(net, n)]
    listed = sorted([*names, *others[:MOST_OTHERS]], key=order.__getitem__)
    shapes = _shapes(net, listed)
    sources = net.map.flow.nearest(list(shapes))
    shown = {tap: names.get(tap) or net.map.name_of(tap) for tap in shapes}
    return [
        {
            "name": shown[tap],
            "tap": tap,
            "op": net.taps[tap].op,
            "shape": shape,
            "units": net.taps[tap].channels,
            "inputs": [shown[source] for source in sources[tap]],
            "main": tap in names,
        }
        for tap, shape in shapes.items()
    ]


def _has_units(net: Network, name: str) -> bool:
    return net.taps[name].channels is not None and len(net.taps[name].shape or ()) in RANKS


def _shapes(net: Network, taps: Sequence[str]) -> dict[str, list[int]]:
    """Return the shapes [h, w, c] at the usual size of the taps that can be computed.

    Tokens have the sides of the map that they were made from, others of a row are one line.
    """
    size = usual_size(net)
    shapes = {}
    with suppress(KerasvizError, ValueError):  # one by one below, if some cannot be computed
        traced_shapes(net, taps, size)
    for tap in taps:
        try:
            positions = positions_of(net, tap, size)
        except (KerasvizError, ValueError):
            continue
        height, width = positions.map or (1, math.prod(n or 1 for n in positions.extent))
        shapes[tap] = [height, width, net.taps[tap].channels or 1]
    if not shapes:
        raise ModelError(
            f"{net.name}: no layer can be computed from {net.image_input.noun}s of {size}"
        )
    return shapes
