"""Descriptions of networks as plain data: layers with their inputs, units, recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerasviz.errors import KerasvizError, ModelError, UsageError
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import RECIPES, Recipe
from kerasviz.zoo.model_card import card_for_checksum

#: Layers that are listed besides the main ones, at most.
MOST_OTHERS = 400


def usual_size(net: Network) -> tuple[int, int]:
    """Return the (height, width) that a network was trained for; 224 if unknown."""
    card = card_for_checksum(net.identity.sha256)
    known = card.input_size if card is not None else (224, 224)
    height, width = (n or m for n, m in zip(net.fixed_size, known, strict=True))
    return height, width


def fixed_recipe(recipe: Recipe, net: Network) -> Recipe:
    """Return a recipe with the sides that the network fixes."""
    height, width = (n or m for n, m in zip(net.fixed_size, recipe.size, strict=True))
    return recipe.replace(size=(height, width))


def label_of(net: Network, tap: str, unit: int) -> str | None:
    """Return the label of a class unit, ``None`` for other units."""
    heads = [net.classes.logits, *net.program.outputs]
    names = {net.taps[n].name for n in heads if n is not None and n in net.taps}
    if net.taps[tap].name not in names or net.taps[tap].channels != len(net.labels):
        return None
    return net.labels[unit]


def describe_network(net: Network, name: str, examples: bool) -> dict[str, Any]:
    """Describe a network for the page."""
    card = card_for_checksum(net.identity.sha256)
    recipes = [fixed_recipe(recipe, net) for recipe in RECIPES.values()]
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
        },
        "classes": len(net.labels) or _classes(net),
        "layers": describe_layers(net),
        "recipes": [{"name": r.name, "steps": r.steps, "size": list(r.size)} for r in recipes],
        "examples": examples,
    }


def _classes(net: Network) -> int:
    logits = net.classes.logits
    return 0 if logits is None or logits not in net.taps else net.taps[logits].channels or 0


def describe_layers(net: Network) -> list[dict[str, Any]]:
    """List the layers with units in order, each with the layers that it is computed from.

    ``main`` are the main layers and the classes.
    """
    main = _main(net)
    names = {net.taps[name].name: name for name in reversed(main)}
    before = {tap.pre_activation for tap in net.taps.values()}  # shown as the layer itself
    order = [n for n in net.taps if n in names or (n not in before and _is_layer(net, n))]
    kept = {tap: names.get(tap, tap) for tap in [t for t in order if t in names]}
    for tap in order[:MOST_OTHERS]:
        kept.setdefault(tap, names.get(tap, tap))
    taps = [tap for tap in order if tap in kept]
    shapes, edges = _computed(net, taps)
    layers = []
    for tap in taps:
        if tap not in shapes:
            continue
        about = net.taps[tap]
        layers.append(
            {
                "name": kept[tap],
                "tap": tap,
                "op": about.op,
                "shape": shapes[tap],
                "units": about.channels,
                "inputs": [kept[other] for other in edges[tap]],
                "main": tap in names,
            }
        )
    return layers


def _main(net: Network) -> list[str]:
    try:
        layers = main_layers(net)
    except UsageError:
        layers = []
    heads = [n for n in (net.classes.logits, *net.program.outputs) if n is not None]
    return list(dict.fromkeys([*layers, *(n for n in heads if n in net.taps and _units(net, n))]))


def _units(net: Network, name: str) -> bool:
    return net.taps[name].channels is not None and len(net.taps[name].shape or ()) in (2, 4)


def _is_layer(net: Network, name: str) -> bool:
    """Tell whether the units of a tap are listed, as those of convolutions and ReLUs are."""
    tap = net.taps[name]
    if name in net.program.inputs or not _units(net, name):
        return False
    op = tap.op.lower()
    listed = ("conv", "relu", "concat", "pool", "add", "matmul", "gemm", "dense")
    return tap.pre_activation is not None or any(word in op for word in listed)


def _computed(
    net: Network, taps: Sequence[str]
) -> tuple[dict[str, list[int]], dict[str, list[str]]]:
    """Return shapes [h, w, c] at the usual size, and the nearest taps before each tap."""
    images = tf.TensorSpec([1, *usual_size(net), net.channels], tf.float32)
    tensors: dict[str, Any] = {}
    names: dict[int, str] = {}

    def trace(x: Any) -> Any:
        tensors.update(net.activations(x, list(taps)))
        return list(tensors.values())

    try:
        traced = tf.function(trace, autograph=False).get_concrete_function(images)
    except (KerasvizError, ValueError):
        return _one_by_one(net, taps)
    for name, tensor in tensors.items():
        names[id(tensor.op)] = name
    shapes = {name: _shape(tensor) for name, tensor in tensors.items()}
    assert traced.graph is not None  # it keeps the tensors alive
    return shapes, {name: _before(name, tensors[name], names) for name in tensors}


def _one_by_one(
    net: Network, taps: Sequence[str]
) -> tuple[dict[str, list[int]], dict[str, list[str]]]:
    """Describe the taps that can be computed as a chain, because their graph is unknown."""
    size = usual_size(net)
    good = [name for name in taps if net.computes(name, *size)]
    if not good:
        raise ModelError(f"{net.name}: no layer can be computed from images of {size}")
    if len(good) < len(taps):
        return _computed(net, good)
    shapes = {n: [d or 1 for d in (net.taps[n].shape or ())[1:]] for n in good}
    return shapes, {name: [good[k - 1]] if k else [] for k, name in enumerate(good)}


def _shape(tensor: Any) -> list[int]:
    sizes = [n or 1 for n in tensor.shape.as_list()[1:]]
    return [1] * (3 - len(sizes)) + sizes


def _before(name: str, tensor: Any, names: Mapping[int, str]) -> list[str]:
    """Return the nearest taps before a tensor, in the order of the graph."""
    seen: set[int] = set()
    pending = [tensor.op]
    met: dict[str, None] = {}
    while pending:
        op = pending.pop()
        for tensor_input in op.inputs:
            source = tensor_input.op
            other = names.get(id(source))
            if other is not None and other != name:
                met[other] = None
            elif id(source) not in seen:
                seen.add(id(source))
                pending.append(source)
    order = {other: k for k, other in enumerate(names.values())}
    return sorted(met, key=order.__getitem__)
