"""Convert operators of the domain com.microsoft, into which onnxruntime fuses standard ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import wide_float
from kerasviz.importers.onnx.layout import LayoutTensor, aligned
from kerasviz.importers.onnx.ops.conv import conv
from kerasviz.importers.onnx.ops.cumulative import trilu
from kerasviz.importers.onnx.ops.linear import gemm, multiplied
from kerasviz.importers.onnx.registry import MICROSOFT, Call, Layout, operator
from kerasviz.types import Tensor

# -- activations -----------------------------------------------------------------------------


_exact_gelu = partial(tf.nn.gelu, approximate=False)
_fast_gelu = partial(tf.nn.gelu, approximate=True)


def _of_sum(call: Call, apply: Callable[[Tensor], Tensor]) -> LayoutTensor:
    """Compute a function of the sum of all inputs, such as ``x + bias + skip``."""
    xs, is_last = aligned([call.input(k) for k in range(len(call.inputs)) if call.has(k)])
    return LayoutTensor(apply(sum(xs[1:], xs[0])), is_last)


for _name, _apply in (
    ("Gelu", _exact_gelu),
    ("BiasGelu", _exact_gelu),
    ("FastGelu", _fast_gelu),
    ("BiasAdd", tf.identity),
):
    operator(_name, layout=Layout.FOLLOWS, domain=MICROSOFT)(partial(_of_sum, apply=_apply))


@operator("QuickGelu", layout=Layout.FOLLOWS, domain=MICROSOFT)
def quick_gelu(call: Call) -> LayoutTensor:
    """Compute ``x * sigmoid(alpha * x)``."""
    x, is_last = call.stored()
    return LayoutTensor(x * tf.sigmoid(float(call.attribute("alpha", 1.702)) * x), is_last)


@operator("BiasSplitGelu", domain=MICROSOFT)
def bias_split_gelu(call: Call) -> LayoutTensor:
    """Compute ``a * gelu(b)`` with the halves a and b of the last axis of ``x + bias``."""
    a, b = tf.split(call.tensor(0) + call.tensor(1), 2, -1)
    return LayoutTensor(a * _exact_gelu(b))


@operator("BiasSoftmax", domain=MICROSOFT)
def bias_softmax(call: Call) -> LayoutTensor:
    """Compute the softmax of ``x + bias`` over the axes from ``axis`` on."""
    x = call.tensor(0) + call.tensor(1)
    rank = x.shape.rank
    axes = list(range(int(call.attribute("axis", 1)) % rank, rank))
    return LayoutTensor(tf.exp(x - tf.reduce_logsumexp(x, axes, keepdims=True)))


_ACTIVATIONS: dict[str, Callable[[Tensor, Sequence[float]], Tensor]] = {
    "Tanh": lambda x, _: tf.tanh(x),
    "Sigmoid": lambda x, _: tf.sigmoid(x),
    "LeakyRelu": lambda x, p: tf.nn.leaky_relu(x, *p[:1]),
    "Clip": lambda x, p: tf.clip_by_value(x, p[0], p[1]),
    "HardSigmoid": lambda x, p: tf.clip_by_value(p[0] * x + p[1], 0.0, 1.0),
}
_DEFAULTS = {"LeakyRelu": (0.01,), "HardSigmoid": (0.2, 0.5)}


def activated(call: Call, x: Tensor) -> Tensor:
    """Apply the activation that is fused into the node."""
    name = call.attribute("activation", "")
    given = call.attribute("activation_params")
    if given is None:
        given = [call.attribute(f"activation_{n}") for n in ("alpha", "beta")]
        given = [number for number in given if number is not None]
    numbers = [*given, *_DEFAULTS.get(name, ())[len(given) :]]
    if name == "":
        return x
    if name == "Relu":
        return call.kernels.relu(x)
    if name not in _ACTIVATIONS or (name == "Clip" and len(numbers) < 2):
        raise call.error(f"activation {name!r} with {numbers}; expected Relu, Tanh, Sigmoid ...")
    return _ACTIVATIONS[name](x, numbers)


# -- products and convolutions ---------------------------------------------------------------


@operator("FusedConv", layout=Layout.IMAGE, domain=MICROSOFT)
def fused_conv(call: Call) -> LayoutTensor:
    """Compute ``activation(conv(x) + z)``."""
    y = conv(call)
    if call.has(3):
        parts, is_last = aligned([y, call.input(3)])
        y = LayoutTensor(parts[0] + parts[1], is_last)
    return LayoutTensor(activated(call, y.tensor), y.channels_last)


@operator("NhwcConv", domain=MICROSOFT)
@operator("NhwcFusedConv", domain=MICROSOFT)
def nhwc_conv(call: Call) -> LayoutTensor:
    """Compute ``activation(conv(x) + z)`` for a model whose channels are last."""
    x = LayoutTensor(call.tensor(0), channels_last=True)
    y = conv(replace(call, inputs=(x, *call.inputs[1:]))).tensor
    return LayoutTensor(activated(call, y + call.tensor(3) if call.has(3) else y))


@operator("FusedGemm", domain=MICROSOFT)
def fused_gemm(call: Call) -> LayoutTensor:
    """Compute ``activation(alpha * A @ B + beta * C)``."""
    inner = {k: v for k, v in call.node.attributes.items() if not k.startswith("activation")}
    y = gemm(replace(call, node=replace(call.node, attributes=inner)))
    return LayoutTensor(activated(call, y.tensor), y.channels_last)


@operator("FusedMatMul", domain=MICROSOFT)
@operator("TransposeMatMul", domain=MICROSOFT)
@operator("FusedMatMulActivation", domain=MICROSOFT)
def fused_matmul(call: Call) -> LayoutTensor:
    """Compute ``activation(alpha * A @ B)``, with A and B transposed by the attributes."""
    a, b = (_turned(call, k, name) for k, name in enumerate("AB"))
    y = multiplied(a, b) * tf.cast(float(call.attribute("alpha", 1.0)), a.dtype)
    return LayoutTensor(activated(call, y))


def _turned(call: Call, index: int, name: str) -> Tensor:
    x = call.tensor(index)
    rank = x.shape.rank
    if call.attribute(f"transBatch{name}", 0) and rank > 2:  # [M, batches, K]
        x = tf.transpose(x, [*range(1, rank - 1), 0, rank - 1])
    turned = call.attribute(f"trans{name}", 0) and rank > 1
    return tf.linalg.matrix_transpose(x) if turned else x


@operator("GemmFastGelu", domain=MICROSOFT)
def gemm_fast_gelu(call: Call) -> LayoutTensor:
    """Compute ``fast_gelu(x @ w + bias)``."""
    y = multiplied(call.tensor(0), call.tensor(1))
    return LayoutTensor(_fast_gelu(y + call.tensor(2) if call.has(2) else y))


@operator("Inverse", domain=MICROSOFT)
def inverse(call: Call) -> LayoutTensor:
    """Compute the inverse of square matrices."""
    x = call.tensor()
    return LayoutTensor(tf.cast(tf.linalg.inv(tf.cast(x, wide_float(x.dtype))), x.dtype))


operator("Trilu", domain=MICROSOFT)(trilu)


# -- regions ---------------------------------------------------------------------------------


@operator("CropAndResize", layout=Layout.IMAGE, domain=MICROSOFT)
def crop_and_resize(call: Call) -> LayoutTensor:
    """Compute boxes [y1, x1, y2, x2], in units of the image's sides, sampled at a grid."""
    x = call.channels_last(0)
    if call.rank() != 4:
        raise call.error("the input must have 4 axes")
    boxes, images = call.tensor(1), tf.cast(call.tensor(2), tf.int32)
    size = [int(n) for n in call.constant(3, "crop_size").reshape(-1)]
    mode = call.choice("mode", "bilinear", "nearest")
    places, sides = [], []
    for k in range(2):
        side = tf.shape(x)[1 + k] - 1
        last = tf.cast(side, x.dtype)
        steps = np.linspace(0.0, 1.0, size[k]) if size[k] > 1 else np.array([0.5])
        steps = tf.constant(steps, x.dtype)[tf.newaxis]
        low, high = boxes[:, k, tf.newaxis], boxes[:, k + 2, tf.newaxis]
        places.append((low + (high - low) * steps) * last)
        sides.append(side)
    rows, columns = places[0][:, :, tf.newaxis], places[1][:, tf.newaxis]
    y = _sampled(x, images[:, tf.newaxis, tf.newaxis], (rows, columns), sides, mode)
    inside = (rows >= 0) & (rows <= tf.cast(sides[0], x.dtype))
    inside = inside & (columns >= 0) & (columns <= tf.cast(sides[1], x.dtype))
    outer = tf.cast(float(call.attribute("extrapolation_value", 0.0)), x.dtype)
    return LayoutTensor(tf.where(inside[..., tf.newaxis], y, outer), channels_last=True)


def _sampled(x: Tensor, images: Tensor, at: tuple[Tensor, Tensor], sides: Any, mode: str) -> Tensor:
    def entries(row: Tensor, column: Tensor) -> Tensor:
        row, column = (
            tf.clip_by_value(tf.cast(part, tf.int32), 0, side)
            for part, side in zip((row, column), sides, strict=True)
        )
        shape = tf.broadcast_dynamic_shape(tf.shape(row), tf.shape(column))
        parts = [tf.broadcast_to(part, shape) for part in (images, row, column)]
        return tf.gather_nd(x, tf.stack(parts, -1))

    rows, columns = at
    if mode == "nearest":
        return entries(tf.round(rows), tf.round(columns))
    top, left = tf.floor(rows), tf.floor(columns)
    down, right = (rows - top)[..., tf.newaxis], (columns - left)[..., tf.newaxis]
    upper = entries(top, left) * (1 - right) + entries(top, left + 1) * right
    lower = entries(top + 1, left) * (1 - right) + entries(top + 1, left + 1) * right
    return upper * (1 - down) + lower * down
