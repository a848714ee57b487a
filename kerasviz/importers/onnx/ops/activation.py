"""Convert activations: elementwise functions of one value, and the softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import wide_float
from kerasviz.importers.onnx.layout import (
    Constant,
    LayoutTensor,
    TensorValue,
    aligned,
    channels_last,
    model_layout,
    model_shape,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator, softmax_axes
from kerasviz.types import Tensor


def elementwise(
    name: str, apply: Callable[[Call, Tensor], Tensor], since: int = 1, *, half: bool = True
) -> None:
    """Register a function of every entry of the first input.

    Without ``half`` 16-bit numbers are computed in float32, since every step would be rounded.
    """

    def convert(call: Call) -> LayoutTensor:
        x, is_last = call.stored()
        wide = not half and x.dtype in (tf.float16, tf.bfloat16)
        y = apply(call, tf.cast(x, tf.float32) if wide else x)
        return LayoutTensor(tf.cast(y, x.dtype) if wide else y, is_last)

    operator(name, since, Layout.FOLLOWS)(convert)


def _number(call: Call, name: str, default: float) -> float:
    return float(call.attribute(name, default))


def _scaled(call: Call, x: Tensor) -> Tensor:
    alpha = _number(call, "alpha", 1.0)
    return x if alpha == 1 else tf.cast(alpha, x.dtype) * x


def _hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    line = _number(call, "alpha", 0.2) * x + _number(call, "beta", 0.5)
    return tf.clip_by_value(line, 0.0, 1.0)


def _elu(x: Tensor, alpha: float, gamma: float = 1.0) -> Tensor:
    """Compute ``gamma * x`` above 0, ``gamma * alpha * (exp(x) - 1)`` below."""
    y = tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0)))
    return y if gamma == 1 else gamma * y


def _selu(call: Call, x: Tensor) -> Tensor:
    alpha = _number(call, "alpha", 1.67326319217681884765625)
    return _elu(x, alpha, _number(call, "gamma", 1.05070102214813232421875))


def _celu(call: Call, x: Tensor) -> Tensor:
    """Compute ``x`` above 0, ``alpha * (exp(x / alpha) - 1)`` below."""
    alpha = _number(call, "alpha", 1.0)
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0) / alpha))


def _thresholded_relu(call: Call, x: Tensor) -> Tensor:
    return tf.where(x > _number(call, "alpha", 1.0), x, tf.zeros_like(x))


def _shrink(call: Call, x: Tensor) -> Tensor:
    """Compute ``x + bias`` below ``-lambd``, ``x - bias`` above ``lambd``, else 0."""
    wide = tf.cast(x, tf.float64) if x.dtype.is_integer else x
    bound, bias = _number(call, "lambd", 0.5), _number(call, "bias", 0.0)
    inner = tf.where(wide > bound, wide - bias, tf.zeros_like(wide))
    return tf.cast(tf.where(wide < -bound, wide + bias, inner), x.dtype)


elementwise("Relu", lambda call, x: call.kernels.relu(x))
elementwise("HardSigmoid", _hard_sigmoid)
elementwise("HardSwish", lambda call, x: x * tf.clip_by_value(x / 6 + 0.5, 0.0, 1.0), since=14)
elementwise("Elu", lambda call, x: _elu(x, _number(call, "alpha", 1.0)))
elementwise("Selu", _selu)
elementwise("Celu", _celu, since=12)
elementwise("ThresholdedRelu", _thresholded_relu)
elementwise("Shrink", _shrink, since=9)
for _name, _apply, _since in (
    ("Sigmoid", lambda call, x: tf.sigmoid(x), 1),
    ("Tanh", lambda call, x: tf.tanh(x), 1),
    ("Softplus", lambda call, x: tf.nn.softplus(x), 1),
    ("Softsign", lambda call, x: tf.nn.softsign(x), 1),
    ("LeakyRelu", lambda call, x: tf.nn.leaky_relu(x, _number(call, "alpha", 0.01)), 1),
    ("Mish", lambda call, x: x * tf.tanh(tf.nn.softplus(x)), 18),
    ("Gelu", lambda call, x: tf.nn.gelu(x, call.attribute("approximate") == "tanh"), 20),
    ("Swish", lambda call, x: x * tf.sigmoid(_scaled(call, x)), 24),
):
    elementwise(_name, _apply, _since, half=False)


@operator("SwiGLU", since=28, layout=Layout.FOLLOWS)
def swiglu(call: Call) -> LayoutTensor:
    """Compute ``a * sigmoid(alpha * a) * b``."""
    (a, b), is_last = aligned([call.input(0), call.input(1)])
    return LayoutTensor(a * tf.sigmoid(_scaled(call, a)) * b, is_last)


@operator("PRelu", layout=Layout.FOLLOWS)
def prelu(call: Call) -> LayoutTensor:
    """Compute ``x`` above 0, ``slope * x`` below, with one slope for each channel or for all."""
    value, slope = call.input(0), call.input(1)
    count = rank_of(value)
    if rank_of(slope) == 1 and count > 2:
        own_slope = model_layout(slope)
        slope = LayoutTensor(tf.reshape(own_slope, [-1] + [1] * (count - 2)))
        if own_slope.shape[0] == 1:
            slope = LayoutTensor(own_slope)
    return _with_slope(value, slope)


@operator("PRelu", since=7, layout=Layout.FOLLOWS)
def prelu_7(call: Call) -> LayoutTensor:
    """Compute ``x`` above 0, ``slope * x`` below; the slope is broadcast."""
    return _with_slope(call.input(0), call.input(1))


def _with_slope(value: TensorValue, slope: TensorValue) -> LayoutTensor:
    (x, factor), is_last = aligned([value, slope])
    return LayoutTensor(tf.where(x > 0, x, factor * x), is_last)


def _clipped(call: Call, low: float, high: float) -> LayoutTensor:
    """Clip by known bounds; [0, 6] and [0, inf) use the ReLUs, whose gradients can be switched."""
    x, is_last = call.stored()
    if low == 0 and high == 6:
        return LayoutTensor(call.kernels.relu6(x), is_last)
    if low == 0 and high >= x.dtype.max:
        return LayoutTensor(call.kernels.relu(x), is_last)
    y = tf.maximum(x, tf.constant(low, x.dtype)) if low > x.dtype.min else x
    return LayoutTensor(
        tf.minimum(y, tf.constant(high, x.dtype)) if high < x.dtype.max else y, is_last
    )


@operator("Clip", since=1, layout=Layout.FOLLOWS)
def clip(call: Call) -> LayoutTensor:
    """Compute ``min(max(x, min), max)`` with the bounds as attributes."""
    return _clipped(call, _number(call, "min", -math.inf), _number(call, "max", math.inf))


@operator("Clip", since=11, layout=Layout.FOLLOWS)
def clip_11(call: Call) -> LayoutTensor:
    """Compute ``min(max(x, min), max)`` with the bounds as inputs."""
    known = [not call.has(k) or isinstance(call.inputs[k], Constant) for k in (1, 2)]
    if all(known):
        low, high = call.constant(1, "min"), call.constant(2, "max")
        return _clipped(
            call,
            -math.inf if low is None else low.item(),
            math.inf if high is None else high.item(),
        )
    x, is_last = call.stored()
    y = tf.maximum(x, call.scalar(1)) if call.has(1) else x
    return LayoutTensor(tf.minimum(y, call.scalar(2)) if call.has(2) else y, is_last)


def rounded_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Compute the softmax with every step in the type of ``x``, but sums in float32 at least."""
    if x.dtype.size >= 4:
        return tf.nn.softmax(x, axis)
    powers = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True)))
    sums = tf.reduce_sum(tf.cast(powers, tf.float32), axis, keepdims=True)
    return powers / tf.cast(sums, x.dtype)


