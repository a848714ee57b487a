"""Convert operators that sort and select: largest, distinct and nonzero entries."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor, stored_axis
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


@operator("TopK", since=1, layout=Layout.FOLLOWS)
def top_k_1(call: Call) -> list[LayoutTensor | None]:
    """Compute the ``k`` largest entries along ``axis`` and their indices; ``k`` is an attribute."""
    return _top(call, int(call.attribute("k")))


@operator("TopK", since=10, layout=Layout.FOLLOWS)
def top_k_10(call: Call) -> list[LayoutTensor | None]:
    """Compute the ``k`` largest or smallest entries along ``axis`` and their indices, in order."""
    count = call.scalar(1)
    known = tf.get_static_value(count)
    return _top(call, tf.cast(count, tf.int32) if known is None else int(known))


def _top(call: Call, count: Any) -> list[LayoutTensor | None]:
    x, is_last = call.stored()
    rank = call.rank()
    axis = stored_axis(int(call.attribute("axis", -1)), rank, is_last)
    order = [k for k in range(rank) if k != axis] + [axis]
    x = x if axis == rank - 1 else tf.transpose(x, order)
    if call.attribute("largest", 1):
        values, places = tf.math.top_k(x, count)
    else:
        values, places = tf.math.top_k(_mirrored(x), count)
        values = _mirrored(values)
    found = [values, tf.cast(places, tf.int64)]
    if axis != rank - 1:
        back = sorted(range(rank), key=order.__getitem__)
        found = [tf.transpose(y, back) for y in found]
    return [LayoutTensor(y, is_last) for y in found]


def _mirrored(x: Tensor) -> Tensor:
    """Return numbers in reverse order; integers by their bits, since a negative may not exist."""
    return tf.bitwise.invert(x) if x.dtype.is_integer else -x


@operator("NonZero", since=9)
def non_zero(call: Call) -> LayoutTensor:
    """Compute the indices of the entries that are not 0, a row for every axis."""
    x = call.tensor()
    zero = "" if x.dtype == tf.string else tf.zeros([], x.dtype)
    return LayoutTensor(tf.transpose(tf.where(x != zero)))


@operator("Compress", since=9, layout=Layout.FOLLOWS)
def compress(call: Call) -> LayoutTensor:
    """Compute the entries along ``axis``, or of the flat value, where the condition holds."""
    places = tf.where(call.tensor(1))[:, 0]
    axis = call.attribute("axis")
    if axis is None:
        return LayoutTensor(tf.gather(tf.reshape(call.tensor(), [-1]), places))
    x, is_last = call.stored()
    return LayoutTensor(
        tf.gather(x, places, axis=stored_axis(int(axis), call.rank(), is_last)), is_last
    )


@operator("Unique", since=11)
def unique(call: Call) -> list[LayoutTensor | None]:
    """Compute the distinct entries (with ``axis`` slices), first and all indices, and counts."""
    x = call.tensor()
    axis = call.attribute("axis")
    if axis is None:
        x, axis = tf.reshape(x, [-1]), 0
    axis = int(axis) % x.shape.rank
    length = tf.shape(x, out_type=tf.int64)[axis]
    keys = tf.cast(x, tf.int8) if x.dtype == tf.bool else x
    kept, groups = tf.raw_ops.UniqueV2(x=keys, axis=[axis], out_idx=tf.int64)
    number = tf.shape(kept, out_type=tf.int64)[axis]
    first = tf.math.unsorted_segment_min(tf.range(length), groups, number)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(groups), groups, number)
    if call.attribute("sorted", 1):
        if x.dtype == tf.string:
            raise call.error("text cannot be sorted; set attribute sorted to 0")
        order = _lexicographic(tf.gather(keys, first, axis=axis), axis)
        first, counts = tf.gather(first, order), tf.gather(counts, order)
        groups = tf.gather(tf.math.invert_permutation(order), groups)
    found = [tf.gather(x, first, axis=axis), first, groups, counts]
    return [LayoutTensor(y) for y in found]


def _lexicographic(x: Tensor, axis: int) -> Tensor:
    """Return the order of the slices along ``axis`` by their first entry, then their second ...

    Stable sorts from the last entry to the first give this order.
    """
    rank = x.shape.rank
    front = tf.transpose(x, [axis, *(k for k in range(rank) if k != axis)])
    count = tf.shape(front, out_type=tf.int64)[0]
    rows = tf.reshape(front, tf.stack([count, tf.size(front, tf.int64) // tf.maximum(count, 1)]))
    columns = tf.reverse(tf.transpose(rows), [0])

    def by_column(order: Tensor, column: Tensor) -> Tensor:
        places = tf.argsort(tf.gather(column, order), stable=True)
        return tf.gather(order, places)

    return tf.foldl(by_column, columns, initializer=tf.range(count))
