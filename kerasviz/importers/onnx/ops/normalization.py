"""Normalizations as they are after the training."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, Laid, Operand, channels_last, own
from kerasviz.importers.onnx.registry import Call, Layout, operator

Tensor = Any


@operator("BatchNormalization", since=1, layout=Layout.IMAGE)
def batch_normalization(call: Call) -> Laid:
    """``scale * (x - mean) / sqrt(variance + epsilon) + bias`` with the stored mean and variance.

    In opsets below 9, ``spatial=0`` has statistics for every position, not only for channels.
    """
    if call.attribute("training_mode", 0):
        raise call.error("training_mode is on; export the model for inference")
    x = channels_last(call.input(0))
    epsilon = float(call.attribute("epsilon", 1e-5))
    scale, bias, mean, variance = (call.input(k) for k in range(1, 5))
    if all(isinstance(p, Constant) for p in (scale, bias, mean, variance)):
        factor, offset = _folded((scale, bias, mean, variance), epsilon)
    else:
        parts = [_channels_behind(p) for p in (scale, bias, mean, variance)]
        factor = parts[0] * tf.math.rsqrt(parts[3] + epsilon)
        offset = parts[1] - parts[2] * factor
    return Laid(x * factor + offset, moved=x.shape.rank > 2)


def _channels_behind(operand: Operand) -> Tensor:
    tensor = own(operand)
    rank = tensor.shape.rank
    return tensor if rank < 2 else tf.transpose(tensor, [*range(1, rank), 0])


def _folded(parts: tuple[Operand, ...], epsilon: float) -> tuple[Tensor, Tensor]:
    """Factor and offset of the four constants, kept with the first of them."""
    arrays = [p.array for p in parts if isinstance(p, Constant)]
    wide = [a.astype(np.float64) for a in arrays]
    factor = wide[0] / np.sqrt(wide[3] + epsilon)
    offset = wide[1] - wide[2] * factor

    def behind(array: Any) -> Any:
        kept = array.astype(arrays[0].dtype)
        return np.moveaxis(kept, 0, -1) if kept.ndim > 1 else kept

    owner = parts[0]
    assert isinstance(owner, Constant)
    key = (epsilon, *(id(p) for p in parts[1:]))  # they live as long as the graph does
    return (
        owner.tensor(("factor", *key), lambda _: behind(factor)),
        owner.tensor(("offset", *key), lambda _: behind(offset)),
    )


@operator("LRN", since=1, layout=Layout.IMAGE)
def lrn(call: Call) -> Laid:
    """``x / (bias + alpha / size * sum of x^2 over size near channels) ^ beta``."""
    x = channels_last(call.input())
    size = int(call.attribute("size"))
    alpha = float(call.attribute("alpha", 1e-4)) / size
    beta = float(call.attribute("beta", 0.75))
    bias = float(call.attribute("bias", 1.0))
    if size % 2 and x.shape.rank == 4 and x.dtype in (tf.float32, tf.float16, tf.bfloat16):
        y = tf.nn.local_response_normalization(x, size // 2, bias, alpha, beta)
        return Laid(y, moved=True)
    channels = x.shape[-1]
    if channels is None:
        raise call.error("the number of channels is not known")
    before, after = (size - 1) // 2, size // 2
    offsets = np.arange(channels)[:, None] - np.arange(channels)[None]
    band = ((offsets >= -before) & (offsets <= after)).astype(x.dtype.as_numpy_dtype)
    sums = tf.tensordot(tf.square(x), band, 1)
    return Laid(x * tf.pow(bias + alpha * sums, -beta), moved=x.shape.rank > 2)
