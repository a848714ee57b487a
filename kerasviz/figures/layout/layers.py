"""The layers of another network that stand for the article's."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.network.program import has_positions

#: The taps of an article's layers that a network has, and one line that says how they were found.
Placing = tuple[dict[str, str], str]


def place_layers(wanted: Sequence[str], taps: Sequence[str]) -> dict[str, str]:
    """Match layers of the article with taps of another network, both first layer first.

    Every layer gets the tap at the same relative depth if that gives them different taps;
    otherwise they are spread evenly from the depth of the first to that of the last, or over all
    taps; and where there are fewer taps than layers, every tap is taken once and the layers
    between are left out.

    >>> place_layers(["mixed3a", "mixed4a", "mixed5b"], ["a", "b", "c", "d", "e"])
    {'mixed3a': 'b', 'mixed4a': 'c', 'mixed5b': 'e'}
    >>> place_layers(["conv2d0", "mixed4a", "mixed5b"], ["a", "b"])
    {'conv2d0': 'a', 'mixed5b': 'b'}
    """
    last, gaps = len(taps) - 1, max(1, len(wanted) - 1)
    depths = [_DEPTHS[name] * last for name in wanted]
    between = [depths[0] + (depths[-1] - depths[0]) * i / gaps for i in range(len(wanted))]
    over_all = [last * i / gaps for i in range(len(wanted))]
    for places in (depths, between, over_all):
        chosen = [taps[_round(place)] for place in places]
        if len(set(chosen)) == len(wanted):
            return dict(zip(wanted, chosen, strict=True))
    step = (len(wanted) - 1) / max(1, last)
    return {wanted[_round(i * step)]: tap for i, tap in enumerate(taps)}


def _depths() -> dict[str, float]:
    """Return the relative depth, 0 to 1, at which another network matches an article's layer.

    conv2d0 sees 7 x 7 pixels. Most later networks begin with 3 x 3, which is too little for edges:
    they show edges a little deeper.
    """
    last = len(ARTICLE_LAYERS) - 1
    return {name: i / last for i, name in enumerate(ARTICLE_LAYERS)} | {"conv2d0": 1.3 / last}


_DEPTHS = _depths()


def _round(x: float) -> int:
    return int(x + 0.5)  # halves upwards, so that equal steps stay equal


def map_layers(wanted: Sequence[str], net: Network) -> Placing:
    """Find layers of the article in a network: by name or alias, else by depth."""
    if all(name in net.taps and has_positions(net.taps[name].shape) for name in wanted):
        found = {name: net.taps[name].name for name in wanted}
        if all(name == own for name, own in found.items()):
            return found, "Layers: the article's."
        if len(wanted) == 1:
            return found, f"Layer: {found[wanted[0]]}, in the place of the article's {wanted[0]}."
        pairs = ", ".join(f"{name} is {own}" for name, own in found.items())
        return found, f"Layers: those in the place of the article's: {pairs}."
    taps = main_layers(net)
    found = place_layers(wanted, taps)
    if len(found) < len(wanted):
        return found, (
            f"Layers: the network has only {_count(len(taps))}, the article's figure has "
            f"{len(wanted)}; the others are left out."
        )
    if len(wanted) == 1:
        return found, (
            f"Layer: {found[wanted[0]]}, of the network's {_count(len(taps))} the nearest to "
            f"the relative depth of the article's {wanted[0]}."
        )
    deeper = ", the one for conv2d0 a little deeper" if "conv2d0" in wanted else ""
    return found, (
        f"Layers: {len(wanted)} of the network's {_count(len(taps))}, spread over the depth "
        f"as the article's are{deeper}."
    )


def called(net: Network, name: str) -> str:
    """Return what a person calls a layer, or the layer of a group of directions: the map's name.

    Files and targets keep the tap's own name.

    >>> called(net, "stem"), called(net, "stem@concepts.npz:nmf")
    ('stem', 'stem@concepts.npz:nmf')
    """
    if name in net.taps:
        return net.map.name_of(net.taps[name].name)
    tap, at, file = name.partition("@")
    return f"{called(net, tap)}{at}{file}" if tap in net.taps else name


def _count(n: int) -> str:
    return f"{n} main layer{'' if n == 1 else 's'}"
