"""Tag every value with its layout, so that few tensors have to be transposed.

An ONNX model has its channels first ([N, C, H, W]); TensorFlow on a CPU wants them last. A
:class:`LayoutTensor` therefore says whether it is stored in the model's layout or with axis 1
behind all others. Converters work on the stored tensor and map their axes; only those that mix axes
(reshape, matrix products) ask for :func:`model_layout`. Nothing is guessed from shapes.

A value that is reshaped for a product with weights or for a channel shuffle is not transposed: it
becomes :class:`Interleaved`, and the weights are permuted instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.types import Array, Tensor


@dataclass(frozen=True)
class LayoutTensor:
    """Hold a computed tensor; ``channels_last`` says that axis 1 is stored behind all others."""

    tensor: Tensor
    channels_last: bool = False

    @cached_property
    def _lengths(self) -> list[Any]:
        return _stored_lengths(self.tensor)

    def stored_lengths(self) -> list[Any]:
        """Return the stored shape, with scalar int64 tensors for unknown lengths."""
        # What the body of a loop computes cannot be used around it.
        graph = getattr(self.tensor, "graph", None)  # an eager tensor has none
        own = graph is not None and graph is tf.compat.v1.get_default_graph()
        return self._lengths if own else _stored_lengths(self.tensor)


@dataclass(frozen=True)
class Quantized(LayoutTensor):
    """Hold quantized numbers, and the same numbers in floating point as ``float_codes``.

    Integers have no gradient. Through ``float_codes`` the gradient passes the rounding unchanged,
    and is 0 where a number was clipped. ``scale`` and ``zero`` turn codes into real numbers; they
    are ``None`` where they are unknown or differ between the entries.
    """

    float_codes: Tensor = None
    scale: Tensor = None
    zero: Tensor = None

    def real(self) -> Tensor:
        """Return the real numbers of the codes in float32, or the codes if the scale is unknown."""
        if self.scale is None:
            return tf.cast(self.float_codes, tf.float32)
        codes = self.float_codes if self.zero is None else self.float_codes - self.zero
        return codes * self.scale


class Constant:
    """Hold an array that is known before the run, in the model's layout.

    Every form of it (a transposed kernel, channels last ...) is computed once in numpy and kept as
    an eager tensor, which all traced functions share.
    """

    def __init__(self, array: Array):
        self.array = array
        self._forms: dict[Any, Tensor] = {}

    def tensor(self, form: Any = "model", make: Callable[[Array], Array] | None = None) -> Tensor:
        """Return the eager tensor of ``make(array)``, computed at the first call for ``form``."""
        if form not in self._forms:
            array = self.array if make is None else make(self.array)
            with tf.init_scope():  # outside of any function that is being traced
                tensor = tf.constant(np.ascontiguousarray(array).reshape(array.shape))
                if not tf.executing_eagerly():  # a graph of TensorFlow 1 owns its tensors
                    return tensor
            self._forms[form] = tensor
        return self._forms[form]

    def cast(self, dtype: Any) -> Constant:
        """Return the constant in another type, converted once."""
        key = ("cast", dtype)
        if key not in self._forms:
            self._forms[key] = Constant(self.array.astype(dtype.as_numpy_dtype))
        constant: Constant = self._forms[key]
        return constant


@dataclass(frozen=True)
class Interleaved:
    """Hold a reshaped value that is still stored with the channels of a pixel together.

    The model reshapes [N, C, S] into axes that are no longer the C channels and the S pixels. With
    ``parts`` 0 the value is a matrix [N, C * S], stored as [N, S * C]. Otherwise its channels are
    cut into ``parts`` axes, stored behind all others: [N, g, C / g, H, W] as [N, H, W, g, C / g].
    Only converters registered with ``interleaved`` receive one.
    """

    tensor: Tensor
    channels: int
    parts: int = 0

    def stored_axis(self, axis: int) -> int:
        """Return where the model's axis ``axis`` is stored, if there are ``parts``."""
        if axis == 0:
            return 0
        rank = self.tensor.shape.rank
        return int(rank - self.parts - 1 + axis if axis <= self.parts else axis - self.parts)

    def lengths(self) -> list[Any]:
        """Return the shape in the model's layout, like :func:`model_shape`."""
        shape = model_shape(LayoutTensor(self.tensor))
        return [shape[self.stored_axis(k)] for k in range(len(shape))] if self.parts else shape

    def in_model_layout(self) -> LayoutTensor:
        """Return the value in the model's layout."""
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
    """Hold the values of a sequence, whose number is known when a function is traced."""

    items: tuple[OnnxValue, ...]


