"""How a network is served where little is said about it."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.network import Network
from kerasviz.recipes import Recipe
from kerasviz.serving.setting import Setting

__all__ = ["LAYERS", "usual_setting", "usual_taps"]

#: Layers that are served where none are named, beside the classes.
LAYERS = 8


def usual_setting(
    net: Network,
    recipe: Recipe,
    *,
    taps: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    steps_max: int | None = None,
    group: int = 1,
    image_size: tuple[int, int] | None = None,
) -> Setting:
    """The setting with what is given, and for the rest what fits the network.

    Sizes are (height, width): those that the network insists on, else the recipe's and those of
    the model card.
    """
    from kerasviz.zoo.model_card import card_for_checksum

    def fixed(usual: tuple[int, int]) -> tuple[int, int]:
        """A size, as far as the network does not insist on another."""
        height, width = (n or m for n, m in zip(net.fixed_size, usual, strict=True))
        return height, width

    card = card_for_checksum(net.identity.sha256)
    return Setting(
        taps=tuple(taps) or usual_taps(net),
        recipe=recipe.replace(size=size or fixed(recipe.size)),
        steps_max=steps_max,
        group=group,
        image_size=image_size or fixed(card.input_size if card else (224, 224)),
    )


def usual_taps(net: Network) -> tuple[str, ...]:
    """Layers over the whole depth of a network, and its classes."""
    from kerasviz.figures.layers import worth_showing

    layers, _ = worth_showing(net)
    if len(layers) > LAYERS:
        layers = [layers[round(k * (len(layers) - 1) / (LAYERS - 1))] for k in range(LAYERS)]
    logits = net.classes.logits
    return (*layers, *(n for n in [logits] if n is not None and n in net.taps))
