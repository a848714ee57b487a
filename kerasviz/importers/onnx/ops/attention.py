"""Convert attention, in full or as a recurrence, and its caches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import tensor_type, wide_float
from kerasviz.importers.onnx.layout import LayoutTensor, model_layout
from kerasviz.importers.onnx.ops.activation import rounded_softmax
from kerasviz.importers.onnx.registry import Call, Layout, body_outputs, operator
from kerasviz.types import Tensor


def lengths(x: Tensor) -> list[Any]:
    """Return the lengths of the axes: ints where they are known, else scalar tensors."""
    static = x.shape.as_list()
    if None not in static:
        return list(static)
    dynamic = tf.shape(x)
    return [dynamic[k] if n is None else n for k, n in enumerate(static)]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Reshape [N, tokens, heads * size] to [N, heads, tokens, size]."""
    count, tokens, width = lengths(x)
    return tf.transpose(tf.reshape(x, [count, tokens, heads, width // heads]), [0, 2, 1, 3])


def joined_heads(x: Tensor) -> Tensor:
    """Reshape [N, heads, tokens, size] to [N, tokens, heads * size]."""
    count, heads, tokens, size = lengths(x)
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [count, tokens, heads * size])


def repeated_heads(x: Tensor, heads: int) -> Tensor:
    """Repeat every head of [N, fewer, tokens, size], so that there are ``heads``."""
    fewer = lengths(x)[1]
    return x if isinstance(fewer, int) and fewer == heads else tf.repeat(x, heads // fewer, axis=1)


def product(a: Tensor, b: Tensor, *, transpose_b: bool = False) -> Tensor:
    """Multiply matrices in the type of ``a``; float16 is summed in float32."""
    wide = tf.float32 if a.dtype == tf.float16 else a.dtype
    y = tf.matmul(tf.cast(a, wide), tf.cast(b, wide), transpose_b=transpose_b)
    return tf.cast(y, a.dtype)


@dataclass(frozen=True)
class Scores:
    """Hold the products of queries and keys after every step on the way to the weights."""

    raw: Tensor
    capped: Tensor
    biased: Tensor
    weights: Tensor

    def at(self, mode: int) -> Tensor:
        """Return the step that ``qk_matmul_output_mode`` selects."""
        return (self.raw, self.capped, self.biased, self.weights)[mode]


def _usual_scale(x: Tensor) -> Tensor:
    """Return one over the square root of the number of features."""
    return 1 / tf.sqrt(tf.cast(lengths(x)[-1], tf.float64))


def _products(query: Tensor, key: Tensor, scale: float | None) -> Tensor:
    """Compute ``q k^T scale`` with the root of the scale in both factors, to avoid an overflow."""
    if scale is not None and scale < 0:
        return -_products(query, key, -scale)
    wide = tf.cast(_usual_scale(query) if scale is None else scale, tf.float64)
    factor = tf.cast(tf.sqrt(wide), query.dtype)
    return product(query * factor, key * factor, transpose_b=True)


def scored(
    query: Tensor,
    key: Tensor,
    bias: Tensor | None,
    scale: float | None,
    softcap: float = 0.0,
    precision: Any = None,
) -> Scores:
    """Compute ``softmax(cap(q k^T scale) + bias)``; rows whose keys are all excluded are 0."""
    raw = _products(query, key, scale)
    capped = raw if softcap == 0 else tf.tanh(raw / softcap) * softcap
    if bias is None:
        weights = rounded_softmax(capped if precision is None else tf.cast(capped, precision))
        return Scores(raw, capped, capped, tf.cast(weights, raw.dtype))
    biased = capped + bias
    excluded = tf.reduce_max(bias, -1, keepdims=True) == tf.constant(-np.inf, bias.dtype)
    # Excluded before the softmax; excluded after it, the gradient would be NaN.
    safe = tf.where(excluded, tf.zeros_like(biased), biased)
    weights = rounded_softmax(safe if precision is None else tf.cast(safe, precision))
    weights = tf.where(excluded, tf.zeros_like(weights), weights)
    return Scores(raw, capped, biased, tf.cast(weights, raw.dtype))


def attended(weights: Tensor, value: Tensor) -> Tensor:
    """Compute ``weights @ value`` in the type of the weights."""
    return product(weights, value)


def masked(allowed: Tensor, dtype: Any) -> Tensor:
    """Return the bias that excludes keys: 0 where ``allowed``, else minus infinity."""
    return tf.where(allowed, tf.zeros([], dtype), tf.constant(-np.inf, dtype))


def _precision(call: Call) -> Any:
    number = call.attribute("softmax_precision")
    return None if number is None else tensor_type(number)


def _scale(call: Call) -> float | None:
    scale = call.attribute("scale")
    return None if scale is None else float(scale)


@operator("Attention", since=23)
def attention(call: Call) -> list[LayoutTensor]:
    """Compute ``softmax(q k^T scale + bias) v`` per head, with masks, caches and a soft cap."""
    query, key, value = (call.tensor(k) for k in range(3))
    packed = query.shape.rank == 3
    if packed:
        heads, kv_heads = (call.attribute(n) for n in ("q_num_heads", "kv_num_heads"))
        if not heads or not kv_heads:
            raise call.error("inputs with 3 axes want the attributes q_num_heads and kv_num_heads")
        query = split_heads(query, heads)
        key, value = split_heads(key, kv_heads), split_heads(value, kv_heads)
    past = call.has(4)
    if past != call.has(5):
        raise call.error("past_key and past_value must be given together")
    if past and call.has(6):
        raise call.error("nonpad_kv_seqlen cannot be given with past_key")
    past_length = tf.shape(call.tensor(4))[2] if past else 0
    if past:
        key = tf.concat([call.tensor(4), key], 2)
        value = tf.concat([call.tensor(5), value], 2)
    bias = _bias(call, query, key, past_length)
    heads = lengths(query)[1]
    scores = scored(
        query,
        repeated_heads(key, heads),
        bias,
        _scale(call),
        float(call.attribute("softcap", 0.0)),
        _precision(call),
    )
    y = attended(scores.weights, repeated_heads(value, heads))
    mode = int(call.attribute("qk_matmul_output_mode", 0))
    return [
        LayoutTensor(joined_heads(y) if packed else y),
        LayoutTensor(key),
        LayoutTensor(value),
        LayoutTensor(scores.at(mode)),
    ]


def _bias(call: Call, query: Tensor, key: Tensor, past: Any) -> Tensor | None:
    """Return the sum of all masks, broadcast to [N, heads, queries, keys]; ``None`` if none."""
    queries, keys = lengths(query)[2], lengths(key)[2]
    parts = []
    if call.has(3):
        parts.append(_given_mask(call, query.dtype, keys))
    offset = past
    if call.has(6):
        counts = tf.cast(tf.reshape(call.tensor(6), [-1, 1, 1, 1]), tf.int32)
        offset = counts - queries
        parts.append(masked(tf.range(keys) < counts, query.dtype))
    ahead = tf.range(keys)[tf.newaxis] - (tf.range(queries)[:, tf.newaxis] + offset)
    left, right = (int(call.attribute(f"{s}_window_size", -1)) for s in ("left", "right"))
    if call.attribute("is_causal", 0):
        parts.append(masked(ahead <= 0, query.dtype))
    if left >= 0:
        parts.append(masked(-ahead <= left, query.dtype))
    if right >= 0:
        parts.append(masked(ahead <= right, query.dtype))
    if not parts:
        return None
    bias = parts[0]
    for part in parts[1:]:
        bias = bias + part
    return bias


def _given_mask(call: Call, dtype: Any, keys: Any) -> Tensor:
    """Return the mask as a bias; keys beyond its end are excluded."""
    mask = call.tensor(3)
    if mask.shape[-1] == 1 and call.node.opset < 24:
        missing: Any = 0  # the mask is broadcast
    else:
        missing = tf.maximum(keys - tf.shape(mask)[-1], 0)
    bias = masked(mask, dtype) if mask.dtype == tf.bool else tf.cast(mask, dtype)
    pads = [[0, 0]] * (mask.shape.rank - 1) + [[0, missing]]
    padded = tf.pad(bias, pads, constant_values=tf.constant(-np.inf, dtype))
    if isinstance(keys, int) and mask.shape[-1] is not None:
        padded = tf.ensure_shape(padded, [*mask.shape[:-1], max(keys, mask.shape[-1])])
    return padded if not isinstance(missing, int) else bias


@operator("FlexAttention", domain="ai.onnx.preview")
def flex_attention(call: Call) -> LayoutTensor:
    """Compute ``prob_mod(softmax(score_mod(q k^T scale))) v`` with graphs in both attributes."""
    query, key, value = (call.tensor(k) for k in range(3))
    if {query.shape.rank, key.shape.rank, value.shape.rank} != {4}:
        raise call.error("the inputs must have 4 axes")
    heads = lengths(query)[1]
    scores = _products(query, repeated_heads(key, heads), _scale(call))
    precision = _precision(call) or (query.dtype if query.dtype.size >= 4 else tf.float32)
    weights = _modified(call, "score_mod", tf.cast(scores, precision))
    weights = _modified(call, "prob_mod", rounded_softmax(weights))
    return LayoutTensor(tf.cast(attended(weights, repeated_heads(value, heads)), value.dtype))


def _modified(call: Call, name: str, tensor: Tensor) -> Tensor:
    if call.attribute(name) is None:
        return tensor
    (made,) = body_outputs(call, name, LayoutTensor(tensor))
    if not isinstance(made, LayoutTensor):
        raise call.error(f"{name} returns a value that does not depend on its input")
    return tf.cast(model_layout(made), tensor.dtype)


# -- rotary embedding ------------------------------------------------------------------------


def rotated(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """Rotate pairs of the first features of ``x`` [N, heads, tokens, size] by given angles.

    ``cos`` and ``sin`` [N or 1, tokens, pairs] determine how many features are rotated.
    """
    cos, sin = (tf.cast(tf.expand_dims(part, 1), x.dtype) for part in (cos, sin))
    width = 2 * lengths(cos)[-1]
    turned, kept = x[..., :width], x[..., width:]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = tf.split(turned, 2, -1)
    real, imaginary = cos * a - sin * b, sin * a + cos * b
    if interleaved:
        pairs = tf.stack([real, imaginary], -1)
        new = tf.reshape(pairs, [*lengths(turned)[:-1], width])
    else:
        new = tf.concat([real, imaginary], -1)
    return tf.concat([new, kept], -1)


@operator("RotaryEmbedding", since=23)
def rotary_embedding(call: Call) -> LayoutTensor:
    """Compute pairs of features rotated by the angles of their positions, given as cos and sin."""
    x = call.tensor(0)
    cos, sin = call.tensor(1), call.tensor(2)
    if call.has(3):
        places = call.tensor(3)
        cos, sin = tf.gather(cos, places), tf.gather(sin, places)
    packed = x.shape.rank == 3
    heads = int(call.attribute("num_heads", 0))
    if packed and not heads:
        raise call.error("an input with 3 axes wants the attribute num_heads")
    y = split_heads(x, heads) if packed else x
    y = rotated(y, cos, sin, bool(call.attribute("interleaved", 0)))
    return LayoutTensor(joined_heads(y) if packed else y)


# -- recurrences with a state ----------------------------------------------------------------


@operator("LinearAttention", since=1)
def linear_attention(call: Call) -> list[LayoutTensor]:
    """Compute ``s = exp(g) s + k (beta (v - s^T k))^T``, ``y = scale q^T s`` token by token.

    The update rule selects whether there is a decay ``g`` and a correction with ``beta``.
    """
    heads, kv_heads = (int(call.attribute(n, 0)) for n in ("q_num_heads", "kv_num_heads"))
    if heads < 1 or kv_heads < 1 or heads % kv_heads:
        raise call.error(f"{heads} query heads for {kv_heads} heads of keys; expected a multiple")
    rules = ("linear", "gated", "delta", "gated_delta")
    rule = call.choice("update_rule", *rules, default="gated_delta")
    query = call.tensor(0)
    wide = tf.float64 if query.dtype == tf.float64 else tf.float32

    def steps(index: int, count: int) -> Tensor:  # [tokens, N, heads, size]
        x = split_heads(call.tensor(index), count)
        return tf.transpose(tf.cast(x, wide), [2, 0, 1, 3])

    q, k, v = steps(0, heads), steps(1, kv_heads), steps(2, kv_heads)
    inputs = [k, v]
    if rule.startswith("gated"):
        inputs.append(steps(4, kv_heads))  # one number per head or per feature
    if rule.endswith("delta"):
        betas = call.tensor(5)
        inputs.append(steps(5, 1 if betas.shape[-1] == 1 else kv_heads))

    count, size, value_size = lengths(k)[1], lengths(k)[3], lengths(v)[3]
    kind = call.tensor(3).dtype if call.has(3) else query.dtype
    shape = [count, kv_heads, size, value_size]
    first = tf.cast(call.tensor(3), wide) if call.has(3) else tf.zeros(shape, wide)
    states = tf.scan(
        partial(_next_state, rule), inputs, first
    )  # [tokens, N, heads, size, value_size]
    scale = float(call.attribute("scale", 0.0)) or _usual_scale(q)
    read = tf.repeat(states, heads // kv_heads, axis=2)
    y = tf.einsum("tnhd,tnhdm->nhtm", q, read) * tf.cast(scale, wide)
    return [
        LayoutTensor(tf.cast(joined_heads(y), query.dtype)),
        LayoutTensor(tf.cast(states[-1], kind)),
    ]


def _next_state(rule: str, state: Tensor, parts: list[Tensor]) -> Tensor:
    key, value, *more = parts
    if rule.startswith("gated"):
        state = state * tf.exp(more[0])[..., tf.newaxis]
    if rule.endswith("delta"):
        value = more[-1] * (value - tf.einsum("nhdm,nhd->nhm", state, key))
    return state + key[..., tf.newaxis] * value[..., tf.newaxis, :]


@operator("CausalConvWithState", since=1, layout=Layout.IMAGE)
def causal_conv_with_state(call: Call) -> list[LayoutTensor]:
    """Compute a causal depthwise convolution, ``y[t] = sum of w[j] x[t - k + 1 + j]``."""
    x = call.channels_last(0)
    weight = tf.transpose(call.tensor(1)[:, 0])  # [k, C]
    size = weight.shape[0]
    if size is None:
        raise call.error("the size of the kernel depends on the data")
    wide = tf.cast(x, wide_float(x.dtype))
    count, length, channels = lengths(x)
    if call.has(3):
        before = call.channels_last(3)
    else:
        before = tf.zeros([count, size - 1, channels], x.dtype)
    wide = tf.concat([tf.cast(before, wide.dtype), wide], 1)
    y = tf.zeros([], wide.dtype)
    for j in range(size):
        y = y + wide[:, j : j + length] * tf.cast(weight[j], wide.dtype)
    if call.has(2):
        y = y + tf.cast(call.tensor(2), wide.dtype)
    activation = call.choice("activation", "none", "", "silu", "swish")
    y = y * tf.sigmoid(y) if activation in ("silu", "swish") else y
    state = tf.cast(wide[:, length:], x.dtype)
    return [
        LayoutTensor(tf.cast(y, x.dtype), channels_last=True),
        LayoutTensor(state, channels_last=True),
    ]


@operator("TensorScatter", since=24)
def tensor_scatter(call: Call) -> LayoutTensor:
    """Compute a cache with new entries along ``axis``, written from one position per image on."""
    cache, update = call.tensor(0), call.tensor(1)
    axis = int(call.attribute("axis", -2)) % cache.shape.rank
    mode = call.attribute("mode", "linear")
    if axis == 0 or mode not in ("linear", "circular"):
        raise call.error(f"axis {axis}, mode {mode!r}; expected linear or circular, not on axis 0")
    length, new = lengths(cache)[axis], lengths(update)[axis]
    places = tf.range(length)[tf.newaxis]
    if call.has(2):
        places = places - tf.cast(tf.reshape(call.tensor(2), [-1, 1]), tf.int32)
    else:
        places = tf.tile(places, [lengths(cache)[0], 1])
    if mode == "circular":
        places = tf.math.floormod(places, length)
    written = (places >= 0) & (places < new)
    found = tf.gather(update, tf.clip_by_value(places, 0, new - 1), axis=axis, batch_dims=1)
    for k in range(1, cache.shape.rank):
        written = written if k == axis else tf.expand_dims(written, k)
    return LayoutTensor(tf.where(written, found, cache))
