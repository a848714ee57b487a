"""Operations on the bits of whole numbers."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor, aligned
from kerasviz.importers.onnx.ops.activation import stored
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor

_BITWISE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "BitwiseAnd": tf.bitwise.bitwise_and,
    "BitwiseOr": tf.bitwise.bitwise_or,
    "BitwiseXor": tf.bitwise.bitwise_xor,
}


def _register() -> None:
    for name, binary in _BITWISE.items():

        def convert(call: Call, apply: Callable[[Tensor, Tensor], Tensor] = binary) -> LayoutTensor:
            (a, b), moved = aligned([call.input(0), call.input(1)])
            return LayoutTensor(apply(a, b), moved)

        operator(name, since=18, layout=Layout.FOLLOWS)(convert)


_register()


@operator("BitwiseNot", since=18, layout=Layout.FOLLOWS)
def bitwise_not(call: Call) -> LayoutTensor:
    """Every bit turned over."""
    x, moved = stored(call.input())
    return LayoutTensor(tf.bitwise.invert(x), moved)


@operator("BitShift", since=11, layout=Layout.FOLLOWS)
def bit_shift(call: Call) -> LayoutTensor:
    """The bits moved left or right by the second value.

    Beyond their number only the sign is left of a number that is moved right, and 0 else.
    """
    (a, b), moved = aligned([call.input(0), call.input(1)])
    way = call.attribute("direction")
    if way not in ("LEFT", "RIGHT"):
        raise call.error(f"direction {way!r}; expected LEFT or RIGHT")
    bits = tf.cast(8 * a.dtype.size, b.dtype)
    beyond = tf.logical_or(b >= bits, b < 0)
    last = tf.where(beyond, bits - 1, b)  # TensorFlow's own is undefined beyond the width
    if way == "LEFT":
        return LayoutTensor(
            tf.where(beyond, tf.zeros_like(a), tf.bitwise.left_shift(a, last)), moved
        )
    shifted = tf.bitwise.right_shift(a, last)
    if a.dtype.is_unsigned:
        shifted = tf.where(beyond, tf.zeros_like(a), shifted)
    return LayoutTensor(shifted, moved)
