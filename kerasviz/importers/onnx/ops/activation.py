"""Activations: elementwise functions of one value, and the softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.axes import softmax_axes
from kerasviz.importers.onnx.layout import Constant, Laid, Operand, aligned, rank_of, stored_axis
from kerasviz.importers.onnx.registry import Call, Layout, operator

Tensor = Any


def stored(operand: Operand) -> tuple[Tensor, bool]:
    """The tensor as it is stored, and whether it is moved."""
    if isinstance(operand, Constant):
        return operand.tensor(), False
    return operand.tensor, operand.moved


def _unary(name: str, apply: Callable[[Call, Tensor], Tensor], since: int = 1) -> None:
    def convert(call: Call) -> Laid:
        x, moved = stored(call.input())
        return Laid(apply(call, x), moved)

    operator(name, since, Layout.FOLLOWS)(convert)


def _number(call: Call, name: str, default: float) -> float:
    return float(call.attribute(name, default))


_unary("Relu", lambda call, x: call.rectifier.relu(x))
_unary("Sigmoid", lambda call, x: tf.sigmoid(x))
_unary("Tanh", lambda call, x: tf.tanh(x))
_unary("Softplus", lambda call, x: tf.nn.softplus(x))
_unary("Softsign", lambda call, x: tf.nn.softsign(x))
_unary("LeakyRelu", lambda call, x: tf.nn.leaky_relu(x, _number(call, "alpha", 0.01)))
_unary("Mish", lambda call, x: x * tf.tanh(tf.nn.softplus(x)), since=18)
_unary("Gelu", lambda call, x: tf.nn.gelu(x, call.attribute("approximate") == "tanh"), since=20)
_unary("Identity", lambda call, x: tf.identity(x))


@operator("HardSigmoid", layout=Layout.FOLLOWS)
def hard_sigmoid(call: Call) -> Laid:
    """``clip(alpha * x + beta, 0, 1)``."""
    x, moved = stored(call.input())
    line = _number(call, "alpha", 0.2) * x + _number(call, "beta", 0.5)
    return Laid(tf.clip_by_value(line, 0.0, 1.0), moved)


@operator("HardSwish", since=14, layout=Layout.FOLLOWS)
def hard_swish(call: Call) -> Laid:
    """``x * clip(x / 6 + 1 / 2, 0, 1)``."""
    x, moved = stored(call.input())
    return Laid(x * tf.clip_by_value(x / 6 + 0.5, 0.0, 1.0), moved)


@operator("Elu", layout=Layout.FOLLOWS)
def elu(call: Call) -> Laid:
    """``x`` above 0, ``alpha * (exp(x) - 1)`` below."""
    x, moved = stored(call.input())
    low = _number(call, "alpha", 1.0) * tf.math.expm1(tf.minimum(x, 0))
    return Laid(tf.where(x > 0, x, low), moved)


@operator("Selu", layout=Layout.FOLLOWS)
def selu(call: Call) -> Laid:
    """``gamma * elu(x)``."""
    x, moved = stored(call.input())
    alpha = _number(call, "alpha", 1.67326319217681884765625)
    gamma = _number(call, "gamma", 1.05070102214813232421875)
    low = alpha * tf.math.expm1(tf.minimum(x, 0))
    return Laid(gamma * tf.where(x > 0, x, low), moved)


@operator("Celu", since=12, layout=Layout.FOLLOWS)
def celu(call: Call) -> Laid:
    """``x`` above 0, ``alpha * (exp(x / alpha) - 1)`` below."""
    x, moved = stored(call.input())
    alpha = _number(call, "alpha", 1.0)
    return Laid(tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0) / alpha)), moved)


@operator("ThresholdedRelu", since=10, layout=Layout.FOLLOWS)
def thresholded_relu(call: Call) -> Laid:
    """``x`` above ``alpha``, else 0."""
    x, moved = stored(call.input())
    return Laid(tf.where(x > _number(call, "alpha", 1.0), x, tf.zeros_like(x)), moved)


@operator("PRelu", layout=Layout.FOLLOWS)
def prelu(call: Call) -> Laid:
    """``x`` above 0, ``slope * x`` below; the slope is broadcast."""
    (x, slope), moved = aligned([call.input(0), call.input(1)])
    return Laid(tf.where(x > 0, x, slope * x), moved)


def _clipped(call: Call, low: float, high: float) -> Laid:
    """A clip to [0, 6] is a ReLU6, one to [0, inf) is a ReLU, whatever it was exported from."""
    x, moved = stored(call.input())
    if low == 0 and high == 6:
        return Laid(call.rectifier.relu6(x), moved)
    if low == 0 and high >= x.dtype.max:
        return Laid(call.rectifier.relu(x), moved)
    y = tf.maximum(x, tf.cast(low, x.dtype)) if low > x.dtype.min else x
    return Laid(tf.minimum(y, tf.cast(high, x.dtype)) if high < x.dtype.max else y, moved)


@operator("Clip", since=1, layout=Layout.FOLLOWS)
def clip(call: Call) -> Laid:
    """``min(max(x, min), max)`` with the bounds as attributes."""
    return _clipped(call, _number(call, "min", -math.inf), _number(call, "max", math.inf))


@operator("Clip", since=11, layout=Layout.FOLLOWS)
def clip_11(call: Call) -> Laid:
    """``min(max(x, min), max)`` with the bounds as inputs."""
    known = [not call.has(k) or isinstance(call.inputs[k], Constant) for k in (1, 2)]
    if all(known):
        low, high = call.constant(1, "min"), call.constant(2, "max")
        return _clipped(
            call,
            -math.inf if low is None else low.item(),
            math.inf if high is None else high.item(),
        )
    x, moved = stored(call.input())
    y = tf.maximum(x, stored(call.input(1))[0]) if call.has(1) else x
    return Laid(tf.minimum(y, stored(call.input(2))[0]) if call.has(2) else y, moved)


def _softmax(call: Call, log: bool) -> Laid:
    operand = call.input()
    x, moved = stored(operand)
    rank = rank_of(operand)
    axes = [stored_axis(axis, rank, moved) for axis in softmax_axes(call.node, rank)]
    long = [axis for axis in axes if x.shape[axis] != 1] or axes[:1]
    if not axes:  # cut behind the last axis: every entry is alone
        return Laid(tf.zeros_like(x) if log else tf.ones_like(x), moved)
    if len(long) == 1:
        apply = tf.nn.log_softmax if log else tf.nn.softmax
        return Laid(apply(x, long[0]), moved)
    shifted = x - tf.reduce_logsumexp(x, long, keepdims=True)
    return Laid(shifted if log else tf.exp(shifted), moved)


@operator("Softmax", layout=Layout.FOLLOWS)
def softmax(call: Call) -> Laid:
    """``exp(x) / sum(exp(x))`` over the axes of :func:`softmax_axes`."""
    return _softmax(call, log=False)


@operator("LogSoftmax", layout=Layout.FOLLOWS)
def log_softmax(call: Call) -> Laid:
    """The logarithm of the softmax."""
    return _softmax(call, log=True)


@operator("Dropout", layout=Layout.FOLLOWS)
def dropout(call: Call) -> list[Laid | None]:
    """The identity, as after the training; the mask keeps all."""
    x, moved = stored(call.input())
    training = call.has(2) and bool(call.constant(2, "training_mode").item())
    if training and call.attribute("ratio", 0.5):
        raise call.error("training_mode is on; export the model for inference")
    mask = tf.ones_like(x, tf.bool if call.node.opset >= 10 else x.dtype)
    return [Laid(tf.identity(x), moved), Laid(mask, moved)]
