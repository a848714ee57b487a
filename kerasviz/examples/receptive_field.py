"""Find receptive fields: the pixels of the image on which a position of a tap depends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.network.positions import Positions, positions_of
from kerasviz.network.program import Kernels
from kerasviz.types import Array

#: A half-open interval of pixels.
Span = tuple[int, int]
#: Height, width and channels.
Shape = tuple[int, int, int]
#: Lines of positions of one axis: rows, or columns counted after the rows.
Group = tuple[int, ...]

#: Rows or columns of positions whose gradients are taken in one pass.
BATCH = 8
#: The number of successive random images that add no pixel, after which the search ends.
QUIET = 2
#: The largest number of random images.
MOST_DRAWS = 24
#: The factor of gradients, so that products of many small weights do not vanish.
GAIN = 2.0**40
#: Lines between those that are looked at together, more than what they see reaches.
APART = 3
#: The slope of rectifiers below 0.
SLOPE = 1e-2


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _open_relu(x: Any) -> Any:
    return tf.nn.leaky_relu(x, SLOPE), lambda g: g


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _open_relu6(x: Any) -> Any:
    return tf.nn.leaky_relu(tf.minimum(x, 6.0), SLOPE) + SLOPE * x, lambda g: g


#: Rectifiers through which every gradient passes, so that inactive units count, too. They are
#: strictly increasing: of equal numbers a maximum would always take the first.
OPEN = Kernels(_open_relu, _open_relu6)


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels of an image of ``size`` (height, width) on which positions of a tap depend.

    ``rows[y]`` and ``columns[x]`` are half-open intervals of pixels, cut off at the image's border.
    A tap without positions has one field, the image. The first ``special`` positions are not on a
    map and see the image as a whole: class tokens, or all positions of a row without a map.
    """

    size: tuple[int, int]
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    special: int = 0

    @property
    def side(self) -> int:
        """The side of the square :meth:`window` in pixels: the longest of all fields."""
        return max(high - low for low, high in (*self.rows, *self.columns))

    def place(self, number: int) -> tuple[int, int]:
        """Return (y, x) of a position that is counted row by row, (-1, number) off the map."""
        if number < self.special:
            return -1, number
        return divmod(number - self.special, len(self.columns))

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """Return the field of a position: (top, left, bottom, right), the last two excluded."""
        if y < 0:
            return 0, 0, *self.size
        (top, bottom), (left, right) = self.rows[y], self.columns[x]
        return top, left, bottom, right

    def window(self, y: int, x: int) -> tuple[int, int, int, int]:
        """Return a box of the same size for all positions, within the image, around :meth:`box`.

        It is a square of :attr:`side` pixels, or less in a smaller image. At the border it extends
        farther inwards.
        """
        height, width = self.size
        if y < 0:
            return 0, 0, height, width
        top, bottom = _window(self.rows[y], self.side, height)
        left, right = _window(self.columns[x], self.side, width)
        return top, left, bottom, right

    @property
    def alike(self) -> bool:
        """Whether all positions of a map see the same pixels, so that crops do not tell them."""
        several = len(self.rows) * len(self.columns) > 1
        return several and len(set(self.rows)) == len(set(self.columns)) == 1

    def outline(self, y: int, x: int, corner: tuple[int, int], side: int) -> str:
        """Return the outline of a position in its crop, as a path of SVG.

        ``corner`` (x, y) and ``side`` are those of the crop in the drawing. It is "" where the crop
        itself tells the position, and off the map.
        """
        if y < 0 or not self.alike:
            return ""
        top, left, bottom, right = self.window(y, x)
        scale = side / max(bottom - top, right - left)
        (low, high), (first, last) = self.rows[y], self.columns[x]
        down, across = (high - low) / len(self.rows), (last - first) / len(self.columns)
        middle = (side - (right - left) * scale) / 2, (side - (bottom - top) * scale) / 2
        x0 = corner[0] + middle[0] + (first - left + x * across) * scale
        y0 = corner[1] + middle[1] + (low - top + y * down) * scale
        width, height = f"{across * scale:.0f}", f"{down * scale:.0f}"
        return f"M{x0:.0f} {y0:.0f}h{width}v{height}h-{width}z"

    def to_json(self) -> dict[str, Any]:
        """Return the field as plain data."""
        return {
            "size": list(self.size),
            "rows": [list(span) for span in self.rows],
            "columns": [list(span) for span in self.columns],
            **({"special": self.special} if self.special else {}),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ReceptiveField:
        """Make a field from plain data."""
        rows, columns = ([(int(a), int(b)) for a, b in data[k]] for k in ("rows", "columns"))
        height, width = (int(side) for side in data["size"])
        return cls((height, width), tuple(rows), tuple(columns), int(data.get("special", 0)))


def _window(span: Span, side: int, length: int) -> Span:
    """Return an interval of ``side`` pixels (or all ``length``) that contains a span.

    >>> _window((0, 5), 8, 32), _window((10, 18), 8, 32), _window((28, 32), 8, 32)
    ((0, 8), (10, 18), (24, 32))
    """
    low, high = span
    side = min(side, length)
    # A span that begins at the border is cut off at its start: its end stays.
    start = low if low > 0 else high - side
    start = min(max(start, 0), length - side)
    return start, start + side


def receptive_field(net: Network, tap: str, size: tuple[int, int]) -> ReceptiveField:
    """Find the fields of all positions of a tap in images of ``size`` (height, width).

    Tokens have the positions of the map that they are made from; see :mod:`network.positions`.
    A pixel belongs to a field if the gradient of the position, its channels weighted at random, is
    not zero at a random image. Rectifiers pass all gradients. Images are drawn until two in turn
    add nothing, because a maximum passes its gradient to one of its inputs only. Rows and columns
    are separate, each for all positions of a line together, so that a field is a box. Lines that
    see pixels far apart are looked at together, as long as these can be told apart. Raises what
    :meth:`Network.activations` raises.

    >>> receptive_field(kerasviz.load("efficientnet-lite0"), "stem", (9, 9)).rows  # doctest: +SKIP
    ((0, 3), (2, 5), (4, 7), (6, 9), (8, 9))
    """
    positions = positions_of(net, tap, size)
    channels = net.taps[tap].channels
    if positions.map is None or channels is None:
        row = positions.extent[0] if len(positions.extent) == 1 else 0
        return ReceptiveField(size, ((0, size[0]),), ((0, size[1]),), row or 0)
    maps = (*positions.map, channels)
    seen = _Seen(_gradient(net, positions, size), (*size, net.channels), maps)
    if not seen.look(_lines_apart(seen)):
        seen.forget()
        seen.look([(line,) for line in range(len(seen.lines))])
    return ReceptiveField(size, _spans(seen.rows), _spans(seen.columns), positions.special)


class _Seen:
    """The pixels that lines of positions see: ``lines`` has rows of positions, then columns.

    ``gradient`` takes images of the shape ``image`` and weights of the shape ``maps``.
    """

    def __init__(self, gradient: Any, image: Shape, maps: Shape):
        self.gradient, self.image, self.maps = gradient, image, maps
        self.lines = np.zeros((maps[0] + maps[1], max(image[:2])), bool)

    @property
    def rows(self) -> Array:
        """The pixels [h, H] that rows of positions see."""
        found: Array = self.lines[: self.maps[0], : self.image[0]]
        return found

    @property
    def columns(self) -> Array:
        """The pixels [w, W] that columns of positions see."""
        found: Array = self.lines[self.maps[0] :, : self.image[1]]
        return found

    def forget(self) -> None:
        """Forget all pixels."""
        self.lines[:] = False

    def look(self, groups: Sequence[Group], most: int | None = None) -> bool:
        """Draw images until two in turn add nothing; each group of lines is looked at together.

        Returns whether what each line of a group sees could be told from what the others see.
        """
        quiet = 0
        for seed in range(most or MOST_DRAWS):
            before = int(self.lines.sum())
            for group, pixels in self._draw(groups, seed):
                if not self._add(group, pixels):
                    return False
            quiet = quiet + 1 if int(self.lines.sum()) == before else 0
            # After attention every position sees the whole image at once.
            whole = all(lines[:, [0, -1]].all() for lines in (self.rows, self.columns))
            if quiet == QUIET or whole:
                break
        return True

    def _add(self, group: Group, pixels: Array) -> bool:
        """Add the pixels that some lines see: of several lines each has a run of its own."""
        if len(group) == 1:
            self.lines[group[0], : len(pixels)] |= pixels
            return True
        runs = _runs(pixels)
        for line, (low, high) in zip(group, runs, strict=False):
            self.lines[line, low:high] = True
        return len(runs) == len(group)

    def _draw(self, groups: Sequence[Group], seed: int) -> Iterator[tuple[Group, Array]]:
        """Yield every group with a mask of the pixels, along its axis, whose gradient is not 0."""
        random = np.random.default_rng(seed)
        for start in range(0, len(groups), BATCH):
            some = [groups[k % len(groups)] for k in range(start, start + BATCH)]
            images = random.uniform(0, 1, (BATCH, *self.image)).astype(np.float32)
            weights = np.zeros((BATCH, *self.maps), np.float32)
            for weight, group in zip(weights, some, strict=True):
                for line in group:
                    kept = _line(weight, line)
                    kept[:] = random.normal(0, GAIN, kept.shape)
            with tf.device("CPU:0"):  # convolutions by Winograd or Fourier round zeros
                slopes = self.gradient(images, weights).numpy()
            masks = (slopes != 0).any(-1)
            for group, mask in zip(some, masks, strict=True):
                yield group, mask.any(1 if group[0] < self.maps[0] else 0)


def _lines_apart(seen: _Seen) -> list[Group]:
    """Return all lines, in groups of those that see pixels far apart.

    Three lines of each axis, which are looked at alone, tell how far that is. Lines of an axis that
    all see the whole image are known then.
    """
    groups: list[Group] = []
    height, width = seen.maps[:2]
    probes = {0: (0, height // 2, height - 1), 1: (0, width // 2, width - 1)}
    seen.look([(height * axis + line,) for axis, lines in probes.items() for line in lines], 1)
    for axis, pixels in enumerate((seen.rows, seen.columns)):
        count, first = len(pixels), height * axis
        spans = [_spans(pixels[line : line + 1])[0] for line in probes[axis]]
        if all(pixels[line, [0, -1]].all() for line in probes[axis]):
            pixels[:] = True  # what lies between sees all, too
            continue
        stride = pixels.shape[1] / count
        longest = max(high - low for low, high in spans)
        step = math.ceil(longest / stride + APART)
        if 2 * step > count or not _in_order(spans, longest + 2 * stride):
            step = count
        groups += [tuple(range(first + k, first + count, step)) for k in range(step)]
    return groups


def _in_order(spans: Sequence[Span], slack: float) -> bool:
    """Return whether the spans of the first, middle and last line lie so in an image.

    They do not where all is seen, and in maps that are turned round, rolled or shuffled.
    """
    first, middle, last = (low + high for low, high in spans)
    return all(a < b for a, b in pairwise((first, middle, last))) and (
        abs(first + last - 2 * middle) <= 2 * slack
    )


def _runs(mask: Array) -> list[Span]:
    """Return the intervals of a mask [N] of booleans that are true.

    >>> _runs(np.array([1, 1, 0, 0, 1], bool))
    [(0, 2), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(low), int(high)) for low, high in edges.reshape(-1, 2)]


def _line(weight: Array, line: int) -> Array:
    """Return a line of weights [h, w, C] as a view: a row, or a column, counted after the rows."""
    height = weight.shape[0]
    found: Array = weight[line] if line < height else weight[:, line - height]
    return found


def _gradient(net: Network, positions: Positions, size: tuple[int, int]) -> Any:
    """Compile the gradient, by images [B, H, W, C], of a weighted sum over a map [h, w, C]."""
    tap = positions.tap
    signature = [
        tf.TensorSpec((BATCH, *size, net.channels), tf.float32),
        tf.TensorSpec((BATCH, None, None, None), tf.float32),
    ]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def gradient(images: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            maps = positions.on_map(net.activations(images, [tap], kernels=OPEN)[tap])
            score = tf.reduce_sum(tf.cast(maps, tf.float32) * weights)
        return tape.gradient(score, images, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return gradient


def _spans(seen: Array) -> tuple[Span, ...]:
    """Return the interval of each row of a mask; all of it for an empty row."""
    spans = []
    for mask in seen:
        (pixels,) = np.nonzero(mask)
        spans.append((int(pixels[0]), int(pixels[-1]) + 1) if pixels.size else (0, len(mask)))
    return tuple(spans)


def fields_at(
    net: Network, tap: str, size: tuple[int, int], points: Sequence[tuple[int, int]]
) -> list[tuple[int, int, int, int]]:
    """Find the fields of some positions (y, x) of the map of a tap, faster than those of all.

    Returns (top, left, bottom, right) of each, the last two excluded. See :func:`receptive_field`.
    """
    positions = positions_of(net, tap, size)
    channels = net.taps[tap].channels
    if positions.map is None or channels is None:
        return [(0, 0, *size)] * len(points)
    gradient = _gradient(net, positions, size)
    random = np.random.default_rng(0)
    images = random.uniform(0, 1, (BATCH, *size, net.channels)).astype(np.float32)
    fields = []
    for y, x in points:
        weights = np.zeros((BATCH, *positions.map, channels), np.float32)
        weights[:, y, x] = random.normal(0, GAIN, (BATCH, channels))
        with tf.device("CPU:0"):
            slopes = gradient(images, weights).numpy()
        seen = (slopes != 0).any((0, -1))
        ((top, bottom),), ((left, right),) = (_spans(seen.any(axis)[None]) for axis in (1, 0))
        fields.append((top, left, bottom, right))
    return fields
