"""Layouts: where the channels of a value lie, and how values of both kinds meet.

An ONNX model has the channels first ([N, C, H, W]); TensorFlow on a CPU wants them last. Every
value is therefore *tagged*: a ``LayoutTensor`` is in the model's own layout, or *moved*, with
axis 1 behind all others. Converters work on the stored tensor and map their axes; only those that
mix axes (reshape, matrix products) ask for ``model_layout``. Nothing is guessed from shapes.

What is reshaped on the way to a product with weights, or to shuffle its channels, need not be
transposed for it: it is tagged :class:`Interleaved`, and the weights are permuted instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.types import Array, Tensor

__all__ = [
    "Constant",
    "DataDependent",
    "EmptyOptional",
    "Interleaved",
    "LayoutTensor",
    "OnnxValue",
    "Quantized",
    "SequenceValue",
    "TensorValue",
    "aligned",
    "cast",
    "channels_last",
    "float_type",
    "model_layout",
    "model_shape",
    "packed",
    "rank_of",
    "stored_axis",
    "to_first",
    "to_last",
]


@dataclass(frozen=True)
class LayoutTensor:
    """A computed tensor; ``moved`` says that its axis 1 is stored behind all others."""

    tensor: Tensor
    channels_last: bool = False


@dataclass(frozen=True)
class Quantized(LayoutTensor):
    """A tensor of quantized numbers, with the same numbers in floating point as ``codes``.

    Whole numbers have no gradient; through ``codes`` it passes the rounding unchanged, and is 0
    where the range ends. ``scale`` and ``zero`` say what the codes stand for, where that is known
    and the same for all of them.
    """

    float_codes: Tensor = None
    scale: Tensor = None
    zero: Tensor = None

    def real(self) -> Tensor:
        """The numbers that the codes stand for in float32, the codes where that is not known."""
        if self.scale is None:
            return tf.cast(self.float_codes, tf.float32)
        codes = self.float_codes if self.zero is None else self.float_codes - self.zero
        return codes * self.scale


class Constant:
    """An array known before the run, in the model's own layout.

    Every form in which it is needed (transposed kernel, channels last ...) is made once in numpy
    and kept as one eager tensor, which all traced functions then share.
    """

    def __init__(self, array: Array):
        self.array = array
        self._forms: dict[Any, Tensor] = {}

    def tensor(self, form: Any = "own", make: Callable[[Array], Array] | None = None) -> Tensor:
        """Return the eager tensor of ``make(array)``, made at the first call for ``form``."""
        if form not in self._forms:
            array = self.array if make is None else make(self.array)
            with tf.init_scope():  # outside of any function that is being traced
                made = tf.constant(np.ascontiguousarray(array).reshape(array.shape))
                if not tf.executing_eagerly():  # a plain graph of TensorFlow 1: not to be kept
                    return made
            self._forms[form] = made
        return self._forms[form]

    def cast(self, dtype: Any) -> Constant:
        """The array in another type, with forms of its own; made once."""
        key = ("cast", dtype)
        if key not in self._forms:
            self._forms[key] = Constant(self.array.astype(dtype.as_numpy_dtype))
        found: Constant = self._forms[key]
        return found


@dataclass(frozen=True)
class Interleaved:
    """A reshaped value whose entries still lie as when it was moved: those of a pixel together.

    The model cuts [N, C, S] into other axes than the channels and the S pixels. Either ``parts``
    is 0 and it is a matrix [N, C * S], stored as [N, S * C]. Or its channels are cut into
    ``parts`` axes, which are stored behind all others: [N, g, C / g, H, W] as [N, H, W, g, C / g].
    Only converters that are registered for it are given one.
    """

    tensor: Tensor
    channels: int
    parts: int = 0

    def stored_axis(self, axis: int) -> int:
        """Where the model's axis ``axis`` is stored, if there are ``parts``."""
        if axis == 0:
            return 0
        rank = self.tensor.shape.rank
        return int(rank - self.parts - 1 + axis if axis <= self.parts else axis - self.parts)

    def lengths(self) -> list[Any]:
        """The shape in the model's own layout, as of :func:`model_shape`."""
        found = model_shape(LayoutTensor(self.tensor))
        return [found[self.stored_axis(k)] for k in range(len(found))] if self.parts else found

    def planar(self) -> LayoutTensor:
        """The value in the model's own layout."""
        if self.parts:
            rank = self.tensor.shape.rank
            return LayoutTensor(
                _transposed(self.tensor, [self.stored_axis(k) for k in range(rank)])
            )
        count, width = self.lengths()
        pixels = [-1 if isinstance(width, int) else count, width // self.channels, self.channels]
        turned = _transposed(tf.reshape(self.tensor, packed(pixels)), [0, 2, 1])
        return LayoutTensor(tf.reshape(turned, packed([pixels[0], width])))


@dataclass(frozen=True)
class SequenceValue:
    """A sequence: its values in order. How many there are is known when a function is traced."""

    items: tuple[OnnxValue, ...]


@dataclass(frozen=True)
class EmptyOptional:
    """An optional value that is not there; one that is there is the value itself."""


#: A tensor; and whatever a value of ONNX can be.
TensorValue = LayoutTensor | Constant
OnnxValue = LayoutTensor | Constant | Interleaved | SequenceValue | EmptyOptional


def float_type(datum: OnnxValue | None) -> Any:
    """The type of a value that can be cast to another one for floating-point numbers, or none."""
    if isinstance(datum, Constant):
        return tf.float32 if datum.array.dtype == np.float32 else None
    if isinstance(datum, Quantized) or not isinstance(datum, LayoutTensor | Interleaved):
        return None
    return datum.tensor.dtype


def cast(datum: Any, dtype: Any) -> Any:
    """A value that has a :func:`float_type` in another one."""
    if isinstance(datum, Constant):
        return datum.cast(dtype)
    return replace(datum, tensor=tf.cast(datum.tensor, dtype))


class DataDependent(ValueError):
    """What a trace must know (an axis, a number of axes) depends on the data.

    It is known when the model is run eagerly; the description of the model leaves it open.
    """


def to_last(rank: int) -> list[int]:
    """The permutation from channels first to channels last.

    >>> to_last(4), to_first(4)
    ([0, 2, 3, 1], [0, 3, 1, 2])
    """
    return [0, *range(2, rank), 1]


def to_first(rank: int) -> list[int]:
    """The permutation from channels last to channels first."""
    return [0, rank - 1, *range(1, rank - 1)]


def rank_of(operand: TensorValue) -> int:
    """The number of axes, which every value must have fixed."""
    if isinstance(operand, Constant):
        return operand.array.ndim
    rank = operand.tensor.shape.rank
    if rank is None:
        raise DataDependent("the number of axes of a value depends on the data")
    return int(rank)


def stored_axis(axis: int, rank: int, moved: bool) -> int:
    """Where the model's axis ``axis`` (negative counts from the end) is stored.

    >>> [stored_axis(a, 4, True) for a in (0, 1, 2, 3, -1)]
    [0, 3, 1, 2, 2]
    """
    axis = axis + rank if axis < 0 else axis
    if not 0 <= axis < rank:
        raise ValueError(f"axis {axis} is outside of a value with {rank} axes")
    return to_last(rank).index(axis) if moved and rank > 2 else axis


def _transposed(tensor: Tensor, order: list[int]) -> Tensor:
    """A transpose, or a cheaper reshape where only axes of length 1 change their place."""
    if order == sorted(order):
        return tensor
    shape = tensor.shape.as_list()
    long = [axis for axis in order if shape[axis] != 1]
    if long != sorted(long):
        return tf.transpose(tensor, order)
    squeezed = tf.squeeze(tensor, [a for a in range(len(shape)) if shape[a] == 1])
    for place, axis in enumerate(order):
        if shape[axis] == 1:
            squeezed = tf.expand_dims(squeezed, place)
    return squeezed


def model_layout(operand: TensorValue | Interleaved) -> Tensor:
    """The tensor in the model's own layout."""
    if isinstance(operand, Constant):
        return operand.tensor()
    if isinstance(operand, Interleaved):
        return operand.planar().tensor
    rank = rank_of(operand) if operand.channels_last else 0
    return _transposed(operand.tensor, to_first(rank)) if rank > 2 else operand.tensor


def channels_last(operand: TensorValue) -> Tensor:
    """The tensor with axis 1 behind all others; unchanged if it has fewer than three axes."""
    rank = rank_of(operand)
    if isinstance(operand, Constant):
        return operand.tensor("last", lambda a: a.transpose(to_last(rank)) if rank > 2 else a)
    if operand.channels_last or rank < 3:
        return operand.tensor
    return _transposed(operand.tensor, to_last(rank))


def aligned(operands: Sequence[TensorValue]) -> tuple[list[Tensor], bool]:
    """The operands of an elementwise operation in one layout, and whether that is the moved one.

    Shapes are broadcast from the right in the model's layout, so an operand with fewer axes gets
    its leading ones before it is moved: [C, 1, 1] becomes [1, 1, 1, C].
    """
    ranks = [rank_of(o) for o in operands]
    rank = max(ranks)
    moved = any(
        isinstance(o, LayoutTensor) and o.channels_last and r == rank
        for o, r in zip(operands, ranks, strict=True)
    )
    if not moved or rank < 3:
        return [model_layout(o) for o in operands], False
    return [_moved_to_rank(o, rank) for o in operands], True


def _moved_to_rank(operand: TensorValue, rank: int) -> Tensor:
    if isinstance(operand, Constant):

        def spread(array: Array) -> Array:
            if array.size == 1:
                return array.reshape(())
            wide = array.reshape((1,) * (rank - array.ndim) + array.shape)
            return wide.transpose(to_last(rank))

        return operand.tensor(("last", rank), spread)
    if operand.channels_last and rank_of(operand) == rank:
        return operand.tensor
    tensor = model_layout(operand)
    if tensor.shape.rank == 0:
        return tensor
    for _ in range(rank - tensor.shape.rank):
        tensor = tf.expand_dims(tensor, 0)
    return channels_last(LayoutTensor(tensor))


def model_shape(operand: TensorValue) -> list[Any]:
    """The shape in the model's own layout: an int where it is known, else a scalar int64 tensor."""
    if isinstance(operand, Constant):
        return list(operand.array.shape)
    rank = rank_of(operand)
    static = operand.tensor.shape.as_list()
    if None in static:
        dynamic = tf.shape(operand.tensor, out_type=tf.int64)
        static = [dynamic[k] if n is None else n for k, n in enumerate(static)]
    return [static[k] for k in to_first(rank)] if operand.channels_last and rank > 2 else static


def packed(lengths: Sequence[Any]) -> Tensor:
    """A shape of ints and scalar tensors as one thing that TensorFlow takes as a shape."""
    if all(isinstance(n, int) for n in lengths):
        return np.asarray(lengths, np.int64)
    return tf.stack([tf.cast(n, tf.int64) for n in lengths])
