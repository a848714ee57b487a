"""Targets: parse the texts by which users name units, sums and classes into objectives."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import (
    Objective,
    blur,
    channel,
    l1,
    layer,
    logit,
    neuron,
    probability,
    random_direction,
    total_variation,
)

if TYPE_CHECKING:  # a help text that shows the grammar should not wait for TensorFlow
    from kerasviz.network.network import Network

GRAMMAR = """\
mixed4c:100             a channel: the unit at all positions
mixed4c:100@center      a neuron: the unit at the centre; @y,x at another position
mixed4c:0-15            many channels; mixed4c:* all of them
mixed4c                 the whole layer (DeepDream)
logit:goldfish logit:1  a class before the softmax, by label or number
prob:1                  a class after the softmax
mixed4c:random-7        the random direction number 7 of a layer
penalty:tv              of the image: l1, tv (total variation) or blur; subtract it
"a:1 + b:2"             sums, differences and multiples, with spaces: "a:10 - 0.5*a:11"
"""

_UNITS = re.compile(
    r"(?P<tap>.+?):(?P<first>\d+|\*)(?:-(?P<last>\d+))?(?:@(?P<at>center|-?\d+,-?\d+))?"
)
_RANDOM = re.compile(r"(?P<tap>.+?):random-(?P<seed>\d+)")
_PENALTIES = {"l1": l1, "tv": total_variation, "blur": blur}
_FACTOR = re.compile(r"(?P<factor>\d+(?:\.\d*)?|\.\d+)\s*\*\s*(?P<rest>.+)")


@dataclass(frozen=True)
class Target:
    """An objective with the text that names it."""

    text: str
    objective: Objective


def parse_targets(texts: list[str] | tuple[str, ...], net: Network) -> list[Target]:
    """Parse several targets and expand ranges, in their order and without duplicates."""
    targets: dict[str, Target] = {}
    for text in texts:
        for target in parse_target(text, net):
            targets.setdefault(target.text, target)
    return list(targets.values())


def parse_target(text: str, net: Network) -> list[Target]:
    """Parse one target (see :data:`GRAMMAR`) against a network: one entry per picture.

    Raises :class:`UsageError` for an unknown tap (near ones listed), a unit out of range, an
    unknown class and a sum of ranges.
    """
    pieces = re.split(r"\s+([+-])\s+", text.strip())
    sign, first = 1.0, pieces[0]
    if first.startswith("-"):
        sign, first = -1.0, first[1:].strip()
    terms = [(sign, first)] + [
        (1.0 if op == "+" else -1.0, piece)
        for op, piece in zip(pieces[1::2], pieces[2::2], strict=True)
    ]
    parsed = [_term(weight, piece, net) for weight, piece in terms]
    if len(parsed) == 1:
        return parsed[0]
    if any(len(p) != 1 for p in parsed):
        raise UsageError(f"target {text!r}: a sum takes single units, not ranges")
    first_target, *others = (targets[0] for targets in parsed)
    name = " ".join([first_target.text, *(_joined(target.text) for target in others)])
    return [Target(name, sum((target.objective for target in others), first_target.objective))]


def _joined(text: str) -> str:
    return f"- {text[1:]}" if text.startswith("-") else f"+ {text}"


def _term(sign: float, piece: str, net: Network) -> list[Target]:
    factor, prefix = sign, "-" if sign < 0 else ""
    scaled = _FACTOR.fullmatch(piece.strip())
    if scaled:
        factor *= float(scaled["factor"])
        prefix += f"{float(scaled['factor']):g}*"
        piece = scaled["rest"]
    atoms = _atom(piece.strip(), net)
    return [
        replace(t, text=prefix + t.text, objective=t.objective * factor if prefix else t.objective)
        for t in atoms
    ]


def _atom(text: str, net: Network) -> list[Target]:
    head, colon, rest = text.partition(":")
    if colon and head in ("logit", "prob"):
        k = net.class_index(rest)
        return [Target(f"{head}:{rest.strip()}", logit(k) if head == "logit" else probability(k))]
    if colon and head == "penalty" and head not in net.taps:
        if rest not in _PENALTIES:
            raise UsageError(f"target {text!r}: penalties are {', '.join(_PENALTIES)}")
        return [Target(text, _PENALTIES[rest](1.0))]
    drawn = _RANDOM.fullmatch(text)
    if drawn is not None:
        channels = _channels(net, drawn["tap"])
        return [Target(text, random_direction(drawn["tap"], channels, int(drawn["seed"])))]
    match = _UNITS.fullmatch(text)
    # A TensorFlow tensor name such as "conv:1" may itself be a tap of the network.
    if match is None or (text in net.taps and match["tap"] not in net.taps):
        tap_name = text if text in net.taps else head  # "mixed4c:x" is about mixed4c, if it exists
        if net.taps[tap_name] and tap_name != text:
            raise UsageError(f"target {text!r}: expected NAME:UNIT, NAME:FIRST-LAST or NAME:*")
        return [Target(text, layer(text))]
    return _units(text, match, net)


def _units(text: str, match: re.Match[str], net: Network) -> list[Target]:
    """Expand a range of channels or neurons."""
    name = match["tap"]
    channels = _channels(net, name)
    first = 0 if match["first"] == "*" else int(match["first"])
    last = channels - 1 if match["first"] == "*" else int(match["last"] or first)
    if first > last:
        raise UsageError(f"target {text!r}: the first unit is above the last; give {last}-{first}")
    if last >= channels:
        raise UsageError(f"target {text!r}: {name} has the units 0 to {channels - 1}")
    if not match["at"]:
        return [Target(f"{name}:{u}", channel(name, u)) for u in range(first, last + 1)]
    position = None
    if match["at"] != "center":
        y, x = (int(n) for n in match["at"].split(","))
        position = (y, x)
    return [
        Target(f"{name}:{u}@{match['at']}", neuron(name, u, position))
        for u in range(first, last + 1)
    ]


def _channels(net: Network, tap: str) -> int:
    channels = net.taps[tap].channels
    if channels is None:
        name = net.taps[tap].name
        raise UsageError(f"tap {name!r} has no fixed number of channels; name another tap")
    return channels


def negated(text: str) -> str:
    """Return the text of the opposite of a target, itself a target.

    >>> negated("mixed4c:1"), negated("-a:1"), negated("a:10 - 0.5*a:11")
    ('-mixed4c:1', 'a:1', '-a:10 + 0.5*a:11')
    """
    first, *rest = re.split(r" ([+-]) ", text)
    opposite = first[1:] if first.startswith("-") else f"-{first}"
    for sign, piece in zip(rest[::2], rest[1::2], strict=True):
        opposite += f" {'-' if sign == '+' else '+'} {piece}"
    return opposite
