"""Convert TensorFlow ops that move, join and cut tensors to operations of Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasviz.export.keras.graph import Build, converter, is_keras
from kerasviz.export.keras.ops import operand
from kerasviz.importers.tensorflow.node import GraphNode
from kerasviz.types import Tensor


@converter("Reshape")
def reshape(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute another shape, in which one length may be free."""
    x, given = values[0], build.lengths(node, values[1])
    target = [-1 if n is None else n for n in given]
    static: list[Any] = list(x.shape)
    row = None if None in static[1:] else int(np.prod(static[1:], dtype=np.int64))
    batch = build.is_batch(values[1])
    if given[0] in (None, -1) and row is not None and static[0] is None and target.count(-1) == 1:
        batch = row == np.prod(target[1:], dtype=np.int64)
    if batch and target[1:].count(-1) <= 1:
        if len(target) == 2 and target[1] in (-1, row):
            return keras.layers.Flatten(name=build.name(node), dtype=x.dtype)(x)
        return keras.layers.Reshape(target[1:], name=build.name(node), dtype=x.dtype)(x)
    if target.count(-1) > 1:
        raise build.error(node, "takes a shape with two free lengths (fix the size with --size)")
    if static[0] is None and row is not None and -1 not in target:
        raise build.error(node, "mixes the images of a batch")
    return ops.reshape(x, target)


@converter("Squeeze")
def squeeze(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value without some axes of length 1."""
    axes = node.attributes.get("axis") or node.attributes.get("squeeze_dims") or ()
    x = values[0]
    rank = len(x.shape)
    chosen = [a % rank for a in axes] or [k for k, n in enumerate(x.shape) if n == 1]
    return ops.squeeze(x, axis=tuple(chosen)) if chosen else x


@converter("ExpandDims")
def expand_dims(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value with one more axis of length 1."""
    return ops.expand_dims(values[0], int(build.numbers(node, values[1]).reshape(())))


@converter("Transpose")
def transpose(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute another order of the axes."""
    order = [int(n) for n in build.numbers(node, values[1])]
    if order[0] == 0 and len(order) > 1:
        return keras.layers.Permute(order[1:], name=build.name(node), dtype=values[0].dtype)(
            values[0]
        )
    return ops.transpose(values[0], order)


@converter("Concat", "ConcatV2")
def concat(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the values joined along an axis, which TensorFlow 1 lists first."""
    axis, *parts = values if node.op == "Concat" else (values[-1], *values[:-1])
    at = int(build.numbers(node, axis).reshape(()))
    if all(is_keras(p) for p in parts) and len(parts) > 1:
        made = keras.layers.Concatenate(at, name=build.name(node), dtype=parts[0].dtype)
        return made(parts)
    return ops.concatenate([operand(build, node, p) for p in parts], axis=at)


@converter("Pad", "PadV2")
def pad(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value padded by a number."""
    pairs = [[int(n) for n in pair] for pair in build.numbers(node, values[1])]
    fill = float(build.numbers(node, values[2]).reshape(())) if len(values) > 2 else 0.0
    return padded(build, node, values[0], pairs, fill)


def padded(
    build: Build,
    node: GraphNode,
    x: Tensor,
    pairs: list[list[int]],
    fill: float = 0.0,
) -> Tensor:
    """Pad the axes of ``x``, with a layer if only height and width are padded by 0."""
    if all(n == 0 for pair in pairs for n in pair):
        return x
    if fill == 0 and len(pairs) == 4 and not any(pairs[0]) and not any(pairs[3]):
        name = build.name(node)
        return keras.layers.ZeroPadding2D(pairs[1:3], name=name, dtype=x.dtype)(x)
    if not np.isfinite(fill):
        fill = float(np.clip(fill, *(np.finfo(x.dtype).min, np.finfo(x.dtype).max)))
    return ops.pad(x, pairs, mode="constant", constant_values=fill)


@converter("MirrorPad")
def mirror_pad(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value padded by its reflection."""
    pairs = [[int(n) for n in pair] for pair in build.numbers(node, values[1])]
    return ops.pad(values[0], pairs, mode=text(node.attributes["mode"]).lower())


def text(value: Any) -> str:
    """Return an attribute of bytes as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


@converter("StridedSlice")
def strided_slice(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute some entries of every axis."""
    begin, end, step = (build.numbers(node, v).tolist() for v in values[1:])
    attributes = node.attributes

    def has(mask: str, k: int) -> bool:
        return bool(attributes[f"{mask}_mask"] >> k & 1)

    cut: list[Any] = []
    for k in range(len(begin)):
        if has("ellipsis", k):
            cut.append(Ellipsis)
        elif has("new_axis", k):
            cut.append(None)
        elif has("shrink_axis", k):
            cut.append(int(begin[k]))
        else:
            first = None if has("begin", k) else int(begin[k])
            last = None if has("end", k) else int(end[k])
            cut.append(slice(first, last, int(step[k])))
    return values[0][tuple(cut)]


@converter("Slice")
def slice_(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a block of entries."""
    begin, size = (build.numbers(node, v).tolist() for v in values[1:])
    pairs = zip(begin, size, strict=True)
    return values[0][tuple(slice(b, None if n < 0 else b + n) for b, n in pairs)]


@converter("Split")
def split(build: Build, node: GraphNode, values: list[Any]) -> list[Tensor]:
    """Compute equal parts along an axis."""
    axis = int(build.numbers(node, values[0]).reshape(()))
    return list(ops.split(values[1], len(node.outputs), axis=axis))


@converter("SplitV")
def split_v(build: Build, node: GraphNode, values: list[Any]) -> list[Tensor]:
    """Compute parts of given lengths along an axis."""
    axis = int(build.numbers(node, values[2]).reshape(()))
    sizes = build.numbers(node, values[1])
    places = [int(n) for n in np.cumsum(sizes)[:-1]]
    return list(ops.split(values[0], places, axis=axis))


@converter("Unpack")
def unpack(build: Build, node: GraphNode, values: list[Any]) -> list[Tensor]:
    """Compute the entries of an axis."""
    return list(ops.unstack(values[0], len(node.outputs), axis=int(node.attributes["axis"])))


@converter("Pack")
def pack(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute tensors along a new axis."""
    parts = [operand(build, node, v) for v in values]
    return ops.stack(parts, axis=int(node.attributes["axis"]))


@converter("BroadcastTo")
def broadcast_to(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value repeated along axes of length 1; only the number of images may be free."""
    x, target = values[0], build.lengths(node, values[1])
    if list(x.shape) == target:
        return x
    if None in target:
        raise build.error(node, "repeats an axis as often as a free length says")
    return ops.broadcast_to(x, tuple(int(n) for n in target if n is not None))


@converter("Tile")
def tile(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value repeated along its axes."""
    return ops.tile(values[0], [int(n) for n in build.numbers(node, values[1])])


@converter("Gather", "GatherV2")
def gather(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the entries of an axis at given indices, in TensorFlow 1 of the first axis."""
    if node.attributes.get("batch_dims"):
        raise build.error(node, "gathers by batch, which has no counterpart in Keras")
    axis = int(build.numbers(node, values[2]).reshape(())) if len(values) > 2 else 0
    return ops.take(operand(build, node, values[0]), operand(build, node, values[1]), axis=axis)


@converter("ReverseV2")
def reverse(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute axes in the opposite order, such as RGB for BGR."""
    axes = tuple(int(n) for n in np.reshape(build.numbers(node, values[1]), -1))
    return ops.flip(values[0], axis=axes) if axes else values[0]
