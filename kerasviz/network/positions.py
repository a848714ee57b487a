"""Describe the positions of a tap: a map, tokens or steps in a row, or none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.types import Size, Tensor

#: Special tokens (class, distillation, registers) that a row of tokens has at most.
MOST_SPECIAL = 16
#: The side of the images, in pixels, for which tokens are counted if any size will do.
ANY_SIDE = 224

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Positions:
    """Describe the axes of a tap between the batch and the channels.

    Args:
        tap: The name of the tap.
        extent: (height, width) of a map, (count,) of a row (tokens, time, anchors), () of a vector;
            ``None`` where only an image size tells.
        grid: (height, width) of the map that the tokens of a row were made from, row by row. They
            are the last ones of the row.
        size: The (height, width) of the images, where the lengths depend on it.
        free: Whether the lengths depend on the size of the images, which is not given.

    Example:
        >>> tokens = Positions("block", (197,), (14, 14))
        >>> tokens.special, tokens.centre, tokens.index((2, 3), unit=0)
        (1, (106,), (32,))
    """

    tap: str
    extent: Shape
    grid: tuple[int, int] | None = None
    size: Size | None = None
    free: bool = False

    @property
    def special(self) -> int:
        """The number of tokens that stand before those of the grid; 0 without a grid."""
        return (self.extent[0] or 0) - math.prod(self.grid) if self.grid else 0

    @property
    def map(self) -> tuple[int, int] | None:
        """The (height, width) on which a unit can be drawn, without the special tokens."""
        if len(self.extent) != 2:
            return self.grid
        height, width = self.extent
        return None if height is None or width is None else (height, width)

    @property
    def centre(self) -> tuple[int, ...]:
        """The middle of the map, of the grid or of the row, for known lengths."""
        if self.grid is not None:
            y, x = (length // 2 for length in self.grid)
            return (self.special + y * self.grid[1] + x,)
        return tuple((length or 0) // 2 for length in self.extent)

    def place(self, number: int) -> tuple[int, int] | None:
        """Return (y, x) on the map of a position that is counted in order; ``None`` off the map.

        >>> tokens = Positions("block", (17,), (4, 4))
        >>> tokens.place(0), tokens.place(1), tokens.place(10)
        (None, (0, 0), (2, 1))
        """
        if self.map is None or number < self.special:
            return None
        y, x = divmod(number - self.special, self.map[1])
        return y, x

    def on_map(self, activations: Tensor) -> Tensor:
        """Reshape activations [B, ..., C] to [B, h, w, C] on the map, without special tokens.

        A row without a grid becomes one line, a vector one position.
        """
        height, width = self.map or (1, -1)
        if self.grid is not None:
            activations = activations[:, self.special :]
        shape = tf.shape(activations)
        return tf.reshape(activations, [shape[0], height, width, activations.shape[-1]])

    def index(self, position: Sequence[int], unit: int | None = None) -> tuple[int, ...]:
        """Return the index along ``extent`` of a position, with lengths known.

        Args:
            position: (y, x) of a map or of the grid of tokens, or (number,) of a row. Negative
                numbers count from the end.
            unit: The unit of the target, for the message.

        Returns:
            Numbers from 0, one for each axis.

        Raises:
            UsageError: For a position that the tap does not have.
        """
        on_grid = len(position) == 2 and len(self.extent) == 1 and self.grid and self.special
        lengths = self.grid if on_grid and self.grid else self.extent
        if len(position) != len(lengths):
            raise UsageError(self._other_form(position, unit))
        numbers = [
            number + (length or 0) if number < 0 else number
            for number, length in zip(position, lengths, strict=True)
        ]
        if not all(0 <= n < (m or 0) for n, m in zip(numbers, lengths, strict=True)):
            raise UsageError(
                f"position {_text(position)}: {self.describe()}; give "
                f"{self._example(unit, self.grid if on_grid else None)}"
            )
        if on_grid and self.grid:
            return (self.special + numbers[0] * self.grid[1] + numbers[1],)
        return tuple(numbers)

    def describe(self) -> str:
        """Describe the positions for people, such as ``norm has 16 tokens in a row``."""
        known = [str(length) for length in self.extent if length is not None]
        sides = "" if self.free else "x".join(known) + " "
        size = "" if self.size is None else f" in images of {self.size[0]}x{self.size[1]}"
        if not self.extent:
            return f"{self.tap} has no positions"
        if len(self.extent) > 1:
            return f"{self.tap} has {sides}positions{size}"
        if self.grid is None:
            return f"{self.tap} has {sides}positions in a row{size}"
        of_map = f", {self.special} special and {self.grid[0]}x{self.grid[1]}{size}"
        return f"{self.tap} has {sides}tokens in a row" + (of_map if self.special else size)

    def _other_form(self, position: Sequence[int], unit: int | None) -> str:
        """Return the message for a position of another number of axes."""
        if self.grid and not self.special and len(position) == 2:
            height, width = self.grid
            y, x = position[0] % height, position[1] % width
            return (
                f"position {_text(position)}: {self.describe()}; give "
                f"{self.tap}:{_unit(unit)}@{y * width + x} for {y},{x} of its {height}x{width} map"
            )
        return f"position {_text(position)}: {self.describe()}; give {self._example(unit)}"

    def _example(self, unit: int | None, grid: tuple[int, int] | None = None) -> str:
        """Return the right form of a target, on the ``grid`` where there is one."""
        name = f"{self.tap}:{_unit(unit)}"
        lengths = grid or self.extent
        ends = ["0 to N" if length is None else f"0 to {length - 1}" for length in lengths]
        if len(ends) == 1:
            on_grid = f", or {name}@y,x of its map" if self.special else ""
            return f"{name}@T with T from {ends[0]}{on_grid}"
        if len(ends) == 2:
            return f"{name}@y,x with y from {ends[0]} and x from {ends[1]}"
        return name


def _text(position: Sequence[int]) -> str:
    return ",".join(map(str, position))


def _unit(unit: int | None) -> str:
    return "UNIT" if unit is None else str(unit)


def positions_of(net: Network, tap: str, size: Size | None = None) -> Positions:
    """Describe the positions of a tap, as far as they are known without a run.

    Args:
        net: The network.
        tap: A name or an alias of a tap.
        size: The (height, width) of images: lengths that depend on it are found by tracing the
            network, once for each tap and size.

    Returns:
        The positions. A row of T tokens has the grid of the nearest map of h x w positions from
        which it is computed, if 0 <= T - h w <= 16; the other tokens are special.

    Raises:
        UsageError: For an unknown tap, and a size that the network does not take.
        ModelError: If the tap cannot be computed from images of this size.

    Example:
        >>> positions_of(net, "blocks.3").grid         # doctest: +SKIP
        (14, 14)
    """
    about = net.taps[tap]
    shape = about.shape or ()
    known = _maps.setdefault(net, {})
    if len(shape) == 3 and about.parts not in known:
        known[about.parts] = tuple(_maps_before(net, about.parts))
    maps = known.get(about.parts, ())
    shapes = [net.program.values[name].shape or () for name in maps]
    free = None in shape[1:-1] or any(None in of_map[1:3] for of_map in shapes)
    if not free:
        return Positions(tap, shape[1:-1], _grid(shape, shapes))
    if size is None:
        return Positions(tap, shape[1:-1], free=True)
    shape, *shapes = traced_shapes(net, (about.name, *maps), size)
    return Positions(tap, shape[1:-1], _grid(shape, shapes), size)


def special_tokens(net: Network, tap: str) -> int:
    """Return the number of special tokens of a tap, which no image size changes."""
    positions = positions_of(net, tap)
    if positions.free and len(positions.extent) == 1:
        height, width = (side or ANY_SIDE for side in net.fixed_size)
        positions = positions_of(net, tap, (height, width))
    return positions.special


_maps: WeakKeyDictionary[Network, dict[tuple[str, ...], tuple[str, ...]]] = WeakKeyDictionary()


def _maps_before(net: Network, parts: Sequence[str]) -> Iterator[str]:
    """Yield the maps that are flattened to rows on the way to a tap, the nearest first.

    Tensors inside of attention, [B, heads, T, d], are flattened as well: their lengths tell.
    """
    values = net.program.values
    seen, queue = set(parts), list(parts)
    for name in queue:
        value = values.get(name)
        if value is None:
            continue
        for source in value.inputs:
            before = values.get(source)
            if before is None or source in seen:
                continue
            seen.add(source)
            queue.append(source)
            if _rank(before.shape) >= 4 > _rank(value.shape):
                yield source


def _rank(shape: Shape | None) -> int:
    return len(shape or ())


def _grid(shape: Shape, maps: Sequence[Shape]) -> tuple[int, int] | None:
    """Return the (height, width) of the map that the tokens of a row [B, T, C] are made from.

    A row that joins several maps, such as the anchors of a detector, has none.
    """
    if len(shape) != 3 or shape[1] is None:
        return None
    tokens = shape[1]
    sides = dict.fromkeys((m[1], m[2]) for m in maps if len(m) >= 4)
    known = [(h, w) for h, w in sides if h is not None and w is not None]
    smaller = [h * w for h, w in known if h * w < tokens]
    if len(smaller) > 1 and sum(smaller) == tokens:
        return None
    fits = (s for s in known if min(s) > 1 and 0 <= tokens - math.prod(s) <= MOST_SPECIAL)
    return next(fits, None)


_shapes: WeakKeyDictionary[Network, dict[tuple[str, Size], Shape]] = WeakKeyDictionary()


def traced_shapes(net: Network, names: Sequence[str], size: Size) -> list[Shape]:
    """Return the shapes of taps for images of a size, each traced once.

    Many are traced faster together than one after the other by :func:`positions_of`.
    """
    known = _shapes.setdefault(net, {})
    missing = [name for name in dict.fromkeys(names) if (name, size) not in known]
    if missing:
        image = net.focused(missing).image_input
        images = tf.TensorSpec([image.rows or 1, *size, image.channels], tf.float32)
        traced = tf.function(lambda x: net.activations(x, missing), autograph=False)
        for name, spec in traced.get_concrete_function(images).structured_outputs.items():
            known[name, size] = tuple(spec.shape.as_list())
    return [known[name, size] for name in names]
