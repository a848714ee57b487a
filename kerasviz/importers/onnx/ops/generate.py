"""Convert operators that generate values from a shape, a range or a seed, repeatably."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from kerasviz.importers.onnx.element_types import tensor_type, wide_float
from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor


@operator("ConstantOfShape", since=9)
def constant_of_shape(call: Call) -> LayoutTensor:
    """Compute a tensor filled with one number, by default 0."""
    value = call.attribute("value", np.zeros(1, np.float32))
    return LayoutTensor(tf.fill(call.tensor(), tf.constant(np.reshape(value, -1)[0])))


@operator("Range", since=11)
def sequence(call: Call) -> LayoutTensor:
    """Compute the numbers from ``start`` to ``limit`` in steps of ``delta``."""
    start, limit, delta = (call.scalar(k) for k in range(3))
    kept = start.dtype
    if kept in (tf.int32, tf.int64, tf.float32, tf.float64):
        known = [tf.get_static_value(x) for x in (start, limit, delta)]
        if all(n is not None for n in known) and (known[1] - known[0]) * known[2] >= 0:
            return LayoutTensor(tf.range(start, limit, delta))
        # ONNX's range away from its limit is empty; TensorFlow refuses it.
        away = (limit > start) != (delta > 0)
        return LayoutTensor(tf.range(start, tf.where(away, start, limit), delta))
    wide = tf.int64 if kept.is_integer else tf.float32
    if not kept.is_integer and not call.attribute("stash_type", 1):
        wide = kept
    first, last, step = (tf.cast(x, wide) for x in (start, limit, delta))
    span = tf.cast(last - first, tf.float64) / tf.cast(step, tf.float64)
    count = tf.cast(tf.maximum(tf.math.ceil(span), 0), tf.int64)
    return LayoutTensor(tf.cast(first + tf.cast(tf.range(count), wide) * step, kept))


@operator("EyeLike", since=9)
def eye_like(call: Call) -> LayoutTensor:
    """Compute a matrix of the input's shape: 1 on its diagonal ``k``, else 0."""
    x = call.tensor()
    dtype = tensor_type(call.attribute("dtype")) if "dtype" in call.node.attributes else x.dtype
    shape = tf.shape(x)
    off = tf.range(shape[1])[None, :] - tf.range(shape[0])[:, None]
    y = tf.cast(off == int(call.attribute("k", 0)), dtype)
    y.set_shape(x.shape)
    return LayoutTensor(y)


@operator("OneHot", since=9)
def one_hot_9(call: Call) -> LayoutTensor:
    """Compute ``values[1]`` where a new axis has the index, else ``values[0]``."""
    return _one_hot(call, tf.cast(call.tensor(0), tf.int64))


@operator("OneHot", since=11)
def one_hot_11(call: Call) -> LayoutTensor:
    """Compute the one-hot encoding; negative indices count from the end."""
    places = tf.cast(call.tensor(0), tf.int64)
    depth = tf.cast(call.scalar(1), tf.int64)
    return _one_hot(call, tf.where(places < 0, places + depth, places))


def _one_hot(call: Call, places: Tensor) -> LayoutTensor:
    depth = tf.cast(call.scalar(1), tf.int32)
    values = call.tensor(2)
    rank = places.shape.rank
    axis = int(call.attribute("axis", -1)) % (rank + 1)
    hot = tf.one_hot(places, depth, True, False, axis=axis, dtype=tf.bool)
    return LayoutTensor(tf.where(hot, values[1], values[0]))


def _seed(call: Call) -> list[int]:
    """Return two seeds: from attribute ``seed``, and one that differs between nodes."""
    given = float(call.attribute("seed", 0.0))
    (bits,) = struct.unpack("<i", struct.pack("<f", given))
    if "seed" in call.node.attributes:
        return [bits, 0]
    return [bits, zlib.crc32("/".join(call.node.outputs).encode()) & 0x7FFFFFFF]


def _uniform(call: Call, shape: Any, dtype: Any) -> Tensor:
    """Draw uniform numbers between ``low`` and ``high``."""
    low, high = (float(call.attribute(*name)) for name in (("low", 0.0), ("high", 1.0)))
    x = tf.random.stateless_uniform(shape, _seed(call), dtype=_drawn_in(dtype))
    return tf.cast(low + (high - low) * x, dtype)


def _normal(call: Call, shape: Any, dtype: Any) -> Tensor:
    """Draw normally distributed numbers with ``mean`` and ``scale``."""
    mean, scale = (float(call.attribute(*name)) for name in (("mean", 0.0), ("scale", 1.0)))
    x = tf.random.stateless_normal(shape, _seed(call), dtype=_drawn_in(dtype))
    return tf.cast(mean + scale * x, dtype)


def _drawn_in(dtype: Any) -> Any:
    return tf.float64 if dtype == tf.float64 else tf.float32


Draw = Callable[[Call, Any, Any], Tensor]


def _random(call: Call, draw: Draw) -> LayoutTensor:
    """Compute random numbers in the shape that the attributes give."""
    shape = [int(n) for n in call.attribute("shape", ())]
    return LayoutTensor(
        draw(call, shape, tensor_type(call.attribute("dtype", onnx.TensorProto.FLOAT)))
    )


def _random_like(call: Call, draw: Draw) -> LayoutTensor:
    """Compute random numbers in the shape of the input, and in its type or a given one."""
    x = call.tensor()
    number = call.attribute("dtype")
    y = draw(call, tf.shape(x), x.dtype if number is None else tensor_type(number))
    return LayoutTensor(tf.ensure_shape(y, x.shape))


def _bernoulli(call: Call, shape: Any, dtype: Any) -> Tensor:
    """Draw 1 with the probability in the input, else 0."""
    drawn = _uniform(call, shape, tf.float64)
    return tf.cast(drawn < tf.cast(call.tensor(), tf.float64), dtype)


for _kind, _draw in (("Uniform", _uniform), ("Normal", _normal)):
    operator(f"Random{_kind}")(partial(_random, draw=_draw))
    operator(f"Random{_kind}Like")(partial(_random_like, draw=_draw))
operator("Bernoulli", since=15)(partial(_random_like, draw=_bernoulli))


@operator("Multinomial", since=7)
def multinomial(call: Call) -> LayoutTensor:
    """Compute ``sample_size`` classes for every row of unnormalized log probabilities."""
    x = call.tensor()
    dtype = tensor_type(call.attribute("dtype", onnx.TensorProto.INT32))
    count = int(call.attribute("sample_size", 1))
    logits = tf.cast(x, wide_float(x.dtype))
    drawn = tf.random.stateless_categorical(logits, count, _seed(call), dtype=tf.int64)
    return LayoutTensor(tf.cast(drawn, dtype))
