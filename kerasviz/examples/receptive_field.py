"""Find receptive fields: the pixels of the image on which a position of a tap depends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

#: Rows or columns of positions whose gradients are taken in one pass.
BATCH = 8
#: The number of successive random images that add no pixel, after which the search ends.
QUIET = 2
#: The largest number of random images.
MOST_DRAWS = 24
#: The factor of gradients, so that products of many small weights do not vanish.
GAIN = 2.0**40
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
    are separate, each for all positions of a line together, so that a field is a box. Raises what
    :meth:`Network.activations` raises.

    >>> receptive_field(kerasviz.load("efficientnet-lite0"), "stem", (9, 9)).rows  # doctest: +SKIP
    ((0, 3), (2, 5), (4, 7), (6, 9), (8, 9))
    """
    positions = positions_of(net, tap, size)
    channels = net.taps[tap].channels
    if positions.map is None or channels is None:
        row = positions.extent[0] if len(positions.extent) == 1 else 0
        return ReceptiveField(size, ((0, size[0]),), ((0, size[1]),), row or 0)
    height, width = positions.map
    gradient = _gradient(net, positions, size)
    seen = np.zeros((height + width, max(size)), bool)  # rows of positions, then columns
    quiet = 0
    for draw in range(MOST_DRAWS):
        before = int(seen.sum())
        for line, mask in _draw(gradient, (*size, net.channels), (height, width, channels), draw):
            axis = 1 if line < height else 0
            seen[line, : size[1 - axis]] |= mask.any(axis)
        quiet = quiet + 1 if int(seen.sum()) == before else 0
        rows, columns = seen[:height, : size[0]], seen[height:, : size[1]]
        # After attention every position sees the whole image at once.
        whole = all(lines[:, [0, -1]].all() for lines in (rows, columns))
        if quiet == QUIET or whole:
            break
    return ReceptiveField(size, _spans(rows), _spans(columns), positions.special)


def _draw(gradient: Any, image: Shape, maps: Shape, seed: int) -> Iterator[tuple[int, Array]]:
    """Yield every line of positions with a mask [H, W] of the pixels whose gradient is not zero."""
    random = np.random.default_rng(seed)
    count = maps[0] + maps[1]
    for start in range(0, count, BATCH):
        lines = np.arange(start, start + BATCH) % count
        images = random.uniform(0, 1, (BATCH, *image)).astype(np.float32)
        weights = np.zeros((BATCH, *maps), np.float32)
        for weight, line in zip(weights, lines, strict=True):
            kept = _line(weight, int(line))
            kept[:] = random.normal(0, GAIN, kept.shape)
        with tf.device("CPU:0"):  # convolutions by Winograd or Fourier round zeros
            slopes = gradient(images, weights).numpy()
        yield from zip(lines, (slopes != 0).any(-1), strict=True)


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
