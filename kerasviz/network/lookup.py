"""Find taps by what stands beside them in the graph: attention heads and weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kerasviz.errors import UsageError, near

if TYPE_CHECKING:  # targets.py is read for its grammar, without TensorFlow
    from kerasviz.network.network import Network
    from kerasviz.network.program import Value
    from kerasviz.network.taps import Tap

#: Operations from the joined heads to the output of an attention module, at most: the product with
#: the weights, the bias, a scale, and a copy or two.
STEPS = 5


def attention_heads(net: Network, tap: str) -> tuple[str, int] | None:
    """Return the tap whose channels are the outputs of attention heads, and how many heads.

    That is the tap itself if its heads are joined there, or split after it (queries, keys, values),
    and else the joined heads from which it is projected. ``None`` if there are no heads.

    >>> attention_heads(net, "blocks.0.attention")  # doctest: +SKIP
    ('blocks.0.attention.Reshape_4', 4)
    """
    values = net.program.values
    about = net.taps[tap]
    value = values.get(about.parts[0])
    if value is None:
        return None
    for user in values.values():
        if value.name in user.inputs and _heads(user, value):
            return about.name, _heads(user, value)
    for _ in range(STEPS):
        sources = [values[name] for name in value.inputs if name in values]
        for source in sources:
            if _heads(source, value):
                return value.name, _heads(source, value)
        rows = [source for source in sources if len(source.shape or ()) == 3]
        if len(rows) != 1:  # a residual addition has two
            return None
        value = rows[0]
    return None


def _heads(split: Value, joined: Value) -> int:
    """Return the number of heads of [B, T, heads, d] that has the channels of [B, T, C], or 0."""
    if len(split.shape or ()) != 4 or len(joined.shape or ()) != 3:
        return 0
    (*_, heads, width), channels = split.shape or (), (joined.shape or ())[-1]
    return heads if heads and width and heads * width == channels else 0


def tap_of_weight(net: Network, weight: str) -> str:
    """Return the tap that is computed with a weight of the file.

    The name may lack the first modules (``fc1.weight`` of ``model.mlp.fc1.weight``). Exporters drop
    the names of transposed weights, and Keras has them by layers: then it is the output of the
    module or layer whose weight it is. Raises
    :class:`UsageError` for an unknown weight, and one that several taps share.
    """
    taps: dict[str, list[str]] = {}
    for value in net.program.values.values():
        for name in value.weights:
            taps.setdefault(name, []).append(value.name)
    users = _matching(taps, weight)
    if len(users) != 1:  # equal weights may be stored once, for many modules
        modules = {name: [tap.name] for tap in net.taps.values() for name in _names(tap)}
        by_module = _matching(modules, re.sub(r"[./]?[^./]*$", "", weight))
        users = by_module if len(by_module) == 1 or not users else users
    if not users:
        raise UsageError(
            f"unknown weight {weight!r}; near: {near(weight, taps)}"
            if taps
            else f"{net.name}: its file names no weights; name a tap instead"
        )
    if len(users) > 1:
        raise UsageError(f"weight {weight!r}: several taps use it; name one: {', '.join(users)}")
    return users[0]


def _names(tap: Tap) -> tuple[str, ...]:
    return (tap.name, *tap.aliases)


def _matching(taps: Mapping[str, list[str]], name: str) -> list[str]:
    """Return the taps under a name, or under all longer names that end in it."""
    if not name or name in taps:
        return taps.get(name, [])
    longer = [
        users for known, users in taps.items() if re.search(rf"[./]{re.escape(name)}$", known)
    ]
    return list(dict.fromkeys(tap for users in longer for tap in users))
