"""Leave special tokens (class, distillation, registers) out of means over positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kerasviz.network.network import Network
from kerasviz.network.positions import special_tokens
from kerasviz.optvis.objectives.term import NORMALIZATIONS
from kerasviz.types import Tensor

#: No tap has tokens that do not count.
ALL_COUNT: Mapping[str, int] = {}
#: Reductions to means over positions, and to those of latents.
_MEANS = (
    "mean",
    "square",
    "softmax",
    "part",
    "cosine",
    *(f"latent {name}".strip() for name in NORMALIZATIONS),
)


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

    Reductions of one position or of a whole layer, and what is compared with photos, keep them.
    """
    return activations[:, special:] if special and reduction in _MEANS else activations
