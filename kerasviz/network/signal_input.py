"""Describe inputs that take signals, which are embedded into images [B, H, W, C]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.axes import (
    BATCH,
    CHANNEL,
    FEATURE,
    axes_of,
    guessed_axes,
    positions_in,
)
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.inputs import shown
from kerasviz.network.program import Port, Program
from kerasviz.types import Array, Size, Tensor


@dataclass(frozen=True)
class SignalInput:
    """Describe an input that takes signals.

    ``axes`` are the words for its axes in the model's layout; see :mod:`kerasviz.network.axes`. All
    axes of positions but the last are folded into the height of an image, the last is its width.
    The columns of a table are the channels of one pixel. ``rate`` is in Hz.
    """

    port: Port
    axes: tuple[str, ...]
    rate: int | None = None
    medium: ClassVar[str] = "signal"
    noun: ClassVar[str] = "signal"

    @classmethod
    def of(
        cls, port: Port, axes: Sequence[str] | None = None, rate: int | None = None
    ) -> SignalInput | None:
        """Return the signal input that a port is, ``None`` for other inputs.

        Without ``axes`` they are guessed.
        """
        if port.shape is None or port.dtype is None or port.dtype in (tf.bool, tf.string):
            return None
        if not (port.dtype.is_floating or port.as_floats):
            return None
        found = guessed_axes(port) if axes is None else tuple(axes)
        if found is None or len(found) != len(port.shape):
            return None
        signal = cls(port, found, rate)
        return signal if signal._counted is not None else None

    # -- lengths ---------------------------------------------------------------------------------

    @property
    def positions(self) -> tuple[str, ...]:
        """The words for the axes along which a signal extends; none for a table."""
        return positions_in(self.axes)

    @property
    def lengths(self) -> tuple[int | None, ...]:
        """The lengths of these axes, ``None`` where one is free."""
        assert self.port.shape is not None
        pairs = zip(self.axes, self.port.shape, strict=True)
        return tuple(n for axis, n in pairs if axis in self.positions)

    @property
    def size(self) -> tuple[int | None, int | None]:
        """The only (height, width) of the images that it takes, ``None`` for any."""
        *folded, last = self.lengths or (1,)
        height = 1
        for length in folded:
            if length is None:
                return None, last
            height *= length
        return height, last

    def lengths_in(self, size: Size) -> tuple[int, ...]:
        """Return the lengths of the axes of positions in an image of a (height, width).

        Several free lengths in the height are as equal as it allows, the shorter first.
        """
        if not self.positions:
            return ()
        folded = self.lengths[:-1]
        free = [k for k, length in enumerate(folded) if length is None]
        known = math.prod(length for length in folded if length is not None)
        if size[0] % known:
            raise UsageError(
                f"a height of {size[0]} holds no {' x '.join(self.positions[:-1])} of {known}"
            )
        parts = _even_parts(size[0] // known, len(free))
        lengths = list(folded)
        for k, part in zip(free, parts, strict=True):
            lengths[k] = part
        return (*(n for n in lengths if n is not None), size[1])

    def size_of(self, lengths: Sequence[int]) -> Size:
        """Return the (height, width) of the image of a signal of some lengths."""
        return (math.prod(lengths[:-1]), lengths[-1]) if lengths else (1, 1)

    # -- channels and batches --------------------------------------------------------------------

    @property
    def _counted(self) -> int | None:
        """The number of channels, ``None`` where it is free."""
        assert self.port.shape is not None
        axis = next((a for a in (CHANNEL, FEATURE) if a in self.axes), None)
        return 1 if axis is None else self.port.shape[self.axes.index(axis)]

    @property
    def channels(self) -> int:
        """The number of channels, or of the columns of a table; 1 where it has none."""
        return self._counted or 1

    @property
    def batch(self) -> int | None:
        """The number of signals that the file names, ``None`` for any."""
        if not self._has_batch:
            return 1
        return self.port.batch if self.axes[0] == BATCH else self.rows

    @property
    def rows(self) -> int | None:
        """The length of the axis of the signals, ``None`` where it is free; 1 without one."""
        assert self.port.shape is not None
        return self.port.shape[self.axes.index(BATCH)] if self._has_batch else 1

    @property
    def default_spec(self) -> InputSpec | None:
        """The description that follows from the type: none, as signals have any range."""
        return None

    # -- tensors ---------------------------------------------------------------------------------

    def feed(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C], in the network's numbers, as the program takes them.

        Raises ``ValueError`` for several signals where the input takes one.
        """
        own = self.own_layout(images)
        if not self.port.channels_first or own.shape.rank < 3:
            return own
        return tf.transpose(own, [0, *range(2, own.shape.rank), 1])

    def own_layout(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C] in the model's own layout and numbers."""
        images = tf.cast(images, tf.float32 if self.port.as_floats else self.port.dtype)
        x = self._unfolded(images)
        if CHANNEL not in self.axes and FEATURE not in self.axes:
            x = tf.squeeze(x, -1)
        if not self._has_batch:
            if images.shape[0] != 1:
                raise ValueError(f"input {self.port.name!r} takes one signal without a batch axis")
            x = x[0]
        return tf.transpose(x, self._order)

    def _unfolded(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C] as [B, *lengths, C]."""
        count = len(self.positions)
        if count == 2:
            return images
        if count < 2:
            return images[:, 0] if count else images[:, 0, 0]
        lengths = self.lengths_in((images.shape[1], images.shape[2]))
        rows = tf.shape(images)[0] if images.shape[0] is None else images.shape[0]
        return tf.reshape(images, [rows, *lengths, images.shape[3]])

    @property
    def _sorted_axes(self) -> list[int]:
        """The own axes in the order batch, positions, channels."""
        last = [k for k, axis in enumerate(self.axes) if axis in (CHANNEL, FEATURE)]
        first = [k for k, axis in enumerate(self.axes) if axis == BATCH]
        return [*first, *(k for k in range(len(self.axes)) if k not in (*first, *last)), *last]

    @property
    def _order(self) -> list[int]:
        """The permutation from batch, positions, channels to the own axes."""
        return [self._sorted_axes.index(k) for k in range(len(self.axes))]

    def own_shape(self, size: Size, count: int = 1) -> tuple[int, ...]:
        """Return the shape of signals of a size in the model's own layout."""
        known = iter(self.lengths_in(size))
        others = {BATCH: count, CHANNEL: self.channels, FEATURE: self.channels}
        assert self.port.shape is not None
        wanted = [others[axis] if axis in others else next(known) for axis in self.axes]
        return tuple(w if n is None else n for w, n in zip(wanted, self.port.shape, strict=True))

    # -- arrays ----------------------------------------------------------------------------------

    def own_array(self, values: Array) -> Array:
        """Return one signal [H, W, C] in the model's own layout, without the batch axis."""
        return self.without_batch(self.own_layout(tf.constant(values[None])).numpy())

    def without_batch(self, array: Array) -> Array:
        """Return an array of one signal without its batch axis."""
        return array.take(0, self.axes.index(BATCH)) if self._has_batch else array

    @property
    def _has_batch(self) -> bool:
        return BATCH in self.axes

    def _batch_before(self, axis: str) -> int:
        """Return 1 if the batch axis stands before another one, else 0."""
        return int(self._has_batch and self.axes.index(BATCH) < self.axes.index(axis))

    def embedded(self, array: Array) -> Array:
        """Return arrays in the model's own layout as images [B, H, W, C], in its numbers.

        The batch axis, and then that of a single channel, may be left out. Raises
        :class:`UsageError` for other shapes.
        """
        x, count = array, len(self.axes)
        if CHANNEL in self.axes and self.channels == 1 and x.ndim == count - 1 - self._has_batch:
            x = np.expand_dims(x, self.axes.index(CHANNEL) - self._batch_before(CHANNEL))
        if self._has_batch and x.ndim == count - 1:
            x = np.expand_dims(x, self.axes.index(BATCH))
        if x.ndim != count:
            raise UsageError(
                f"an array of {array.ndim} axes: input {shown([self.port])} has the axes "
                f"{','.join(self.axes)}"
            )
        x = x.transpose(self._sorted_axes)
        x = x if self._has_batch else x[None]
        x = x if CHANNEL in self.axes or FEATURE in self.axes else x[..., None]
        if x.shape[-1] != self.channels:
            raise UsageError(
                f"an array of {x.shape[-1]} channels: input {shown([self.port])} has "
                f"{self.channels}"
            )
        lengths = x.shape[1:-1]
        return x.reshape(len(x), *self.size_of(lengths), x.shape[-1])


def _even_parts(product: int, count: int) -> list[int]:
    """Return ``count`` whole numbers with a product, as equal as it allows, the smaller first.

    >>> _even_parts(36, 2), _even_parts(24, 2), _even_parts(7, 1), _even_parts(1, 0)
    ([6, 6], [4, 6], [7], [])
    """
    if not count:
        return []
    if count == 1:
        return [product]
    side = int(product ** (1 / count) + 1e-9)
    part = next(n for n in range(max(side, 1), 0, -1) if product % n == 0)
    return [part, *_even_parts(product // part, count - 1)]


def signal_inputs(
    program: Program, axes: str | None = None, rate: int | None = None
) -> list[SignalInput]:
    """Return the inputs of a program that take signals of some axes, by default the likely ones.

    Raises :class:`UsageError` if axes are given, and no input has as many.
    """
    wanted = None if axes is None else axes_of(axes)
    ports = list(program.inputs.values())
    found = [signal for port in ports if (signal := SignalInput.of(port, wanted, rate))]
    if wanted is not None and not found:
        raise UsageError(
            f"axes {axes!r}: no input of floats has {len(wanted)} axes and a fixed number of "
            f"channels; inputs: {shown(ports)}"
        )
    return found
