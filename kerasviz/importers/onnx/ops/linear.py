"""Convert matrix products and determinants."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    Interleaved,
    LayoutTensor,
    TensorValue,
    model_layout,
)
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor


@operator("Gemm", interleaved=True)
def gemm(call: Call) -> LayoutTensor:
    """Compute ``alpha * A @ B + beta * C``; ``transA`` and ``transB`` transpose A and B."""
    turned = bool(call.attribute("transB", 0))
    a, channels = _rows(call, turned)
    if a.shape.rank != 2:  # before opset 7 some exporters gave [N, C, 1, 1]
        a = tf.reshape(a, [-1, np.prod(a.shape[1:])])
    alpha, beta = float(call.attribute("alpha", 1.0)), float(call.attribute("beta", 1.0))
    b = _prepared(call.input(1), alpha, turned, channels)
    wide = _wide(a.dtype) if a.dtype.is_integer else a.dtype
    a, b, dtype = tf.cast(a, wide), tf.cast(b, wide), a.dtype
    y = tf.cast(tf.matmul(a, b, transpose_a=bool(call.attribute("transA", 0))), dtype)
    if call.has(2):
        y = y + _prepared(call.input(2), beta)
    return LayoutTensor(y)


def _rows(call: Call, turned: bool = False) -> tuple[Tensor, int]:
    """Return input 0, and the number of channels by which its columns are permuted.

    The number is 0 for an input in the model's layout.
    """
    given, weights = call.value(0), call.input(1)
    if not isinstance(given, Interleaved) or given.parts or call.attribute("transA", 0):
        return call.tensor(0), 0
    if not isinstance(weights, Constant) or weights.array.ndim != 2:
        return call.tensor(0), 0
    if weights.array.shape[1 if turned else 0] % given.channels:  # an error, which matmul reports
        return call.tensor(0), 0
    return given.tensor, given.channels


def _prepared(
    value: TensorValue, factor: float = 1, turned: bool = False, channels: int = 0
) -> Any:
    """Scale and transpose a value and turn its rows [C, S] into [S, C], once for a constant."""

    def make(array: Any) -> Any:
        array = array if factor == 1 else (array * factor).astype(array.dtype)
        array = array.T if turned else array
        if not channels:
            return array
        apart = array.reshape(channels, array.shape[0] // channels, array.shape[1])
        return apart.swapaxes(0, 1).reshape(array.shape)

    if isinstance(value, Constant):
        return value.tensor(("prepared", factor, turned, channels), make)
    tensor = model_layout(value)
    tensor = tensor if factor == 1 else tensor * tf.cast(factor, tensor.dtype)
    return tf.transpose(tensor) if turned else tensor


@operator("MatMul", interleaved=True)
def matmul(call: Call) -> LayoutTensor:
    """Compute the product of matrices or of stacks of them, like ``numpy.matmul``."""
    a, channels = _rows(call)
    b = _prepared(call.input(1), channels=channels) if channels else call.tensor(1)
    return LayoutTensor(multiplied(a, b))


def multiplied(a: Tensor, b: Tensor) -> Tensor:
    """Multiply vectors, matrices or stacks of matrices, like ``numpy.matmul``."""
    row, column = a.shape.rank == 1, b.shape.rank == 1
    a = tf.expand_dims(a, 0) if row else a
    b = tf.expand_dims(b, 1) if column else b
    wide = _wide(a.dtype)
    y = tf.cast(product(tf.cast(a, wide), tf.cast(b, wide)), a.dtype)
    gone = [axis for axis, drop in ((-2, row), (-1, column)) if drop]
    return tf.squeeze(y, gone) if gone else y


def _wide(dtype: Any) -> Any:
    """Return the type for sums; TensorFlow would sum float16 in float16.

    TensorFlow cannot multiply some integers. The last bits of wider products are the same.
    """
    if dtype == tf.float16:
        return tf.float32
    if dtype.is_integer:
        return tf.int32 if dtype.size < 4 or dtype == tf.int32 else tf.int64
    return dtype


def product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply stacks of matrices, which are broadcast here.

    On a CPU ``tf.matmul`` of [n, 1, i, j] with [j, k] reads and writes beyond its inputs.
    """
    outer = [a.shape[:-2], b.shape[:-2]]
    if all(o.is_fully_defined() for o in outer) and outer[0] == outer[1]:
        return tf.matmul(a, b)
    if b.shape.rank == 2 and b.shape.is_fully_defined():
        rows = tf.matmul(tf.reshape(a, [-1, b.shape[0]]), b)
        lengths = [-1 if n is None else n for n in [*a.shape[:-1], b.shape[1]]]
        if lengths.count(-1) > 1 or 0 in lengths:
            lengths = tf.concat([tf.shape(a)[:-1], [b.shape[1]]], 0)
        whole = tf.reshape(rows, lengths)
        whole.set_shape([*a.shape[:-1], b.shape[1]])
        return whole
    shapes = [tf.split(tf.shape(x), [x.shape.rank - 2, 2]) for x in (a, b)]
    stack = tf.broadcast_dynamic_shape(shapes[0][0], shapes[1][0])
    static = tf.broadcast_static_shape(*outer)
    wide = []
    for x, (_, matrix) in zip((a, b), shapes, strict=True):
        wide.append(tf.broadcast_to(x, tf.concat([stack, matrix], 0)))
        wide[-1].set_shape([*static, *x.shape[-2:]])
    return tf.matmul(*wide)


@operator("Det", since=11)
def det(call: Call) -> LayoutTensor:
    """Compute the determinant of the matrices in the last two axes."""
    x = call.tensor()
    narrow = x.dtype in (tf.float16, tf.bfloat16)
    y = tf.linalg.det(tf.cast(x, tf.float32) if narrow else x)
    return LayoutTensor(tf.cast(y, x.dtype))
