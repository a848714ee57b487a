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
    a, b = own(call.input(0)), own(call.input(1))
    row, column = a.shape.rank == 1, b.shape.rank == 1
    a = tf.expand_dims(a, 0) if row else a
    b = tf.expand_dims(b, 1) if column else b
    y = tf.matmul(a, b)
    gone = [axis for axis, drop in ((-2, row), (-1, column)) if drop]
    return Laid(tf.squeeze(y, gone) if gone else y)
