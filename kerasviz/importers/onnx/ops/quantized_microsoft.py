"""Convert quantized operators of the domain com.microsoft, which onnxruntime's quantizer writes.

Each computes with the real numbers of its inputs, and quantizes the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    LayoutTensor,
    TensorValue,
    aligned,
    model_layout,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.ops.pool import average_pool, max_pool
from kerasviz.importers.onnx.ops.quantization import dequantized, dynamic_codes, quantized
from kerasviz.importers.onnx.ops.quantized import along, kind_of, number, product, with_images
from kerasviz.importers.onnx.quantized_values import codes_of
from kerasviz.importers.onnx.registry import MICROSOFT, Call, Layout, operator
from kerasviz.types import Tensor


def _real(call: Call, first: int) -> LayoutTensor:
    """Return input ``first`` as real numbers; its scale and zero point follow it."""
    return dequantized(call.input(first), call.input(first + 1), call.optional(first + 2))


def _requantized(call: Call, real: LayoutTensor, first: int) -> LayoutTensor:
    """Quantize with the scale and zero point at input ``first`` and the next one."""
    zero = call.optional(first + 1)
    kind = kind_of(zero) if zero is not None else kind_of(call.input(0))
    point = None if zero is None else number(zero)
    return quantized(real, number(call.input(first)), point, kind)


# -- elementwise -----------------------------------------------------------------------------

_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "QLinearAdd": tf.add,
    "QLinearMul": tf.multiply,
}
_UNARY: dict[str, Callable[[Call, Tensor], Tensor]] = {
    "QLinearSigmoid": lambda _, x: tf.sigmoid(x),
    "QLinearLeakyRelu": lambda call, x: tf.nn.leaky_relu(x, float(call.attribute("alpha", 0.01))),
}


def _binary(call: Call, apply: Callable[[Tensor, Tensor], Tensor]) -> LayoutTensor:
    (a, b), is_last = aligned([_real(call, 0), _real(call, 3)])
    return _requantized(call, LayoutTensor(apply(a, b), is_last), 6)


def _unary(call: Call, apply: Callable[[Call, Tensor], Tensor]) -> LayoutTensor:
    real = _real(call, 0)
    return _requantized(call, LayoutTensor(apply(call, real.tensor), real.channels_last), 3)


for _name, _two in _BINARY.items():
    operator(_name, layout=Layout.FOLLOWS, domain=MICROSOFT)(partial(_binary, apply=_two))
for _name, _one in _UNARY.items():
    operator(_name, layout=Layout.FOLLOWS, domain=MICROSOFT)(partial(_unary, apply=_one))


@operator("QLinearSoftmax", domain=MICROSOFT)
def qlinear_softmax(call: Call) -> LayoutTensor:
    """Compute the quantized softmax over ``axis``, before opset 13 over all axes from it on."""
    x = model_layout(_real(call, 0))
    rank = x.shape.rank
    axis = int(call.attribute("axis", -1)) % rank
    axes = [axis] if int(call.attribute("opset", 1)) >= 13 else list(range(axis, rank))
    y = tf.exp(x - tf.reduce_logsumexp(x, axes, keepdims=True))
    return _requantized(call, LayoutTensor(y), 3)


# -- parts -----------------------------------------------------------------------------------


@operator("QLinearConcat", layout=Layout.FOLLOWS, domain=MICROSOFT)
def qlinear_concat(call: Call) -> LayoutTensor:
    """Compute the quantized concatenation of quantized values with different scales."""
    parts = [_real(call, first) for first in range(2, len(call.inputs), 3)]
    xs, is_last = aligned(parts)
    axis = stored_axis(int(call.attribute("axis")), xs[0].shape.rank, is_last)
    return _requantized(call, LayoutTensor(tf.concat(xs, axis), is_last), 0)


@operator("QLinearWhere", layout=Layout.FOLLOWS, domain=MICROSOFT)
def qlinear_where(call: Call) -> LayoutTensor:
    """Compute the first quantized value where the condition is true, else the second."""
    (condition, a, b), is_last = aligned([call.input(0), _real(call, 1), _real(call, 4)])
    return _requantized(call, LayoutTensor(tf.where(condition, a, b), is_last), 7)


# -- means and windows -----------------------------------------------------------------------


@operator("QLinearAveragePool", layout=Layout.IMAGE, domain=MICROSOFT)
def qlinear_average_pool(call: Call) -> LayoutTensor:
    """Compute the quantized average of every window of a quantized value."""
    call, behind = with_images(call)
    made = average_pool(replace(call, inputs=(_real(call, 0),)))
    return replace(_requantized(call, made, 3), channels_last=made.channels_last and not behind)


@operator("QLinearGlobalAveragePool", layout=Layout.IMAGE, domain=MICROSOFT)
def qlinear_global_average_pool(call: Call) -> LayoutTensor:
    """Compute the quantized mean over the positions of a quantized value."""
    call, behind = with_images(call)
    real = _real(call, 0)
    rank = rank_of(real)
    axes = list(range(1, rank - 1)) if real.channels_last else list(range(2, rank))
    mean = tf.reduce_mean(real.tensor, axes, keepdims=True)
    return replace(
        _requantized(call, LayoutTensor(mean, real.channels_last), 3),
        channels_last=real.channels_last and not behind,
    )


@operator("QLinearReduceMean", layout=Layout.FOLLOWS, domain=MICROSOFT)
def qlinear_reduce_mean(call: Call) -> LayoutTensor:
    """Compute the quantized mean over some axes of a quantized value."""
    real = _real(call, 0)
    keeps = bool(call.attribute("keepdims", 1))
    if not keeps:
        real = LayoutTensor(model_layout(real))
    rank = rank_of(real)
    axes = [stored_axis(a, rank, real.channels_last) for a in call.attribute("axes") or range(rank)]
    mean = tf.reduce_mean(real.tensor, axes, keepdims=keeps)
    return _requantized(call, LayoutTensor(mean, real.channels_last), 3)


@operator("NhwcMaxPool", domain=MICROSOFT)
def nhwc_max_pool(call: Call) -> LayoutTensor:
    """Compute the largest entry of every window for a model whose channels are last."""
    images = LayoutTensor(call.tensor(0), channels_last=True)
    return replace(max_pool(replace(call, inputs=(images,)))[0], channels_last=False)


# -- products --------------------------------------------------------------------------------


def _turned(call: Call, index: int, name: str) -> TensorValue:
    """Return a matrix, transposed if the attribute for its name says so."""
    matrix = call.input(index)
    if not call.attribute(f"trans{name}", 0):
        return matrix
    if isinstance(matrix, Constant):
        return Constant(matrix.array.T)
    return LayoutTensor(tf.transpose(codes_of(matrix).tensor))


@operator("QGemm", domain=MICROSOFT)
def qgemm(call: Call) -> LayoutTensor:
    """Compute ``alpha * A @ B + C`` of quantized matrices, quantized if an output scale is given.

    C is in integers of ``alpha`` times the product of both scales.
    """
    a, b = (_turned(call, 3 * k, name) for k, name in enumerate("AB"))
    zeros = call.input(2), call.input(5)
    sums = tf.cast(product(a, b, zeros, call), tf.float32)
    if call.has(6):
        sums = sums + tf.cast(call.tensor(6), tf.float32)
    factor = number(call.input(1)) * along(call.input(4), 2, 1)
    y = sums * factor * float(call.attribute("alpha", 1.0))
    return _requantized(call, LayoutTensor(y), 7) if call.has(7) else LayoutTensor(y)


@operator("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(call: Call) -> LayoutTensor:
    """Compute the product of two quantized matrices in float32, with an optional bias."""
    sums = product(call.input(0), call.input(1), (call.optional(4), call.optional(5)), call)
    rank = sums.shape.rank
    rows = along(call.input(2), rank, max(rank - 2, 0))
    y = tf.cast(sums, tf.float32) * rows * along(call.input(3), rank, rank - 1)
    return LayoutTensor(y + call.tensor(6) if call.has(6) else y)


@operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(call: Call) -> LayoutTensor:
    """Compute a matrix, quantized by its range, times a quantized matrix, in float32."""
    codes, scale, zero = dynamic_codes(call.input(0))
    inputs = (codes, call.inputs[1], scale, call.inputs[2], zero)
    rest = tuple(call.inputs[k] if k < len(call.inputs) else None for k in (3, 4))
    return matmul_integer_to_float(replace(call, inputs=(*inputs, *rest)))
