"""Find the output of a network that predicts the next token."""

from __future__ import annotations

import numpy as np

from kerasviz.network.network import Network
from kerasviz.types import Array

#: Tokens of the sequences that are compared, where the file fixes no number.
LENGTH = 6
#: The largest difference that is rounding, as a share of the largest number.
ROUNDING = 1e-4


def language_head(net: Network, vocabulary: int) -> str | None:
    """Return the tap of the logits [B, T, V] of the next tokens; ``None`` without any.

    A network that looks ahead, such as BERT, predicts no next token: what it says of a position
    changes with the tokens behind it.
    """
    for name in net.program.outputs:
        value = net.program.values.get(net.taps[name].name) if name in net.taps else None
        if value is None or len(value.shape or ()) != 3 or (value.shape or ())[-1] != vocabulary:
            continue
        tap = value.softmax_input or value.name
        if tap in net.taps and _is_causal(net, tap, vocabulary):
            return net.taps[tap].name
    return None


def _is_causal(net: Network, tap: str, vocabulary: int) -> bool:
    """Return whether the last token changes nothing before it."""
    length = net.fixed_size[1] or LENGTH
    ids = np.arange(length) % vocabulary
    other = ids.copy()
    other[-1] = (other[-1] + 1) % vocabulary
    before, after = (_logits(net, tap, row) for row in (ids, other))
    gaps = np.abs(before - after).max(-1)
    size = ROUNDING * np.abs(before).max(initial=1e-12)
    return bool((gaps[:-1] <= size).all())


def _logits(net: Network, tap: str, ids: Array) -> Array:
    images = ids.reshape(1, 1, -1, 1).astype(np.float32)
    values: Array = np.asarray(net.activations(images, [tap])[tap][0], np.float32)
    return values
