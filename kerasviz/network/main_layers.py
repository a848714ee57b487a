"""Choose the layers of a network that a person would look at first."""

from __future__ import annotations

from kerasviz.errors import UsageError
from kerasviz.network.network import Network


def main_layers(net: Network) -> tuple[list[str], str]:
    """Return the layers that a figure may show, in the order of the graph, and their kind.

    The main layers if they are known, else the outputs of ReLUs, else convolutions, else all layers
    with channels and positions. Raises :class:`UsageError` for a network without any of them.
    """
    spatial = [n for n in net.taps if n not in net.program.inputs and _spatial(net, n)]
    rules = (
        ("main layers", [n for n in net.main_taps if _spatial(net, n)]),
        ("ReLU outputs", [n for n in spatial if net.taps[n].pre_activation]),
        ("convolutions", [n for n in spatial if "conv" in net.taps[n].op.lower()]),
        ("layers with positions", spatial),
    )
    for kind, names in rules:
        if names:
            return names, kind
    raise UsageError(
        f"{net.name} has no layer with channels and positions; the figures need at least one"
    )


def _spatial(net: Network, name: str) -> bool:
    """Return whether a tap has several positions and a known number of channels."""
    shape = net.taps[name].shape or ()
    return len(shape) == 4 and 1 not in shape[1:3] and shape[3] is not None
