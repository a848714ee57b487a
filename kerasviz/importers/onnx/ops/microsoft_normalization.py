"""Convert normalizations of the domain com.microsoft, of sums and of embeddings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import tensorflow as tf

from kerasviz.importers.onnx.element_types import wide_float
from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.ops.normalization import normalized_groups
from kerasviz.importers.onnx.ops.quantization import dequantized
from kerasviz.importers.onnx.registry import MICROSOFT, Call, operator
from kerasviz.types import Tensor


def _normalized(x: Tensor, epsilon: float, *, centred: bool = True) -> tuple[Tensor, ...]:
    """Return ``x`` normalized over its last axis, its mean, and one over its deviation."""
    wide = tf.cast(x, wide_float(x.dtype))
    mean = tf.reduce_mean(wide, -1, keepdims=True)
    apart = wide - mean if centred else wide
    power = tf.reduce_mean(tf.square(apart), -1, keepdims=True)
    inverse_deviation = tf.math.rsqrt(power + epsilon)
    return tf.cast(apart * inverse_deviation, x.dtype), mean, inverse_deviation


@operator("SimplifiedLayerNormalization", domain=MICROSOFT)
@operator("SimplifiedLayerNormalization")
def simplified_layer_normalization(call: Call) -> list[LayoutTensor]:
    """Compute ``scale * x / sqrt(mean(x^2) + epsilon)`` over the axes from ``axis`` on."""
    x, scale = call.tensor(0), call.tensor(1)
    rank = x.shape.rank
    axes = list(range(int(call.attribute("axis", -1)) % rank, rank))
    wide = tf.cast(x, wide_float(x.dtype))
    power = tf.reduce_mean(tf.square(wide), axes, keepdims=True)
    factor = tf.math.rsqrt(power + float(call.attribute("epsilon", 1e-5)))
    return [LayoutTensor(tf.cast(wide * factor, scale.dtype) * scale), LayoutTensor(factor)]


def _skipped(call: Call, bias: int, *, centred: bool) -> list[LayoutTensor]:
    """Compute the normalization of ``x + skip + bias`` over the last axis, and that sum.

    It is the layer normalization, or the RMS normalization where it is not ``centred``.
    """
    total = call.tensor(0) + call.tensor(1)
    if call.has(bias):
        total = total + call.tensor(bias)
    epsilon = float(call.attribute("epsilon", 1e-12))
    normal, mean, inverse_deviation = _normalized(total, epsilon, centred=centred)
    y = normal * call.tensor(2)
    if centred and call.has(3):
        y = y + call.tensor(3)
    return [
        LayoutTensor(y),
        LayoutTensor(mean),
        LayoutTensor(inverse_deviation),
        LayoutTensor(total),
    ]


for _name, _bias, _centred in (
    ("SkipLayerNormalization", 4, True),
    ("SkipSimplifiedLayerNormalization", 3, False),
):
    operator(_name, domain=MICROSOFT)(partial(_skipped, bias=_bias, centred=_centred))


@operator("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(call: Call) -> list[LayoutTensor]:
    """Compute the layer normalization of the sum of token, position and segment embeddings."""
    tokens = call.tensor(0)
    length = tf.shape(tokens)[1]
    total = tf.gather(call.tensor(2), tokens)
    positions = call.tensor(8) if call.has(8) else tf.range(length)[tf.newaxis]
    total = total + tf.gather(call.tensor(3), positions)
    if call.has(1) and call.has(4):
        total = total + tf.gather(call.tensor(4), call.tensor(1))
    normal, _, _ = _normalized(total, float(call.attribute("epsilon", 1e-12)))
    y = normal * call.tensor(5) + call.tensor(6)
    counts = tf.zeros_like(tokens[:, 0], tf.int32)
    if call.has(7):
        counts = tf.reduce_sum(tf.cast(call.tensor(7) == 1, tf.int32), 1)
    return [LayoutTensor(y), LayoutTensor(counts), LayoutTensor(total)]


@operator("QEmbedLayerNormalization", domain=MICROSOFT)
def quantized_embed_layer_normalization(call: Call) -> list[LayoutTensor]:
    """Compute EmbedLayerNormalization with quantized tables, scale and bias."""
    tables = [
        dequantized(call.input(k), call.input(k + 6), call.input(k + 11)) if call.has(k) else None
        for k in range(2, 7)
    ]
    inputs = (*call.inputs[:2], *tables, call.optional(7))
    return embed_layer_normalization(replace(call, inputs=inputs))


@operator("GroupNorm", domain=MICROSOFT)
@operator("SkipGroupNorm", domain=MICROSOFT)
def group_norm(call: Call) -> list[LayoutTensor]:
    """Compute ``x + skip + bias`` normalized per image and group, then an optional SiLU."""
    behind = bool(call.attribute("channels_last", 1))
    x = call.tensor(0) if behind else call.channels_last(0)
    if call.has(3):
        skip = call.tensor(3) if behind else call.channels_last(3)
        if skip.shape.rank == 2:
            skip = skip[:, tf.newaxis, tf.newaxis]
        x = x + skip
    if call.has(4):
        x = x + call.tensor(4)
    groups, channels = int(call.attribute("groups")), x.shape[-1]
    if channels is None or channels % groups:
        raise call.error(f"{channels} channels in {groups} groups; expected a divisor")
    wide = tf.cast(x, wide_float(x.dtype))
    epsilon = float(call.attribute("epsilon", 1e-5))
    y = normalized_groups(wide, groups, channels // groups, epsilon)
    y = y * tf.cast(call.tensor(1), y.dtype) + tf.cast(call.tensor(2), y.dtype)
    y = y * tf.sigmoid(y) if call.attribute("activation", 0) else y
    return [LayoutTensor(tf.cast(y, x.dtype), not behind), LayoutTensor(x, not behind)]
