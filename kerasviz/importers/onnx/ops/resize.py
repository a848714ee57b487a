"""Convert Resize and Upsample, which interpolate each axis separately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.graph import Node
from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    OnnxValue,
    model_shape,
    stored_axis,
)
from kerasviz.importers.onnx.ops.resampling import (
    Axis,
    Rule,
    matrix,
    multiplied,
    outside,
    places,
    repeats,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.types import Tensor

#: A number, or a scalar tensor where only a run knows it.
Number = Any

_REPEATED = (tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.uint8, tf.int8, tf.int32)


@operator("Upsample", since=1, layout=Layout.FOLLOWS)
def upsample_1(call: Call) -> LayoutTensor:
    """Compute an image enlarged by ``height_scale`` and ``width_scale``."""
    scales = [1.0, 1.0, call.attribute("height_scale"), call.attribute("width_scale")]
    return scaled(call, scales, _old_rule(call))


@operator("Upsample", since=7, layout=Layout.FOLLOWS)
def upsample_7(call: Call) -> LayoutTensor:
    """Compute ``y[i] = x[i / scale]`` with the scales of all axes as an attribute."""
    return scaled(call, list(call.attribute("scales")), _old_rule(call))


@operator("Upsample", since=9, layout=Layout.FOLLOWS)
@operator("Resize", since=10, layout=Layout.FOLLOWS)
def resize_10(call: Call) -> LayoutTensor:
    """Compute ``y[i] = x[i / scale]`` with the scales of all axes as an input."""
    return scaled(call, _numbers(call, 1, len(model_shape(call.input()))), _old_rule(call))


@operator("Resize", since=11, layout=Layout.FOLLOWS)
def resize_11(call: Call) -> LayoutTensor:
    """Compute ``y[i] = sum_k w_k(i) x[k]`` along each axis, given scales or sizes."""
    lengths = model_shape(call.input())
    rank = len(lengths)
    axes = [int(a) % rank for a in call.attribute("axes") or range(rank)]
    rule = _rule(call)
    starts, ends = _roi(call, rule, len(axes))
    scales = _numbers(call, 2, len(axes)) if call.has(2) else []
    if not scales and not call.has(3):
        raise call.error("neither scales nor sizes are given")
    sizes: list[Number] = []
    if not scales:
        sizes = _numbers(call, 3, len(axes))
        sizes, scales = _sized(call, [lengths[a] for a in axes], sizes)
    else:
        sizes = [_floored(lengths[a], s) for a, s in zip(axes, scales, strict=True)]
    wanted = {
        a: Axis(lengths[a], size, scale, start, end)
        for a, size, scale, start, end in zip(axes, sizes, scales, starts, ends, strict=True)
    }
    return _resized(call, wanted, rule)


def _rule(call: Call) -> Rule:
    mode = call.choice("mode", "nearest", "linear", "cubic")
    return Rule(
        mode=mode,
        nearest=str(call.attribute("nearest_mode", "round_prefer_floor")),
        transform=str(call.attribute("coordinate_transformation_mode", "half_pixel")),
        antialias=bool(call.attribute("antialias", 0)) and mode != "nearest",
        coefficient=float(call.attribute("cubic_coeff_a", -0.75)),
        exclude_outside=bool(call.attribute("exclude_outside", 0)),
        extrapolation=float(call.attribute("extrapolation_value", 0.0)),
    )


def _old_rule(call: Call) -> Rule:
    mode = call.choice("mode", "nearest", "bilinear", "linear")
    return Rule(mode if mode == "nearest" else "linear", "simple", "asymmetric")


def _numbers(call: Call, index: int, count: int) -> list[Number]:
    """Return input ``index`` as numbers, as scalar tensors where only a run knows them."""
    tensor = call.tensor(index)
    known = tf.get_static_value(tensor)
    if known is not None:
        return [n.item() for n in np.reshape(known, -1)]
    if tensor.shape.rank != 1:
        raise DataDependent("the number of scales or sizes depends on the data")
    if tensor.shape[0] == 0:
        return []
    tensor = tf.ensure_shape(tensor, [count])
    static: list[int | None] = [None] * count
    if tensor.dtype.is_integer:
        static = tf.fill(tensor, 0).shape.as_list()  # the known entries
    return [tensor[k] if n is None else n for k, n in enumerate(static)]


def enlargement(node: Node, constants: Mapping[str, OnnxValue]) -> tuple[int, int, str] | None:
    """Return by which whole factors a node enlarges height and width, and nearest or bilinear.

    ``None`` for other nodes, and those whose factors are no constants.
    """
    call = Call(node, tuple(constants.get(name) for name in node.inputs))
    old = node.op == "Upsample" or node.opset < 11
    rule = _old_rule(call) if old else _rule(call)
    scales = _constant_scales(call, 1 if old else 2)
    if scales is None or rule.antialias or len(scales) != 4 or scales[:2] != [1.0, 1.0]:
        return None
    factors = [int(n) for n in scales[2:]]
    if factors != scales[2:] or min(factors) < 1:
        return None
    if rule.mode == "cubic":
        return None
    if rule.mode == "linear":
        centred = rule.transform in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
        return (factors[0], factors[1], "bilinear") if centred else None
    if rule.transform not in ("half_pixel", "half_pixel_symmetric", "asymmetric"):
        return None
    axes = [Axis(5, 5 * n, float(n)) for n in factors]
    plain = all(repeats(rule, axis) == n for axis, n in zip(axes, factors, strict=True))
    return (factors[0], factors[1], "nearest") if plain else None


def _constant_scales(call: Call, index: int) -> list[float] | None:
    """Return the scales of four axes, if they are attributes or constants."""
    if call.node.op == "Upsample" and call.node.opset < 9:
        given = call.attribute("scales")
        both = [call.attribute("height_scale"), call.attribute("width_scale")]
        return [1.0, 1.0, *map(float, both)] if given is None else [float(n) for n in given]
    value = call.inputs[index] if call.has(index) else None
    if not isinstance(value, Constant):
        return None
    scales = dict(enumerate(value.array.reshape(-1).tolist()))
    axes = call.attribute("axes")
    if axes:
        scales = {int(a) % 4: scales[k] for k, a in enumerate(axes)}
    return [float(scales.get(k, 1.0)) for k in range(4)] if scales else None


def _roi(call: Call, rule: Rule, count: int) -> tuple[list[Number], list[Number]]:
    if rule.transform != "tf_crop_and_resize":
        return [0.0] * count, [1.0] * count
    if not call.has(1):
        raise call.error("tf_crop_and_resize wants the input roi")
    flat = _numbers(call, 1, 2 * count)
    return flat[:count], flat[count:]


def _floored(length: Number, scale: Number) -> Number:
    """Compute ``floor(length * scale)`` in single precision, like ONNX's shape inference."""
    if tf.is_tensor(length) or tf.is_tensor(scale):
        product = tf.cast(length, tf.float32) * tf.cast(scale, tf.float32)
        return tf.cast(tf.floor(product), tf.int64)
    return int(np.floor(np.float32(length) * np.float32(scale)))