def _log_softmax(x: Tensor, axis: int) -> Tensor:
    wide = tf.cast(x, wide_float(x.dtype))
    return tf.cast(tf.nn.log_softmax(wide, axis), x.dtype)


def _softmax(call: Call, log: bool) -> LayoutTensor:
    """Compute ``exp(x) / sum(exp(x))`` over the axes of :func:`softmax_axes`, or its logarithm."""
    x, is_last = call.stored()
    rank = call.rank()
    axes = [stored_axis(axis, rank, is_last) for axis in softmax_axes(call.node, rank)]
    long = [axis for axis in axes if x.shape[axis] != 1] or axes[:1]
    if not axes:  # softmax over no axis: every entry is 1
        return LayoutTensor(tf.zeros_like(x) if log else tf.ones_like(x), is_last)
    if len(long) == 1:
        apply = _log_softmax if log else rounded_softmax
        return LayoutTensor(apply(x, long[0]), is_last)
    shifted = x - tf.reduce_logsumexp(x, long, keepdims=True)
    return LayoutTensor(shifted if log else tf.exp(shifted), is_last)


operator("Softmax", layout=Layout.FOLLOWS)(partial(_softmax, log=False))
operator("LogSoftmax", layout=Layout.FOLLOWS)(partial(_softmax, log=True))


