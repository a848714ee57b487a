"""List the layers of a network that figures, atlases and pages show."""

from __future__ import annotations

from kerasviz.errors import UsageError
from kerasviz.network.network import Network


def main_layers(net: Network) -> list[str]:
    """Return the main layers that have units at several positions, in order.

    Raises :class:`UsageError` for a network without any of them.
    """
    names = [name for name in net.main_taps if has_positions(net, name)]
    if not names:
        raise UsageError(
            f"{net.name} has no layer with channels and positions; the figures need at least one"
        )
    return names


def has_positions(net: Network, name: str) -> bool:
    """Return whether a tap has several positions and a known number of channels."""
    shape = net.taps[name].shape or ()
    return len(shape) in (3, 4) and 1 not in shape[1:-1] and shape[-1] is not None
