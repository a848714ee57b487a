"""Choose where units are recorded: the position, and the part of the image that it sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kerasviz.analysis.stimuli import LEAST_RADIUS, Aperture
from kerasviz.analysis.tuning import Place
from kerasviz.errors import UsageError
from kerasviz.examples.receptive_field import fields_at
from kerasviz.network.network import Network
from kerasviz.network.positions import Positions, positions_of
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Size

#: The pixels of a field: (top, left, bottom, right), the last two excluded.
Box = tuple[int, int, int, int]
#: Units by their layer and the index of the position there, in the order given.
UnitsByPlace = Mapping[tuple[str, tuple[int, ...]], list[int]]


def units_by_place(net: Network, texts: Iterable[str]) -> UnitsByPlace:
    """Return the units of targets such as ``"block4a:0-7"`` or ``"block4a:3@5,6"``.

    Raises:
        UsageError: For targets that are no units, and layers without positions.
    """
    found: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for target in parse_targets(list(texts), net):
        term, *more = target.objective.terms
        if more or term.kind not in ("channel", "neuron") or term.unit is None:
            raise UsageError(f"target {target.text!r}: tuning is that of one unit; give LAYER:UNIT")
        tap = target.text.rpartition("@")[0] if term.kind == "neuron" else target.text
        tap = tap.rpartition(":")[0]
        positions = positions_of(net, tap, usual_size(net))
        if positions.map is None:
            raise UsageError(
                f"{positions.describe()}: stimuli are shown at a position of a map; name a layer "
                "that has one (kerasviz taps lists them)"
            )
        index = positions.centre
        if isinstance(term.position, tuple):
            index = positions.index(term.position, term.unit)
        found.setdefault((tap, index), []).append(term.unit)
    if not found:
        raise UsageError("no units; give one or more, such as block4a:11")
    return found


def place_of(net: Network, tap: str, index: tuple[int, ...]) -> Place:
    """Return the place of a position: a disc as wide as what it sees, as far as the image goes.

    Raises:
        UsageError: For special tokens, and for layers that see too few pixels.
    """
    size = usual_size(net)
    positions = positions_of(net, tap, size)
    point = _on_map(positions, index)
    aside = _aside(positions, point)
    box, other = fields_at(net, tap, size, [point, aside])
    seen = (box[2] - box[0], box[3] - box[1])
    radius = min(*seen, *size) / 2
    if radius < LEAST_RADIUS:
        needed = round(2 * LEAST_RADIUS)
        which = "name a later layer" if min(size) >= needed else "the images are too small"
        raise UsageError(
            f"{net.name}: {tap} sees {seen[0]}x{seen[1]} pixels of {size[0]}x{size[1]}; shapes "
            f"need {needed}x{needed}: {which}"
        )
    across = [_along(axis, positions, size, (point, box), (aside, other)) for axis in (0, 1)]
    (y, down), (x, right) = across
    return Place(tap, index, Aperture(size, (y, x), radius), (down, right))


def _on_map(positions: Positions, index: tuple[int, ...]) -> tuple[int, int]:
    if len(index) == 2:
        return index[0], index[1]
    point = positions.place(index[0])
    if point is None:
        raise UsageError(
            f"{positions.tap}@{index[0]} is a special token, which has no place in the image; give "
            f"one from {positions.special}"
        )
    return point


def _aside(positions: Positions, point: tuple[int, int]) -> tuple[int, int]:
    """Return a position nearby, towards the middle of the map."""
    height, width = positions.map or (1, 1)
    y, x = point
    return max(y + 1 if y + 1 < height else y - 1, 0), max(x + 1 if x + 1 < width else x - 1, 0)


def _along(
    axis: int,
    positions: Positions,
    size: Size,
    here: tuple[tuple[int, int], Box],
    aside: tuple[tuple[int, int], Box],
) -> tuple[float, float]:
    """Return the middle of a field along an axis, and the stride, in pixels.

    A field that the border cuts off is taken to lie where its position is on the map.
    """
    length = (positions.map or (1, 1))[axis]
    whole = [box[axis] > 0 and box[axis + 2] < size[axis] for _, box in (here, aside)]
    middles = [(box[axis] + box[axis + 2] - 1) / 2 for _, box in (here, aside)]
    stride = size[axis] / length
    steps = aside[0][axis] - here[0][axis]
    if all(whole) and steps:
        stride = (middles[1] - middles[0]) / steps
    middle = middles[0] if whole[0] else (here[0][axis] + 0.5) * size[axis] / length - 0.5
    return middle, stride
