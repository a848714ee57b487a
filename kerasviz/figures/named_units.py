"""Read the units that a command names."""

from __future__ import annotations

from collections.abc import Iterable

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.targets import parse_targets


def named_units(net: Network, targets: str | Iterable[str], what: str) -> list[tuple[str, int]]:
    """Return the taps and numbers of units, such as ``block4a:0-7``.

    Args:
        net: The network.
        targets: The units, or one text.
        what: What errors call the result, as in ``a circuit is that of one unit``.

    Raises:
        UsageError: For other targets.
    """
    texts = [targets] if isinstance(targets, str) else list(targets)
    units = []
    for target in parse_targets(texts, net):
        terms = target.objective.terms
        if len(terms) != 1 or terms[0].kind != "channel" or terms[0].unit is None:
            raise UsageError(f"target {target.text!r}: {what} is that of one unit; give LAYER:UNIT")
        units.append((target.text.rpartition(":")[0], terms[0].unit))
    return units
