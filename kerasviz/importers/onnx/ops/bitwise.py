"""Convert operations on the bits of integers."""

from __future__ import annotations

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor, aligned
from kerasviz.importers.onnx.ops.activation import elementwise
from kerasviz.importers.onnx.ops.arithmetic import broadcasting
from kerasviz.importers.onnx.registry import Call, Layout, operator

broadcasting("BitwiseAnd", tf.bitwise.bitwise_and, since=18)
broadcasting("BitwiseOr", tf.bitwise.bitwise_or, since=18)
broadcasting("BitwiseXor", tf.bitwise.bitwise_xor, since=18)
elementwise("BitwiseNot", lambda _, x: tf.bitwise.invert(x), since=18)


@operator("BitShift", since=11, layout=Layout.FOLLOWS)
def bit_shift(call: Call) -> LayoutTensor:
    """Compute the bits shifted left or right by the second value.

    A shift by the width or more leaves 0, or the sign of a signed number that is shifted right.
    """
    (a, b), is_last = aligned([call.input(0), call.input(1)])
    way = call.choice("direction", "LEFT", "RIGHT", default="")
    bits = tf.cast(8 * a.dtype.size, b.dtype)
    beyond = tf.logical_or(b >= bits, b < 0)
    last = tf.where(beyond, bits - 1, b)  # TensorFlow's result is undefined beyond the width
    if way == "LEFT":
        return LayoutTensor(
            tf.where(beyond, tf.zeros_like(a), tf.bitwise.left_shift(a, last)), is_last
        )
    shifted = tf.bitwise.right_shift(a, last)
    if a.dtype.is_unsigned:
        shifted = tf.where(beyond, tf.zeros_like(a), shifted)
    return LayoutTensor(shifted, is_last)
