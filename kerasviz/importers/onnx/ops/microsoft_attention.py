"""Convert attention of the domain com.microsoft, which onnxruntime fuses from whole layers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.ops.attention import (
    attended,
    joined_heads,
    lengths,
    masked,
    rotated,
    scored,
    split_heads,
)
from kerasviz.importers.onnx.ops.linear import multiplied
from kerasviz.importers.onnx.ops.quantized import along, number, product
from kerasviz.importers.onnx.registry import MICROSOFT, Call, operator
from kerasviz.types import Tensor


@operator("Attention", domain=MICROSOFT)
def attention(call: Call) -> list[LayoutTensor]:
    """Compute ``softmax(q k^T scale + mask) v`` per head, with q, k and v from one product."""
    joint = multiplied(call.tensor(0), call.tensor(1))
    if call.has(2):
        joint = joint + call.tensor(2)
    return _of_joint(call, joint, mask=3, past_at=4, added=5)


@operator("QAttention", domain=MICROSOFT)
def quantized_attention(call: Call) -> list[LayoutTensor]:
    """Compute attention with a quantized input and quantized weights; the rest is in float32."""
    zeros = call.optional(6), call.optional(7)
    sums = product(call.input(0), call.input(1), zeros, call)
    factor = number(call.input(3)) * along(call.input(4), sums.shape.rank, sums.shape.rank - 1)
    joint = tf.cast(sums, tf.float32) * factor + call.tensor(2)
    return _of_joint(call, joint, mask=5, past_at=8, added=9)


def _of_joint(
    call: Call, joint: Tensor, *, mask: int, past_at: int, added: int
) -> list[LayoutTensor]:
    """Compute attention from concatenated queries, keys and values."""
    for name in ("do_rotary", "past_present_share_buffer"):
        if call.attribute(name, 0):
            raise call.error(f"{name} is not supported; export the model without it")
    heads = int(call.attribute("num_heads"))
    sizes = call.attribute("qkv_hidden_sizes") or 3
    query, key, value = (split_heads(part, heads) for part in tf.split(joint, sizes, -1))
    past = 0
    if call.has(past_at):
        before = call.tensor(past_at)  # [2, N, heads, tokens, size]
        past = tf.shape(before)[3]
        key, value = tf.concat([before[0], key], 2), tf.concat([before[1], value], 2)
    bias = _bias(call, query, key, (mask, added), past)
    y = attended(scored(query, key, bias, _scale(call)).weights, value)
    present = [] if call.attribute("qkv_hidden_sizes") else [LayoutTensor(tf.stack([key, value]))]
    return [LayoutTensor(joined_heads(y)), *present]


def _scale(call: Call) -> float | None:
    return float(call.attribute("scale", 0.0)) or None


def _bias(
    call: Call, query: Tensor, key: Tensor, inputs: tuple[int, int], past: Any
) -> Tensor | None:
    """Return the sum of the mask and the added scores, which are at ``inputs``."""
    parts = []
    queries, keys = lengths(query)[2], lengths(key)[2]
    mask, added = inputs
    if call.has(mask):
        allowed = _allowed(call, call.tensor(mask), query, keys)
        filtered = tf.constant(float(call.attribute("mask_filter_value", -1e4)), query.dtype)
        parts.append(tf.where(allowed, tf.zeros_like(filtered), filtered))
    if call.has(added):
        parts.append(call.tensor(added))
    if call.attribute("unidirectional", 0):
        last = tf.range(queries)[:, tf.newaxis] + past
        parts.append(masked(tf.range(keys)[tf.newaxis] <= last, query.dtype))
    return sum(parts[1:], parts[0]) if parts else None


def _allowed(call: Call, mask: Tensor, query: Tensor, keys: Any) -> Tensor:
    """Return which keys take part, broadcast to [N, heads, queries, keys].

    A mask with one axis has the length of every row, or all ends followed by all starts.
    """
    rank = mask.shape.rank
    if rank == 2:
        return mask[:, tf.newaxis, tf.newaxis] > 0
    if rank == 3:
        return mask[:, tf.newaxis] > 0
    if rank != 1:
        raise call.error(f"a mask with {rank} axes; expected 1 to 3")
    count, places = lengths(query)[0], tf.range(keys)
    ends = tf.reshape(mask[:count], [-1, 1, 1, 1])
    starts = tf.reshape(tf.pad(mask[count : 2 * count], [[0, count]])[:count], [-1, 1, 1, 1])
    return (places < tf.cast(ends, tf.int32)) & (places >= tf.cast(starts, tf.int32))


@operator("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(call: Call) -> list[LayoutTensor]:
    """Compute ``softmax(q k^T scale + mask) v`` for every head, with caches."""
    for index, name in ((8, "past_sequence_length"), (9, "cache_indirection")):
        if call.has(index):
            raise call.error(f"input {name} is not supported; export the model without it")
    query, key, value = _projections(call, int(call.attribute("num_heads")))
    past = 0
    if call.has(6):
        before = call.tensor(6)
        past = tf.shape(before)[2]
        key, value = tf.concat([before, key], 2), tf.concat([call.tensor(7), value], 2)
    bias = _bias(call, query, key, (4, 5), past)
    scores = scored(query, key, bias, _scale(call))
    y = attended(scores.weights, value)
    return [
        LayoutTensor(joined_heads(y)),
        LayoutTensor(key),
        LayoutTensor(value),
        LayoutTensor(scores.biased),
    ]


def _projections(call: Call, heads: int) -> list[Tensor]:
    """Return queries, keys and values [N, heads, tokens, size] with their biases added.

    They are three inputs, or keys and values are packed together, or all three.
    """
    first = call.tensor(0)
    if first.shape.rank == 5:  # [N, tokens, heads, 3, size]
        parts = [tf.transpose(part, [0, 2, 1, 3]) for part in tf.unstack(first, 3, 3)]
    else:
        second = call.tensor(1)
        if second.shape.rank == 5:
            pair = [tf.transpose(part, [0, 2, 1, 3]) for part in tf.unstack(second, 2, 3)]
        else:
            given = (second, call.tensor(2))
            pair = [part if part.shape.rank == 4 else split_heads(part, heads) for part in given]
        parts = [split_heads(first, heads), *pair]
    if not call.has(3):
        return parts
    bias = call.tensor(3)
    sizes = [heads * lengths(part)[3] for part in parts]
    biases = tf.split(bias, sizes)
    if first.shape.rank != 5 and call.tensor(1).shape.rank == 4:
        biases[1:] = [tf.zeros_like(part) for part in biases[1:]]  # keys from another layer
    return [
        part + tf.reshape(b, [heads, 1, lengths(part)[3]])
        for part, b in zip(parts, biases, strict=True)
    ]


@operator("RotaryEmbedding", domain=MICROSOFT)
def rotary_embedding(call: Call) -> LayoutTensor:
    """Compute pairs of features rotated by the angles of their positions."""
    if call.attribute("is_packed_batching", 0):
        raise call.error("is_packed_batching is not supported; export the model without it")
    x, places = call.tensor(0), call.tensor(1)
    packed = x.shape.rank == 3
    cos, sin = call.tensor(2), call.tensor(3)
    size = 2 * lengths(cos)[1]
    heads = int(call.attribute("num_heads", 0)) or lengths(x)[-1] // size
    y = split_heads(x, heads) if packed else x
    if places.shape.rank == 1:  # where the first token lies
        places = places + tf.range(lengths(y)[2], dtype=places.dtype)
        places = places[tf.newaxis]
    turned = rotated(
        y, tf.gather(cos, places), tf.gather(sin, places), bool(call.attribute("interleaved", 0))
    )
    return LayoutTensor(joined_heads(turned) if packed else turned)
