"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, Laid, Operand, own
from kerasviz.importers.onnx.registry import Call, operator

Tensor = Any


@operator("Gemm")
def gemm(call: Call) -> Laid:
    """``alpha * A @ B + beta * C``, A and B transposed where ``transA`` and ``transB`` say so."""
    a = own(call.input(0))
    if a.shape.rank != 2:  # before opset 7 some exporters gave [N, C, 1, 1]
        a = tf.reshape(a, [-1, np.prod(a.shape[1:])])
    alpha, beta = float(call.attribute("alpha", 1.0)), float(call.attribute("beta", 1.0))
    b = _scaled(call.input(1), alpha, bool(call.attribute("transB", 0)))
    y = tf.matmul(a, b, transpose_a=bool(call.attribute("transA", 0)))
    if call.has(2):
        y = y + _scaled(call.input(2), beta, False)
    return Laid(y)


def _scaled(operand: Operand, factor: float, turned: bool) -> Tensor:
    def make(array: Any) -> Any:
        array = array if factor == 1 else (array * factor).astype(array.dtype)
        return array.T if turned else array

    if isinstance(operand, Constant):
        return operand.tensor(("scaled", factor, turned), make)
    tensor = own(operand)
    tensor = tensor if factor == 1 else tensor * tf.cast(factor, tensor.dtype)
    return tf.transpose(tensor) if turned else tensor


@operator("MatMul")
def matmul(call: Call) -> Laid:
    """The product of matrices, or of stacks of them, as ``numpy.matmul``."""
    return Laid(multiplied(own(call.input(0)), own(call.input(1))))


def multiplied(a: Tensor, b: Tensor) -> Tensor:
    """The product of vectors, matrices or stacks of matrices, as ``numpy.matmul``."""
    row, column = a.shape.rank == 1, b.shape.rank == 1
    a = tf.expand_dims(a, 0) if row else a
    b = tf.expand_dims(b, 1) if column else b
    half = a.dtype == tf.float16  # TensorFlow would keep the sums in half precision too
    wide = [tf.cast(m, tf.float32) for m in (a, b)] if half else [a, b]
    y = tf.cast(product(*wide), a.dtype)
    gone = [axis for axis, drop in ((-2, row), (-1, column)) if drop]
    return tf.squeeze(y, gone) if gone else y


def product(a: Tensor, b: Tensor) -> Tensor:
    """The product of stacks of matrices, which are broadcast.

    Broadcast by hand: on a CPU ``tf.matmul`` of [n, 1, i, j] with [j, k] reads and writes beyond
    its operands.
    """
    outer = [a.shape[:-2], b.shape[:-2]]
    if all(o.is_fully_defined() for o in outer) and outer[0] == outer[1]:
        return tf.matmul(a, b)
    if b.shape.rank == 2 and b.shape.is_fully_defined():
        rows = tf.matmul(tf.reshape(a, [-1, b.shape[0]]), b)
        whole = tf.reshape(rows, tf.concat([tf.shape(a)[:-1], [b.shape[1]]], 0))
        return tf.ensure_shape(whole, [*a.shape[:-1], b.shape[1]])
    stack = tf.broadcast_dynamic_shape(tf.shape(a)[:-2], tf.shape(b)[:-2])
    wide = [tf.broadcast_to(x, tf.concat([stack, tf.shape(x)[-2:]], 0)) for x in (a, b)]
    static = tf.broadcast_static_shape(*outer)
    pairs = zip(wide, (a, b), strict=True)
    return tf.matmul(*(tf.ensure_shape(w, [*static, *x.shape[-2:]]) for w, x in pairs))
