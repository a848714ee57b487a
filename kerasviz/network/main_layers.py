"""List the layers of a network that figures, atlases and pages show."""

from __future__ import annotations

from collections.abc import Iterable

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.program import has_positions


def main_layers(net: Network) -> list[str]:
    """Return the main layers that have units at several positions, in order.

    Of a network with several inputs they are those that need nothing but images of one input.
    Raises :class:`UsageError` for a network without any of them.
    """
    positioned = [name for name in net.main_taps if has_positions(net.taps[name].shape)]
    names = list(of_one_image(net, positioned))
    if positioned and not names:
        net.focused(positioned)  # says what else they need
    if not names:
        raise UsageError(
            f"{net.name} has no layer with channels and positions; the figures need at least one"
        )
    return names


def of_one_image(net: Network, names: Iterable[str]) -> tuple[str, ...]:
    """Return the taps that need nothing but images of the input that the first of them needs."""
    image: Network | None = None
    taps = []
    for name in names:
        try:
            focused = net.focused([name])
        except UsageError:  # it needs other inputs, for which no data was given
            continue
        image = image or focused
        if focused is image:
            taps.append(name)
    return tuple(taps)
