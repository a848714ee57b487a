"""Convert operators that ai.onnx had as experimental until opset 10.

Their schemas are in ``onnx/defs/experiments/defs.cc`` of ONNX 1.4; onnxruntime still runs some.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import tensor_type
from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.ops.activation import elementwise
from kerasviz.importers.onnx.ops.indexing import slice_10
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor


def _factor(call: Call, name: str, default: float = 1.0) -> float:
    return float(call.attribute(name, default))


elementwise("Affine", lambda call, x: _factor(call, "alpha") * x + _factor(call, "beta", 0.0))
elementwise("Scale", lambda call, x: _factor(call, "scale") * x)
elementwise(
    "ScaledTanh", lambda call, x: _factor(call, "alpha") * tf.tanh(_factor(call, "beta") * x)
)
elementwise(
    "ParametricSoftplus",
    lambda call, x: _factor(call, "alpha") * tf.nn.softplus(_factor(call, "beta") * x),
)


@operator("ImageScaler", layout=Layout.IMAGE)
def image_scaler(call: Call) -> LayoutTensor:
    """Compute ``scale * x + bias`` with a bias for each channel."""
    x = call.channels_last()
    y = _factor(call, "scale") * x
    bias = call.attribute("bias")
    return LayoutTensor(y if bias is None else y + tf.constant(bias, x.dtype), channels_last=True)


@operator("Crop", layout=Layout.IMAGE)
def crop(call: Call) -> LayoutTensor:
    """Compute the image without a border (left, top, right, bottom).

    With ``scale`` (height, width) it begins behind the left and upper border and has that size.
    """
    x = call.channels_last()
    border = [int(n) for n in call.attribute("border") or (0, 0, 0, 0)]
    if x.shape.rank != 4 or len(border) != 4 or min(border) < 0:
        raise call.error(f"border {border} of a value with {x.shape.rank} axes; expected 4 of both")
    left, top, right, bottom = border
    size = call.attribute("scale")
    if size is None:
        y = x[:, top : -bottom or None, left : -right or None]
    else:
        height, width = (int(n) for n in size)
        y = x[:, top : top + height, left : left + width]
        y = tf.ensure_shape(y, [x.shape[0], height, width, x.shape[3]])
    return LayoutTensor(y, channels_last=True)


operator("DynamicSlice", layout=Layout.FOLLOWS)(slice_10)


@operator("ConstantFill")
def constant_fill(call: Call) -> LayoutTensor:
    """Compute a tensor filled with ``value``."""
    dtype = tensor_type(call.attribute("dtype", 1))
    number = tf.cast(tf.constant(_factor(call, "value", 0.0)), dtype)
    return LayoutTensor(tf.fill(_filled_shape(call), number))


@operator("GivenTensorFill")
def given_tensor_fill(call: Call) -> LayoutTensor:
    """Compute a tensor of the numbers in ``values``."""
    numbers = tf.constant(np.asarray(call.attribute("values", ()), np.float32))
    return LayoutTensor(tf.reshape(numbers, _filled_shape(call)))


def _filled_shape(call: Call) -> Tensor:
    """Return the shape: an attribute, the input's entries or its shape, and ``extra_shape``."""
    given: Any = call.attribute("shape")
    if given is not None:
        return tf.constant(np.asarray(given, np.int64))
    x = call.tensor()
    as_shape = bool(call.attribute("input_as_shape", 0))
    begin = tf.cast(tf.reshape(x, [-1]), tf.int64) if as_shape else tf.shape(x, out_type=tf.int64)
    extra = np.asarray(call.attribute("extra_shape") or (), np.int64)
    return tf.concat([begin, extra], 0)


@operator("GRUUnit")
def gru_unit(call: Call) -> LayoutTensor:
    """Compute ``h' = u h + (1 - u) tanh(o)`` from the gates (reset, u, o) before activation.

    The reset gate has been applied before. Sequences that end before step ``t`` keep ``h``, or get
    0 with ``drop_states`` (caffe2/operators/gru_unit_op.h).
    """
    h, gates = call.tensor(0), call.tensor(1)
    _, update, output = tf.split(gates, 3, -1)
    u = tf.sigmoid(update)
    new = u * h + (1 - u) * tf.tanh(output)
    lengths, t = tf.cast(call.tensor(2), tf.float32), tf.cast(call.scalar(3), tf.float32)
    alive = tf.reshape(t < lengths, [-1, 1])  # rows of [..., batch, hidden]
    ended = tf.zeros_like(h) if call.attribute("drop_states", 0) else h
    return LayoutTensor(tf.where(alive, new, ended))
