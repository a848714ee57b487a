"""How pages fill themselves: the settings of rough pictures, and of the good ones after them."""

from __future__ import annotations

from typing import Any

from kerasviz.network.network import Network
from kerasviz.network.program import has_positions
from kerasviz.optvis.recipes import OF_MEDIA, RECIPES

#: The side and the steps of rough pictures, which tell a layer of edges from one of faces.
ROUGH_SIDE, ROUGH_STEPS = 64, 32
#: Their steps where the network takes no small images, and each takes as long as several of those.
LARGE_STEPS = 16
#: Those of other media than images; a step of a search for tokens computes a thousand sequences.
STEPS = {"signal": 64, "sound": 64, "tokens": 8}


def filling_of(net: Network) -> dict[str, dict[str, Any]]:
    """Return the settings of requests for ``rough`` and ``good`` pictures of a network's units."""
    rough: dict[str, Any]
    if net.medium in OF_MEDIA:
        usual = OF_MEDIA[net.medium]
        steps = (STEPS[net.medium], RECIPES[usual].steps)
        rough, good = ({"recipe": usual, "steps": n} for n in steps)
        return {"rough": rough, "good": good}
    name = "vit" if _has_tokens(net) else "vivid"
    rough = {"recipe": name, "steps": LARGE_STEPS}
    if _computes(net, ROUGH_SIDE):
        rough |= {"steps": ROUGH_STEPS, "size": ROUGH_SIDE}
    return {"rough": rough, "good": {"recipe": name, "steps": RECIPES[name].steps}}


def _has_tokens(net: Network) -> bool:
    """Return whether half of the main layers or more are rows of tokens."""
    ranks = [len(net.taps[tap].shape or ()) for tap in net.main_taps]
    return 3 in ranks and 2 * ranks.count(3) >= len(ranks)


def _computes(net: Network, side: int) -> bool:
    placed = [tap for tap in net.main_taps if has_positions(net.taps[tap].shape)]
    last = [*net.taps, *placed][-1]
    return net.computes(last, side, side)
