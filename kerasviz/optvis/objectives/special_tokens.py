"""Leave special tokens (class, distillation, registers) out of means over positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kerasviz.network.network import Network
from kerasviz.network.positions import special_tokens
from kerasviz.optvis.objectives.term import COMPARED
from kerasviz.types import Tensor

#: No tap has tokens that do not count.
ALL_COUNT: Mapping[str, int] = {}
#: Reductions that name their positions themselves: one of them, or every number of a layer.
_OF_ALL_TOKENS = ("point", "whole", "function", *COMPARED)


def left_out(net: Network, all_count: bool, taps: Iterable[str]) -> Mapping[str, int]:
    """Return the number of tokens of taps that do not count: their special tokens, or none.

    They stand before the tokens of the patches, see :func:`positions_of`.
    """
    if all_count:
        return ALL_COUNT
    counts = {tap: special_tokens(net, tap) for tap in taps if len(net.taps[tap].shape or ()) == 3}
    return {tap: count for tap, count in counts.items() if count}


def of_patches(activations: Tensor, reduction: str, special: int) -> Tensor:
    """Return activations [B, T, C] without the first ``special`` tokens, [B, T - special, C].

    Reductions of one position or of a whole layer keep them.
    """
    keep = not special or reduction in _OF_ALL_TOKENS
    return activations if keep else activations[:, special:]