@dataclass(frozen=True)
class EmptyOptional:
    """Stand for an optional without a value; an optional with one is that value itself."""


#: A tensor, constant or computed.
TensorValue = LayoutTensor | Constant
#: Any value of ONNX.
OnnxValue = LayoutTensor | Constant | Interleaved | SequenceValue | EmptyOptional


def float_type(value: OnnxValue | None) -> Any:
    """Return the type of a floating-point value that may be cast, ``None`` for other values."""
    if isinstance(value, Constant):
        return tf.float32 if value.array.dtype == np.float32 else None
    if isinstance(value, Quantized) or not isinstance(value, LayoutTensor | Interleaved):
        return None
    return value.tensor.dtype


def cast(value: Any, dtype: Any) -> Any:
    """Return a value that has a :func:`float_type`, in another type."""
    if isinstance(value, Constant):
        return value.cast(dtype)
    return replace(value, tensor=tf.cast(value.tensor, dtype))


class DataDependent(ValueError):
    """Report that the data decides what a trace must know, such as an axis.

    An eager run knows it; the description of the model leaves it open.
    """


def to_last(rank: int) -> list[int]:
    """Return the permutation from channels first to channels last.

    >>> to_last(4), to_first(4)
    ([0, 2, 3, 1], [0, 3, 1, 2])
    """
    return [0, *range(2, rank), 1]


def to_first(rank: int) -> list[int]:
    """Return the permutation from channels last to channels first."""
    return [0, rank - 1, *range(1, rank - 1)]


def rank_of(value: TensorValue) -> int:
    """Return the number of axes; :class:`DataDependent` where it is unknown."""
    if isinstance(value, Constant):
        return value.array.ndim
    rank = value.tensor.shape.rank
    if rank is None:
        raise DataDependent("the number of axes of a value depends on the data")
    return int(rank)


def stored_axis(axis: int, rank: int, is_last: bool) -> int:
    """Return where the model's axis ``axis`` (negative counts from the end) is stored.

    >>> [stored_axis(a, 4, True) for a in (0, 1, 2, 3, -1)]
    [0, 3, 1, 2, 2]
    """
    axis = axis + rank if axis < 0 else axis
    if not 0 <= axis < rank:
        raise ValueError(f"axis {axis} is outside of a value with {rank} axes")
    return to_last(rank).index(axis) if is_last and rank > 2 else axis


def _transposed(tensor: Tensor, order: list[int]) -> Tensor:
    """Return the transpose, by a cheaper reshape where only axes of length 1 move."""
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


def model_layout(value: TensorValue | Interleaved) -> Tensor:
    """Return the tensor in the model's layout."""
    if isinstance(value, Constant):
        return value.tensor()
    if isinstance(value, Interleaved):
        return value.in_model_layout().tensor
    rank = rank_of(value) if value.channels_last else 0
    return _transposed(value.tensor, to_first(rank)) if rank > 2 else value.tensor


def channel_axis_last(value: TensorValue | Interleaved, axis: int | None) -> Tensor:
    """Return the tensor as it is stored if its channels are last, else with ``axis`` moved there.

    ``axis`` is one of the model's layout, ``None`` for the last.
    """
    if isinstance(value, LayoutTensor) and value.channels_last:
        return value.tensor
    tensor = model_layout(value)
    if axis is None:
        return tensor
    order = [k for k in range(tensor.shape.rank) if k != axis]
    return _transposed(tensor, [*order, axis])


