"""Convert normalizations, in inference mode unless the model says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import finite_root, tensor_type, wide_float
from kerasviz.importers.onnx.layout import (
    Constant,
    LayoutTensor,
    TensorValue,
    aligned,
    model_layout,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator, stored
from kerasviz.types import Tensor


@operator("BatchNormalization", since=1, layout=Layout.IMAGE)
def batch_normalization(call: Call) -> Any:
    """Compute ``scale * (x - mean) / sqrt(variance + epsilon) + bias``.

    Mean and variance are stored, or in training those of the batch, which then are outputs too. In
    opsets below 9, ``spatial=0`` has statistics for every position instead of every channel.
    """
    x = call.channels_last(0)
    epsilon = float(call.attribute("epsilon", 1e-5))
    values = [call.input(k) for k in range(1, 5)]
    if _is_training(call):
        return _trained(call, x, [_channels_behind(p) for p in values], epsilon)
    if all(isinstance(p, Constant) for p in values):
        factor, offset = _folded(tuple(values), epsilon)
    else:
        parts = [_channels_behind(p) for p in values]
        factor, offset = _affine(parts, epsilon)
    return LayoutTensor(_applied(x, factor, offset), channels_last=x.shape.rank > 2)


def _is_training(call: Call) -> bool:
    """Return whether a node trains: before opset 14 its outputs include running statistics."""
    if call.node.opset >= 14:
        return bool(call.attribute("training_mode", 0))
    return sum(map(bool, call.node.outputs)) > 1 and not call.attribute("is_test", 0)


def _alike(parts: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors in the widest of their types."""
    wide = max((part.dtype for part in parts), key=lambda dtype: dtype.size)
    return [tf.cast(part, wide) for part in parts]


def _affine(parts: Sequence[Tensor], epsilon: float) -> tuple[Tensor, Tensor]:
    scale, bias, mean, variance = _alike(parts)
    factor = scale * tf.math.rsqrt(variance + epsilon)
    return factor, bias - mean * factor