@operator("Hardmax", layout=Layout.FOLLOWS)
def hardmax(call: Call) -> LayoutTensor:
    """Compute 1 at the first largest entry along the axes of the softmax, 0 elsewhere."""
    x, is_last = call.stored()
    rank = call.rank()
    axes = [stored_axis(axis, rank, is_last) for axis in softmax_axes(call.node, rank)]
    if len(axes) == 1:
        place = tf.argmax(x, axes[0])
        return LayoutTensor(
            tf.one_hot(place, tf.shape(x)[axes[0]], axis=axes[0], dtype=x.dtype), is_last
        )
    x = call.tensor()  # the first in the order of the model
    if not axes:
        return LayoutTensor(tf.ones_like(x))
    flat = tf.reshape(x, tf.concat([tf.shape(x)[: rank - len(axes)], [-1]], 0))
    ones = tf.one_hot(tf.argmax(flat, -1), tf.shape(flat)[-1], dtype=x.dtype)
    return LayoutTensor(tf.ensure_shape(tf.reshape(ones, tf.shape(x)), x.shape))


@operator("Dropout", layout=Layout.FOLLOWS)
def dropout(call: Call) -> list[LayoutTensor | None]:
    """Compute the identity, as in inference; the mask keeps all entries."""
    x, is_last = call.stored()
    mask = tf.ones_like(x, tf.bool if call.node.opset >= 10 else x.dtype)
    return [LayoutTensor(tf.identity(x), is_last), LayoutTensor(mask, is_last)]


@operator("Dropout", since=12, layout=Layout.FOLLOWS)
def dropout_12(call: Call) -> list[LayoutTensor | None]:
    """Compute the identity, or ``mask * x / (1 - ratio)`` in training.

    The mask is a fixed function of the seed (by default 0), so that a run is repeatable.
    """
    x, is_last = call.stored()
    training = call.scalar(2, False)
    if tf.get_static_value(training) in (None, True):
        ratio = call.scalar(1, 0.5)
        noise = channels_last(_noise(call)) if is_last else model_layout(_noise(call))
        mask = (noise >= tf.cast(ratio, noise.dtype)) | ~training
        scale = tf.where(training, 1 / (1 - tf.cast(ratio, x.dtype)), tf.ones([], x.dtype))
        return [
            LayoutTensor(tf.where(mask, x * scale, tf.zeros_like(x)), is_last),
            LayoutTensor(mask, is_last),
        ]
    return [LayoutTensor(tf.identity(x), is_last), LayoutTensor(tf.ones_like(x, tf.bool), is_last)]


def _noise(call: Call) -> TensorValue:
    """Return uniform numbers in [0, 1) for every entry, from numpy where the shape is known."""
    seed = int(call.attribute("seed", 0))
    shape = model_shape(call.input())
    if all(isinstance(n, int) for n in shape):
        return Constant(np.random.RandomState(seed % 2**32).uniform(0.0, 1.0, shape))
    return LayoutTensor(tf.random.stateless_uniform(tf.stack(shape), (seed, 0), dtype=tf.float64))