def channels_last(value: TensorValue) -> Tensor:
    """Return the tensor with axis 1 behind all others; with fewer than three axes as it is."""
    rank = rank_of(value)
    if isinstance(value, Constant):
        return value.tensor("last", lambda a: a.transpose(to_last(rank)) if rank > 2 else a)
    if value.channels_last or rank < 3:
        return value.tensor
    return _transposed(value.tensor, to_last(rank))


def aligned(values: Sequence[TensorValue]) -> tuple[list[Tensor], bool]:
    """Return the inputs of an elementwise operation in one layout, and whether it is channels last.

    Shapes are broadcast from the right in the model's layout. A value with fewer axes therefore
    gets leading axes before its channels are moved: [C, 1, 1] becomes [1, 1, 1, C].
    """
    ranks = [rank_of(o) for o in values]
    rank = max(ranks)
    is_last = any(
        isinstance(o, LayoutTensor) and o.channels_last and r == rank
        for o, r in zip(values, ranks, strict=True)
    )
    if not is_last or rank < 3:
        return [model_layout(o) for o in values], False
    return [_last_with_rank(o, rank) for o in values], True


def _last_with_rank(value: TensorValue, rank: int) -> Tensor:
    if isinstance(value, Constant):

        def spread(array: Array) -> Array:
            if array.size == 1:
                return array.reshape(())
            wide = array.reshape((1,) * (rank - array.ndim) + array.shape)
            return wide.transpose(to_last(rank))

        return value.tensor(("last", rank), spread)
    if value.channels_last and rank_of(value) == rank:
        return value.tensor
    tensor = model_layout(value)
    if tensor.shape.rank == 0:
        return tensor
    for _ in range(rank - tensor.shape.rank):
        tensor = tf.expand_dims(tensor, 0)
    return channels_last(LayoutTensor(tensor))


def one_layout(values: Sequence[TensorValue]) -> tuple[list[Tensor], bool]:
    """Return values of the same rank in one layout, and whether it is channels last."""
    rank = rank_of(values[0])
    is_last = rank > 2 and any(isinstance(o, LayoutTensor) and o.channels_last for o in values)
    if is_last and all(rank_of(o) == rank for o in values):
        return [channels_last(o) for o in values], True
    return [model_layout(o) for o in values], False


def model_shape(value: TensorValue) -> list[Any]:
    """Return the shape in the model's layout, with scalar int64 tensors for unknown lengths."""
    if isinstance(value, Constant):
        return list(value.array.shape)
    rank = rank_of(value)
    stored = value.stored_lengths()
    return [stored[k] for k in to_first(rank)] if value.channels_last and rank > 2 else [*stored]


def _stored_lengths(tensor: Tensor) -> list[Any]:
    lengths: list[Any] = tensor.shape.as_list()
    if None not in lengths:
        return lengths
    dynamic = tf.unstack(tf.shape(tensor, out_type=tf.int64))  # fewer operations than slices
    return [d if n is None else n for d, n in zip(dynamic, lengths, strict=True)]


def packed(lengths: Sequence[Any]) -> Tensor:
    """Return ints and scalar tensors as one shape for TensorFlow."""
    if all(isinstance(n, int) for n in lengths):
        return np.asarray(lengths, np.int64)
    return tf.stack([tf.cast(n, tf.int64) if tf.is_tensor(n) else np.int64(n) for n in lengths])


def unpacked(vector: Tensor) -> list[Any] | None:
    """Return the ints and scalar tensors of which :func:`packed` made a shape.

    Return ``None`` for any other tensor.
    """
    operation = getattr(vector, "op", None)  # an eager tensor has none
    if operation is None or operation.type != "Pack" or vector.shape.rank != 1:
        return None
    known = [(tf.get_static_value(number), number) for number in operation.inputs]
    return [number if value is None else int(value) for value, number in known]
