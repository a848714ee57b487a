"""Convert gathers and scatters with an index for every entry."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    DataDependent,
    LayoutTensor,
    model_layout,
    one_layout,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def from_start(places: Tensor, lengths: Tensor) -> Tensor:
    """Return indices as int64 from the start; negative ones count from the end."""
    places = tf.cast(places, tf.int64)
    return tf.where(places < 0, places + tf.cast(lengths, tf.int64), places)


def _strides(shape: Tensor) -> Tensor:
    """Return the distance between neighbours along every axis of the flat value."""
    return tf.math.cumprod(shape, exclusive=True, reverse=True)


def _flat_places(shape: Tensor, places: Tensor, axis: int) -> Tensor:
    """Return the flat index of every entry of ``places``, which is the index along ``axis``."""
    strides = _strides(shape)
    flat = from_start(places, shape[axis]) * strides[axis]
    rank = places.shape.rank
    for other in range(rank):
        if other != axis:
            steps = tf.range(tf.shape(places, out_type=tf.int64)[other]) * strides[other]
            flat += tf.reshape(steps, [-1 if k == other else 1 for k in range(rank)])
    return flat


@operator("GatherElements", since=11, layout=Layout.FOLLOWS)
def gather_elements(call: Call) -> LayoutTensor:
    """Compute ``y[i, j] = x[indices[i, j], j]``, here for axis 0 of a matrix."""
    values = call.all_inputs()
    (x, places), is_last = one_layout(values)
    axis = stored_axis(int(call.attribute("axis", 0)), rank_of(values[0]), is_last)
    flat = _flat_places(tf.shape(x, out_type=tf.int64), places, axis)
    return LayoutTensor(tf.gather(tf.reshape(x, [-1]), flat), is_last)


@operator("GatherND", since=11)
def gather_nd(call: Call) -> LayoutTensor:
    """Compute ``y[i] = x[indices[i, 0], ..., indices[i, k]]`` behind ``batch_dims`` axes."""
    x, places = call.tensor(0), call.tensor(1)
    batch = int(call.attribute("batch_dims", 0))
    depth = _depth(places)
    lengths = tf.shape(x, out_type=tf.int64)[batch : batch + depth]
    return LayoutTensor(tf.gather_nd(x, from_start(places, lengths), batch_dims=batch))


def _depth(places: Tensor) -> int:
    """Return how many axes an index in ``places`` covers."""
    depth = places.shape[-1]
    if depth is None:
        raise DataDependent("the number of axes that are indexed depends on the data")
    return int(depth)


_WRITES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "none": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


def _written(call: Call, rows: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """Write ``updates`` [U, ...] to the rows ``places`` [U] of ``rows`` [R, ...]."""
    reduction = call.choice("reduction", "none", "add", "mul", "max", "min")
    if reduction == "mul":  # TensorFlow has no such scatter; rows without an update get 1
        count = tf.shape(rows, out_type=tf.int64)[0]
        return rows * tf.math.unsorted_segment_prod(updates, places, count)
    if rows.dtype == tf.bool and reduction != "none":
        kept = _WRITES[reduction](
            tf.cast(rows, tf.int32), places[:, None], tf.cast(updates, tf.int32)
        )
        return tf.cast(kept, tf.bool)
    return _WRITES[reduction](rows, places[:, None], updates)


def _scatter_elements(call: Call) -> LayoutTensor:
    """Compute ``y = x; y[indices[i, j], j] = updates[i, j]``, here for axis 0 of a matrix."""
    values = call.all_inputs()
    (x, places, updates), is_last = one_layout(values)
    axis = stored_axis(int(call.attribute("axis", 0)), rank_of(values[0]), is_last)
    shape = tf.shape(x, out_type=tf.int64)
    flat = tf.reshape(_flat_places(shape, places, axis), [-1])
    y = _written(call, tf.reshape(x, [-1]), flat, tf.reshape(updates, [-1]))
    return LayoutTensor(_shaped_like(y, x), is_last)


operator("Scatter", since=9, layout=Layout.FOLLOWS)(_scatter_elements)
operator("ScatterElements", since=11, layout=Layout.FOLLOWS)(_scatter_elements)


@operator("ScatterND", since=11)
def scatter_nd(call: Call) -> LayoutTensor:
    """Compute ``y = x; y[indices[i, 0], ..., indices[i, k]] = updates[i]``."""
    x, places, updates = (model_layout(value) for value in call.all_inputs())
    depth = _depth(places)
    shape = tf.shape(x, out_type=tf.int64)
    whole, inner = shape[:depth], shape[depth:]
    flat = tf.reduce_sum(from_start(places, whole) * _strides(whole), -1)
    width = tf.reduce_prod(inner)
    rows = tf.reshape(x, tf.stack([tf.reduce_prod(whole), width]))
    flat = tf.reshape(flat, [-1])
    given = tf.reshape(updates, tf.stack([tf.size(flat, tf.int64), width]))
    return LayoutTensor(_shaped_like(_written(call, rows, flat, given), x))


def _shaped_like(y: Tensor, x: Tensor) -> Tensor:
    y = tf.reshape(y, tf.shape(x))
    y.set_shape(x.shape)
    return y