def _sized(
    call: Call, lengths: Sequence[Number], sizes: Sequence[Number]
) -> tuple[list[Number], list[Number]]:
    """Return the sizes that keep the requested aspect ratio, and their scales."""
    scales = [_ratio(size, length) for size, length in zip(sizes, lengths, strict=True)]
    policy = call.choice("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
    if policy == "stretch":
        return list(sizes), scales
    if any(tf.is_tensor(s) for s in scales):
        pick = tf.reduce_min if policy == "not_larger" else tf.reduce_max
        scale = pick(tf.stack([tf.cast(s, tf.float32) for s in scales]))
        one = [tf.cast(tf.floor(scale * tf.cast(n, tf.float32) + 0.5), tf.int64) for n in lengths]
        return one, [scale] * len(lengths)
    least = min(scales) if policy == "not_larger" else max(scales)
    return [int(np.floor(least * np.float32(n) + 0.5)) for n in lengths], [least] * len(lengths)


def _ratio(size: Number, length: Number) -> Number:
    if tf.is_tensor(size) or tf.is_tensor(length):
        return tf.cast(size, tf.float32) / tf.cast(length, tf.float32)
    return np.float32(size) / np.float32(length)


def scaled(call: Call, scales: Sequence[Number], rule: Rule) -> LayoutTensor:
    """Compute the first input with each axis resized by a scale."""
    lengths = model_shape(call.input())
    if len(scales) != len(lengths):
        raise call.error(f"{len(scales)} scales for a value with {len(lengths)} axes")
    pairs = enumerate(zip(lengths, scales, strict=True))
    return _resized(call, {a: Axis(n, _floored(n, s), s) for a, (n, s) in pairs}, rule)


@dataclass(frozen=True)
class _Step:
    """Pair an axis to resize with its stored position."""

    place: int
    axis: Axis


def _resized(call: Call, wanted: dict[int, Axis], rule: Rule) -> LayoutTensor:
    x, is_last = call.stored()
    rank = x.shape.rank
    steps = []
    for number, axis in sorted(wanted.items()):
        if axis.is_kept(rule):
            continue
        place = stored_axis(number, rank, is_last)
        if number < 2 and axis.may_be_kept and (number == 0 or isinstance(axis.length, int)):
            x = _same_length(x, axis, number)
            continue
        steps.append(_Step(place, axis))
    if not steps:
        return LayoutTensor(tf.identity(x), is_last)
    x = tf.identity(x, "marked_input")  # exporters find the borders by these names
    # Axes that get shorter come first, so that the others have less to compute.
    y = x
    if rule.mode == "nearest":
        y = _picked(y, steps, rule)
    else:
        wide = y.dtype if y.dtype == tf.float64 else tf.float32
        y = tf.cast(y, wide)
        for step in sorted(steps, key=lambda s: s.axis.growth):
            y = multiplied(y, matrix(rule, step.axis), step.place)
        y = _cast_back(y, x.dtype)
    if rule.transform == "tf_crop_and_resize":
        for step in steps:
            mask = outside(rule, step.axis)
            mask = tf.reshape(mask, [-1 if k == step.place else 1 for k in range(rank)])
            y = tf.where(mask, tf.cast(rule.extrapolation, y.dtype), y)
    shape = x.shape.as_list()
    for step in steps:
        shape[step.place] = step.axis.size if isinstance(step.axis.size, int) else None
    y = tf.identity(tf.ensure_shape(y, shape), "marked_output_0")
    return LayoutTensor(y, is_last)


def _cast_back(y: Tensor, dtype: tf.DType) -> Tensor:
    """Cast interpolated numbers to the type of the value; integers are clipped to its range."""
    if not dtype.is_integer:
        return tf.cast(y, dtype)
    return tf.cast(tf.clip_by_value(y, float(dtype.min), float(dtype.max)), dtype)


def _same_length(x: Tensor, axis: Axis, number: int) -> Tensor:
    """Return ``x`` after a check during the run that images or channels keep their number."""
    checked = tf.debugging.assert_equal(
        tf.cast(axis.length, tf.int64),
        tf.cast(axis.size, tf.int64),
        f"axis {number} is resized by a number that only the data gives: run the model eagerly",
    )
    with tf.control_dependencies([] if checked is None else [checked]):
        return tf.identity(x)


def _picked(x: Tensor, steps: Sequence[_Step], rule: Rule) -> Tensor:
    """Return the nearest entries by the cheapest operation."""
    times = {s.place: repeats(rule, s.axis) for s in steps}
    if x.shape.rank == 4 and x.dtype in _REPEATED and set(times) == {1, 2} and all(times.values()):
        size = tf.shape(x)[1:3] * [times[1], times[2]]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, half_pixel_centers=True)
    for step in sorted(steps, key=lambda s: s.axis.growth):
        count = times[step.place]
        if count:
            x = tf.repeat(x, count, step.place)
            continue
        where = places(rule, step.axis)
        cut = _regular(where)
        if cut is None:
            # With a new axis in front: the gradient of a gather along the first axis is sparse.
            x = tf.gather(x[tf.newaxis], where, axis=step.place + 1)[0]
        else:
            x = x[(*[slice(None)] * step.place, cut)]
    return x


def _regular(where: Tensor) -> slice | None:
    """Return evenly spaced indices as a slice, whose gradient is faster."""
    known = tf.get_static_value(where)
    if known is None or len(known) < 2:
        return None
    step = int(known[1] - known[0])
    if step < 1 or (np.diff(known) != step).any():
        return None
    return slice(int(known[0]), int(known[-1]) + 1, step)
