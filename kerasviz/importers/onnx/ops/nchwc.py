"""Convert the domain com.microsoft.nchwc, which onnxruntime's optimizer writes for CPUs.

Its values have blocks of 8 or 16 channels in memory; here they are images [N, C, H, W] whose number
of channels is filled up to whole blocks. :mod:`kerasviz.importers.onnx.blocked_weights` has brought
the weights into ONNX's order.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor, model_shape
from kerasviz.importers.onnx.ops.microsoft import fused_conv
from kerasviz.importers.onnx.ops.pool import average_pool, global_pool, max_pool
from kerasviz.importers.onnx.ops.resampling import Rule
from kerasviz.importers.onnx.ops.resize import scaled
from kerasviz.importers.onnx.registry import NCHWC, Call, Layout, operator

for _name, _convert in (
    ("Conv", fused_conv),
    ("MaxPool", max_pool),
    ("AveragePool", average_pool),
    ("GlobalMaxPool", partial(global_pool, apply=tf.reduce_max)),
    ("GlobalAveragePool", partial(global_pool, apply=tf.reduce_mean)),
):
    operator(_name, layout=Layout.IMAGE, domain=NCHWC)(_convert)


@operator("Upsample", layout=Layout.FOLLOWS, domain=NCHWC)
def upsample(call: Call) -> LayoutTensor:
    """Compute an image enlarged by whole numbers."""
    mode = str(call.attribute("mode", "nearest"))
    if mode not in ("nearest", "linear"):
        raise call.error(f"mode {mode!r}; expected nearest or linear")
    transform = str(call.attribute("coordinate_transformation_mode", "asymmetric"))
    factors = [float(n) for n in call.attribute("scales") or ()]
    if len(factors) == 2:
        factors = [1.0, 1.0, *factors]
    return scaled(call, factors, Rule(mode, "floor", transform))


@operator("ReorderInput", layout=Layout.IMAGE, domain=NCHWC)
def reorder_input(call: Call) -> LayoutTensor:
    """Compute the image with zeros for the channels that are missing in the last block."""
    x = call.tensor() if call.attribute("channels_last", 0) else call.channels_last()
    missing = -int(x.shape[-1]) % int(call.attribute("block", 8))
    return LayoutTensor(tf.pad(x, [[0, 0]] * 3 + [[0, missing]]), channels_last=True)


@operator("ReorderOutput", layout=Layout.IMAGE, domain=NCHWC)
def reorder_output(call: Call) -> LayoutTensor:
    """Compute the first ``channels`` of an image, in the axes [N, H, W, C] if asked for."""
    count = int(call.attribute("channels", 0)) or model_shape(call.input())[1]
    y = call.channels_last()[..., :count]
    return LayoutTensor(y, channels_last=not call.attribute("channels_last", 0))