def _applied(x: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    if x.dtype == factor.dtype:
        return x * factor + offset
    wide, factor, offset = _alike([x, factor, offset])
    return tf.cast(wide * factor + offset, x.dtype)


def _trained(call: Call, x: Tensor, parts: list[Tensor], epsilon: float) -> list[LayoutTensor]:
    scale, bias, mean, variance = parts
    momentum = float(call.attribute("momentum", 0.9))
    wide = tf.cast(x, wide_float(x.dtype))
    axes = list(range(x.shape.rank))
    axes = axes[:1] if not call.attribute("spatial", 1) or len(axes) == 1 else axes[:-1]
    now = tf.reduce_mean(wide, axes)
    spread = tf.reduce_mean(tf.square(wide - now), axes)
    factor, offset = _affine([scale, bias, now, spread], epsilon)
    made = [LayoutTensor(_applied(x, factor, offset), channels_last=x.shape.rank > 2)]
    for old, new in ((mean, now), (variance, spread)):
        old_part = tf.cast(old, new.dtype) * momentum
        running = tf.cast(old_part + tf.reshape(new, tf.shape(old)) * (1 - momentum), old.dtype)
        made.append(LayoutTensor(_channels_before(running)))
    # Before opset 14 the statistics of the batch were outputs too.
    return [
        *made,
        *(LayoutTensor(_channels_before(tf.cast(part, x.dtype))) for part in (now, spread)),
    ]


def _channels_before(tensor: Tensor) -> Tensor:
    rank = tensor.shape.rank
    return tensor if rank < 2 else tf.transpose(tensor, [rank - 1, *range(rank - 1)])


def _channels_behind(value: TensorValue) -> Tensor:
    tensor = model_layout(value)
    rank = tensor.shape.rank
    return tensor if rank < 2 else tf.transpose(tensor, [*range(1, rank), 0])


def _folded(parts: tuple[TensorValue, ...], epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the factor and offset of four constants, cached with the first of them."""
    arrays = [p.array for p in parts if isinstance(p, Constant)]
    wide = [a.astype(np.float64) for a in arrays]
    factor = wide[0] / np.sqrt(wide[3] + epsilon)
    offset = wide[1] - wide[2] * factor

    def behind(array: Any) -> Any:
        kept = array.astype(wide_float(tf.as_dtype(arrays[0].dtype)).as_numpy_dtype)
        return np.moveaxis(kept, 0, -1) if kept.ndim > 1 else kept

    owner = parts[0]
    assert isinstance(owner, Constant)
    key = (epsilon, *(id(p) for p in parts[1:]))  # they live as long as the graph
    return (
        owner.tensor(("factor", *key), lambda _: behind(factor)),
        owner.tensor(("offset", *key), lambda _: behind(offset)),
    )


@operator("LRN", since=1, layout=Layout.IMAGE)
def lrn(call: Call) -> LayoutTensor:
    """Compute ``x / (bias + alpha / size * sum of x^2 over size near channels) ^ beta``."""
    x = call.channels_last()
    size = int(call.attribute("size"))
    alpha = float(call.attribute("alpha", 1e-4)) / size
    beta = float(call.attribute("beta", 0.75))
    bias = float(call.attribute("bias", 1.0))
    if size % 2 and x.shape.rank == 4 and x.dtype in (tf.float32, tf.float16, tf.bfloat16):
        y = call.kernels.normalize(x, size // 2, bias, alpha, beta)
        return LayoutTensor(y, channels_last=True)
    channels = x.shape[-1]
    if channels is None:
        raise call.error("the number of channels is not known")
    before, after = (size - 1) // 2, size // 2
    offsets = np.arange(channels)[:, None] - np.arange(channels)[None]
    band = ((offsets >= -before) & (offsets <= after)).astype(x.dtype.as_numpy_dtype)
    sums = tf.tensordot(tf.square(x), band, 1)
    return LayoutTensor(x * tf.pow(bias + alpha * sums, -beta), channels_last=x.shape.rank > 2)


def moments(x: Tensor, axes: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``x`` minus its mean over ``axes``, the mean and the variance."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    apart = x - mean
    return apart, mean, tf.reduce_mean(tf.square(apart), axes, keepdims=True)


def _stashed(call: Call, x: Tensor) -> tuple[Tensor, Any]:
    """Return ``x`` in the type for its statistics, and the type in which to output these."""
    kept = tensor_type(call.attribute("stash_type", 1))
    return tf.cast(x, kept) if x.dtype.size < kept.size else x, kept


def _axes_behind(call: Call, value: TensorValue) -> tuple[Tensor, bool, list[int]]:
    """Return the stored value, whether channels are last, and the stored axes from ``axis`` on."""
    x, is_last = stored(value)
    rank = rank_of(value)
    first = int(call.attribute("axis", -1)) % rank
    return x, is_last, [stored_axis(axis, rank, is_last) for axis in range(first, rank)]


@operator("LayerNormalization", since=1, layout=Layout.FOLLOWS)
def layer_normalization(call: Call) -> list[LayoutTensor]:
    """Compute ``scale * (x - mean) / sqrt(variance + epsilon) + bias`` from ``axis`` on."""
    value = call.input(0)
    x, is_last, axes = _axes_behind(call, value)
    wide, kept = _stashed(call, x)
    apart, mean, variance = moments(wide, axes)
    inverse = tf.math.rsqrt(variance + float(call.attribute("epsilon", 1e-5)))
    y = scaled(LayoutTensor(tf.cast(apart * inverse, x.dtype), is_last), call, 1)
    statistics = [LayoutTensor(tf.cast(part, kept), is_last) for part in (mean, inverse)]
    return [y, *statistics]


@operator("RMSNormalization", since=23, layout=Layout.FOLLOWS)
def rms_normalization(call: Call) -> LayoutTensor:
    """Compute ``scale * x / sqrt(mean(x^2) + epsilon)`` over the axes from ``axis`` on."""
    x, is_last, axes = _axes_behind(call, call.input(0))
    wide, _ = _stashed(call, x)
    power = tf.reduce_mean(tf.square(wide), axes, keepdims=True)
    normal = wide * tf.math.rsqrt(power + float(call.attribute("epsilon", 1e-5)))
    return scaled(LayoutTensor(tf.cast(normal, call.tensor(1).dtype), is_last), call, 1)


def scaled(normal: LayoutTensor, call: Call, first: int) -> LayoutTensor:
    """Multiply ``normal`` by input ``first`` and add the input after it, where given."""
    if call.has(first):
        (x, scale), is_last = aligned([normal, call.input(first)])
        normal = LayoutTensor(x * scale, is_last)
    if call.has(first + 1):
        (x, bias), is_last = aligned([normal, call.input(first + 1)])
        normal = LayoutTensor(x + bias, is_last)
    return normal


@operator("InstanceNormalization", since=1, layout=Layout.IMAGE)
def instance_normalization(call: Call) -> LayoutTensor:
    """Compute ``scale * (x - mean) / sqrt(variance + epsilon) + bias`` per image and channel."""
    x = call.channels_last(0)
    wide = tf.cast(x, wide_float(x.dtype))
    apart, _, variance = moments(wide, list(range(1, x.shape.rank - 1)))
    normal = apart * tf.math.rsqrt(variance + float(call.attribute("epsilon", 1e-5)))
    scale, bias = (tf.cast(call.tensor(k), wide.dtype) for k in (1, 2))
    return LayoutTensor(tf.cast(normal * scale + bias, x.dtype), channels_last=x.shape.rank > 2)


@operator("GroupNormalization", since=18, layout=Layout.IMAGE)
def group_normalization(call: Call) -> LayoutTensor:
    """Compute channels normalized per image and group, with one scale and bias per group."""
    x = call.channels_last(0)
    groups = int(call.attribute("num_groups"))
    size = _group_size(call, x, groups)
    scale, bias = (tf.repeat(call.tensor(k), size) for k in (1, 2))
    return _grouped(call, x, groups, scale, bias)


@operator("GroupNormalization", since=21, layout=Layout.IMAGE)
def group_normalization_21(call: Call) -> LayoutTensor:
    """Compute channels normalized per image and group, with one scale and bias per channel."""
    x = call.channels_last(0)
    scale, bias = (call.tensor(k) for k in (1, 2))
    return _grouped(call, x, int(call.attribute("num_groups")), scale, bias)


def _group_size(call: Call, x: Tensor, groups: int) -> Any:
    channels = x.shape[-1]
    if channels is None:
        return tf.shape(x)[-1] // groups
    if channels % groups:
        raise call.error(f"{channels} channels in {groups} groups; expected a divisor")
    return channels // groups


def _grouped(call: Call, x: Tensor, groups: int, scale: Tensor, bias: Tensor) -> LayoutTensor:
    size = _group_size(call, x, groups)
    wide, _ = _stashed(call, x)
    normal = normalized_groups(wide, groups, size, float(call.attribute("epsilon", 1e-5)))
    y = tf.cast(normal, x.dtype) * scale + bias
    return LayoutTensor(y, channels_last=x.shape.rank > 2)


def normalized_groups(x: Tensor, groups: int, size: Any, epsilon: float) -> Tensor:
    """Compute ``(x - mean) / sqrt(variance + epsilon)`` of ``x`` [N, ..., C] per image and group.

    Means are taken over positions, then over the few channels of a group, so that the large tensor
    is never reshaped.
    """
    inner = list(range(1, x.shape.rank - 1))
    count = -1 if x.shape[0] is None else x.shape[0]

    def means(tensor: Tensor) -> Tensor:
        channels = tf.reduce_mean(tensor, inner)
        of_groups = tf.reduce_mean(tf.reshape(channels, [count, groups, size]), -1)
        spread = tf.repeat(of_groups, size, axis=-1)
        for _ in inner:
            spread = tf.expand_dims(spread, 1)
        return spread

    apart = x - means(x)
    return apart * tf.math.rsqrt(means(tf.square(apart)) + epsilon)


@operator("LpNormalization", since=1, layout=Layout.FOLLOWS)
def lp_normalization(call: Call) -> LayoutTensor:
    """Compute ``x`` divided by its 1- or 2-norm along an axis; 0 where the norm is 0."""
    x, is_last = call.stored()
    p = int(call.attribute("p", 2))
    if p not in (1, 2):
        raise call.error(f"p is {p}; expected 1 or 2")
    axis = stored_axis(int(call.attribute("axis", -1)), call.rank(), is_last)
    sums = tf.reduce_sum(tf.abs(x) if p == 1 else tf.square(x), axis, keepdims=True)
    return LayoutTensor(x / finite_root(tf.where(sums == 0, tf.ones_like(sums), sums), p), is_last)


@operator("MeanVarianceNormalization", since=1, layout=Layout.FOLLOWS)
def mean_variance_normalization(call: Call) -> LayoutTensor:
    """Compute ``(x - mean) / sqrt(variance)`` over positions, and over ``across_channels``."""
    axes = [
        *([1] if call.attribute("across_channels", 0) else []),
        *range(2, call.rank()),
    ]
    return _standardized(call, axes, divided=bool(call.attribute("normalize_variance", 1)))


@operator("MeanVarianceNormalization", since=9, layout=Layout.FOLLOWS)
def mean_variance_normalization_9(call: Call) -> LayoutTensor:
    """Compute ``(x - mean) / (sqrt(variance) + 1e-9)`` over ``axes``, by default with images."""
    return _standardized(call, list(call.attribute("axes", (0, 2, 3))), divided=True)


def _standardized(call: Call, own_axes: list[int], *, divided: bool) -> LayoutTensor:
    x, is_last = call.stored()
    axes = [stored_axis(int(axis), call.rank(), is_last) for axis in own_axes]
    wide = tf.cast(x, wide_float(x.dtype))
    apart, _, variance = moments(wide, axes)
    if not divided:
        return LayoutTensor(tf.cast(apart, x.dtype), is_last)
    return LayoutTensor(tf.cast(apart / (finite_root(variance) + 1e-9), x.dtype), is_last)
