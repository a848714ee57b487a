"""Receptive fields: which pixels of the image a position of a tap can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.network.program import Kernels
from kerasviz.types import Array

__all__ = ["ReceptiveField", "receptive_field"]

Span = tuple[int, int]

#: Rows or columns of positions whose gradients are taken in one pass.
BATCH = 8
#: Random images are taken until this many in turn add nothing, and at most so many.
QUIET, MOST_DRAWS = 2, 24
#: The gradients are this much larger, so that products of many small weights do not vanish.
GAIN = 2.0**40
#: Of the rectifiers below 0.
SLOPE = 1e-2


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _open_relu(x: Any) -> Any:
    return tf.nn.leaky_relu(x, SLOPE), lambda g: g


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _open_relu6(x: Any) -> Any:
    return tf.nn.leaky_relu(tf.minimum(x, 6.0), SLOPE) + SLOPE * x, lambda g: g


#: Rectifiers through which every gradient passes: a unit that is off sees its pixels all the same.
#: They do not set different numbers equal, of which a maximum would always take the first.
OPEN = Kernels(_open_relu, _open_relu6)


@dataclass(frozen=True)
class ReceptiveField:
    """What the positions of a tap see of an image of ``size`` (height, width).

    ``rows[y]`` and ``columns[x]`` are half-open intervals of pixels, cut off at the image's border.
    A tap without positions has one that sees all.
    """

    size: tuple[int, int]
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def side(self) -> int:
        """The side of the square that :meth:`window` gives: the largest field's longer one."""
        return max(high - low for low, high in (*self.rows, *self.columns))

    def place(self, number: int) -> tuple[int, int]:
        """(y, x) of a position that is counted row by row."""
        return divmod(number, len(self.columns))

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """What a position sees: (top, left, bottom, right), the last two not included."""
        (top, bottom), (left, right) = self.rows[y], self.columns[x]
        return top, left, bottom, right

    def window(self, y: int, x: int) -> tuple[int, int, int, int]:
        """A box of the same size for all positions, within the image, that holds :meth:`box`.

        At the border, where a field is cut off, it reaches farther inwards. It is a square of
        :attr:`side` pixels, less where the image is smaller.
        """
        height, width = self.size
        top, bottom = _window(self.rows[y], self.side, height)
        left, right = _window(self.columns[x], self.side, width)
        return top, left, bottom, right

    def to_json(self) -> dict[str, Any]:
        """The field as plain data."""
        return {
            "size": list(self.size),
            "rows": [list(span) for span in self.rows],
            "columns": [list(span) for span in self.columns],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ReceptiveField:
        """Make a field from plain data."""
        rows, columns = ([(int(a), int(b)) for a, b in data[k]] for k in ("rows", "columns"))
        return cls((int(data["size"][0]), int(data["size"][1])), tuple(rows), tuple(columns))


def _window(span: Span, side: int, length: int) -> Span:
    """An interval of ``side`` pixels (or all ``length``) that holds a span.

    >>> _window((0, 5), 8, 32), _window((10, 18), 8, 32), _window((28, 32), 8, 32)
    ((0, 8), (10, 18), (24, 32))
    """
    low, high = span
    side = min(side, length)
    # A span that begins at the border is cut off there: it keeps its end.
    start = low if low > 0 else high - side
    start = min(max(start, 0), length - side)
    return start, start + side


def receptive_field(net: Network, tap: str, size: tuple[int, int]) -> ReceptiveField:
    """Find what every position of a tap sees in images of ``size`` (height, width).

    A pixel is seen where the gradient of a position, all channels weighted at random, is not zero
    at a random image. Rectifiers let all gradients pass, and images are drawn until two in turn
    add nothing: a maximum hands its gradient to one of its inputs only. Rows and columns are found
    apart, from all positions of a row and of a column together, so a field is a box. Raises what
    :meth:`Network.activations` raises.

    >>> receptive_field(kerasviz.load("efficientnet-lite0"), "stem", (9, 9)).rows  # doctest: +SKIP
    ((0, 3), (2, 5), (4, 7), (6, 9), (8, 9))
    """
    shape = net.activations(tf.zeros((1, *size, net.channels)), [tap])[tap].shape
    if shape.rank != 4:
        return ReceptiveField(size, ((0, size[0]),), ((0, size[1]),))
    height, width, channels = shape[1:]
    gradient = _gradient(net, tap, size)
    seen = np.zeros((height + width, max(size)), bool)  # rows of positions, then columns
    quiet = 0
    for draw in range(MOST_DRAWS):
        random = np.random.default_rng(draw)
        before = int(seen.sum())
        for start in range(0, height + width, BATCH):
            lines = np.arange(start, start + BATCH) % (height + width)
            images = random.uniform(0, 1, (BATCH, *size, net.channels)).astype(np.float32)
            weights = random.normal(0, GAIN, (BATCH, height, width, channels)).astype(np.float32)
            for weight, line in zip(weights, lines, strict=True):
                _keep_line(weight, int(line))
            with tf.device("CPU:0"):  # a convolution by Winograd's or Fourier's way leaves a trace
                found = gradient(images, weights).numpy()
            for line, mask in zip(lines, (found != 0).any(-1), strict=True):
                across = mask.any(1 if line < height else 0)
                seen[line, : len(across)] |= across
        quiet = quiet + 1 if int(seen.sum()) == before else 0
        if quiet == QUIET:
            break
    rows, columns = seen[:height, : size[0]], seen[height:, : size[1]]
    return ReceptiveField(size, _spans(rows), _spans(columns))


def _keep_line(weight: Array, line: int) -> None:
    """Set weights [h, w, C] to 0 outside a row, or a column: these are counted after the rows."""
    height = weight.shape[0]
    if line < height:
        weight[:line] = weight[line + 1 :] = 0
    else:
        weight[:, : line - height] = weight[:, line - height + 1 :] = 0


def _gradient(net: Network, tap: str, size: tuple[int, int]) -> Any:
    """A compiled gradient, by images [B, H, W, C], of a tap's weighted sum over positions."""
    signature = [
        tf.TensorSpec((BATCH, *size, net.channels), tf.float32),
        tf.TensorSpec((BATCH, None, None, None), tf.float32),
    ]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def gradient(images: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            maps = net.activations(images, [tap], kernels=OPEN)[tap]
            score = tf.reduce_sum(tf.cast(maps, tf.float32) * weights)
        return tape.gradient(score, images, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return gradient


def _spans(seen: Array) -> tuple[Span, ...]:
    """The interval of each row of a mask; all of it where nothing is seen."""
    spans = []
    for mask in seen:
        (there,) = np.nonzero(mask)
        spans.append((int(there[0]), int(there[-1]) + 1) if there.size else (0, len(mask)))
    return tuple(spans)
