"""Convert GroupQueryAttention of the domain com.microsoft, which language models use."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.ops.activation import rounded_softmax
from kerasviz.importers.onnx.ops.attention import (
    attended,
    joined_heads,
    lengths,
    masked,
    repeated_heads,
    rotated,
    scored,
    split_heads,
)
from kerasviz.importers.onnx.registry import MICROSOFT, Call, operator
from kerasviz.types import Tensor

_UNSUPPORTED = {12: "k_scale", 13: "v_scale", 14: "q_norm_weight", 15: "k_norm_weight"}


@operator("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(call: Call) -> list[LayoutTensor]:
    """Compute ``softmax(cap(q k^T scale) + mask) v`` where several query heads share keys.

    ``past_key`` and ``past_value``, if given, end where the new tokens begin.
    """
    for index, name in _UNSUPPORTED.items():
        if call.has(index):
            raise call.error(f"input {name} is not supported; export the model without it")
    query, key, value = _heads(call)
    counts = tf.cast(call.tensor(5), tf.int32) + 1  # keys of each row, new ones included
    counts = tf.reshape(counts, [-1, 1])
    past = call.tensor(3) if call.has(3) else None
    first = 0 if past is None else tf.shape(past)[2]
    if call.attribute("do_rotary", 0):
        places = _places(call, query, first)
        query, key = (_rotated(call, part, places) for part in (query, key))
    if past is not None:
        key = tf.concat([past, key], 2)
        value = tf.concat([call.tensor(4), value], 2)
    bias = _bias(call, query, lengths(key)[2], first, counts)
    heads = int(call.attribute("num_heads"))
    scale = float(call.attribute("scale", 0.0)) or None
    cap = float(call.attribute("softcap", 0.0))
    scores = scored(query, repeated_heads(key, heads), bias, scale, cap)
    weights = _with_sink(call, scores.biased, scores.weights)
    y = joined_heads(attended(weights, repeated_heads(value, heads)))
    return [LayoutTensor(y), LayoutTensor(key), LayoutTensor(value)]


def _heads(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values [N, heads, tokens, size]; one input may pack all three."""
    heads, shared = int(call.attribute("num_heads")), int(call.attribute("kv_num_heads"))
    packed = call.tensor(0)
    if call.has(1):
        key, value = call.tensor(1), call.tensor(2)
        return split_heads(packed, heads), split_heads(key, shared), split_heads(value, shared)
    parts = split_heads(packed, heads + 2 * shared)
    query, key, value = tf.split(parts, [heads, shared, shared], 1)
    return query, key, value


def _places(call: Call, query: Tensor, first: Any) -> Tensor:
    """Return the positions of the new tokens, [N or 1, tokens]."""
    if call.has(9):
        return call.tensor(9)
    return (tf.range(lengths(query)[2]) + first)[tf.newaxis]


def _rotated(call: Call, x: Tensor, places: Tensor) -> Tensor:
    cos, sin = (tf.gather(call.tensor(k), places) for k in (7, 8))
    return rotated(x, cos, sin, bool(call.attribute("rotary_interleaved", 0)))


def _bias(call: Call, query: Tensor, keys: Any, first: Any, counts: Tensor) -> Tensor:
    """Return the bias of the scores, broadcast to [N, heads, queries, keys]."""
    places = tf.range(keys)
    bias = masked(places < counts[:, tf.newaxis, tf.newaxis], query.dtype)
    ahead = places[tf.newaxis] - (tf.range(lengths(query)[2])[:, tf.newaxis] + first)
    if call.attribute("causal", 1):
        bias = bias + masked(ahead <= 0, query.dtype)
    window = int(call.attribute("local_window_size", -1))
    if window >= 0:
        bias = bias + masked(-ahead < window, query.dtype)
    return bias + call.tensor(10) if call.has(10) else bias


def _with_sink(call: Call, scores: Tensor, weights: Tensor) -> Tensor:
    """Compute the softmax with one more entry per head, which has no value."""
    if not call.has(11) and int(call.attribute("smooth_softmax", 0)) != 1:
        return weights
    sink = tf.zeros([1], scores.dtype)
    if call.has(11):
        sink = tf.cast(call.tensor(11), scores.dtype)
    column = tf.broadcast_to(sink[:, tf.newaxis, tf.newaxis], tf.shape(scores[..., :1]))
    safe = tf.maximum(scores, scores.dtype.min / 2)  # all keys of a row may be excluded
    return rounded_softmax(tf.concat([safe, column], -1))[..., :-1]
