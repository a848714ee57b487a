"""Functions of square matrices."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import Laid, own
from kerasviz.importers.onnx.registry import Call, operator

Tensor = Any


@operator("Det", since=11)
def det(call: Call) -> Laid:
    """The determinant of the matrices in the last two axes."""
    x = own(call.input())
    narrow = x.dtype in (tf.float16, tf.bfloat16)
    y = tf.linalg.det(tf.cast(x, tf.float32) if narrow else x)
    return Laid(tf.cast(y, x.dtype))
