"""Convert sampling at computed positions: grids, regions and deformable convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.ops.points import (
    Field,
    SamplePoint,
    cubic_taps,
    linear_taps,
    padding_of,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.importers.onnx.window import spatial
from kerasviz.types import Tensor


def _wide(dtype: tf.DType) -> tf.DType:
    """Return the type for weights of entries."""
    return dtype if dtype == tf.float64 else tf.float32


@operator("GridSample", since=16, layout=Layout.IMAGE)
def grid_sample(call: Call) -> LayoutTensor:
    """Compute the image at the positions in ``grid``, where -1 and 1 are the ends of the axes."""
    x, grid = call.channels_last(0), call.tensor(1)
    count = x.shape.rank - 2
    if grid.shape.rank != x.shape.rank or grid.shape[-1] not in (None, count):
        raise call.error(f"a grid of shape {grid.shape} for an image with {count} spatial axes")
    corners = bool(call.attribute("align_corners", 0))
    modes = ("bilinear", "nearest", "linear", "cubic", "bicubic")
    mode = call.choice("mode", *modes).removeprefix("bi")
    padding = padding_of(str(call.attribute("padding_mode", "zeros")), centred=corners)
    wide = _wide(x.dtype)
    nearest = mode == "nearest"
    field = Field(x if nearest else tf.cast(x, wide))
    axes = []
    for axis, length in enumerate(field.lengths):
        given = tf.cast(grid[..., count - 1 - axis], wide)  # grids list the last axis first
        n = tf.cast(length, wide)
        place = (given + 1) / 2 * (n - 1) if corners else ((given + 1) * n - 1) / 2
        if nearest:
            tap = padding(tf.round(place), None, length)
            weight = None if tap.weight is None else tf.cast(tap.weight, x.dtype)
            axes.append([SamplePoint(tap.index, weight)])
        else:
            taps = linear_taps if mode == "linear" else cubic_taps
            axes.append(taps(place, length, padding))
    images = tf.reshape(tf.range(tf.shape(x)[0]), [-1, *[1] * count])
    y = tf.cast(field.sampled(images, axes), x.dtype)
    return LayoutTensor(tf.ensure_shape(y, [*grid.shape[:-1], x.shape[-1]]), channels_last=True)


@operator("AffineGrid", since=20)
def affine_grid(call: Call) -> LayoutTensor:
    """Compute ``grid[n, ..., :] = theta[n] (x, y, 1)`` for the positions in an image."""
    theta = call.tensor(0)
    count = theta.shape[1]
    size = call.tensor(1)
    known = tf.get_static_value(size)
    static = [None] * (count + 2) if known is None else [int(n) for n in known]
    wide = _wide(theta.dtype)
    rows = tf.cast(theta, wide)
    grid = tf.reshape(rows[:, :, -1], [-1, *[1] * count, count])
    for axis in range(count):
        n = tf.cast(size[2 + axis], tf.int32)
        steps, length = tf.cast(tf.range(n), wide), tf.cast(n, wide)
        if call.attribute("align_corners", 0):
            at = -1 + 2 * steps / tf.maximum(length - 1, 1)
        else:
            at = (2 * steps + 1) / length - 1
        at = tf.reshape(at, [1, *[-1 if k == axis else 1 for k in range(count)], 1])
        column = rows[:, :, count - 1 - axis]
        grid = grid + at * tf.reshape(column, [-1, *[1] * count, count])
    shape = [theta.shape[0], *static[2:], count]
    return LayoutTensor(tf.ensure_shape(tf.cast(grid, theta.dtype), shape))


def _bounds(rois: Tensor, scale: float, offset: float) -> list[Tensor]:
    """Return regions (x1, y1, x2, y2) as pairs of y and x: [(start, end)]."""
    scaled = rois * tf.cast(scale, rois.dtype) - tf.cast(offset, rois.dtype)
    return [(scaled[:, 1], scaled[:, 3]), (scaled[:, 0], scaled[:, 2])]


@operator("RoiAlign", since=10, layout=Layout.IMAGE)
def roi_align_10(call: Call) -> LayoutTensor:
    """Compute the average or maximum of interpolated samples in every bin of every region."""
    return _roi_align(call, half=call.attribute("coordinate_transformation_mode") == "half_pixel")


@operator("RoiAlign", since=16, layout=Layout.IMAGE)
def roi_align_16(call: Call) -> LayoutTensor:
    """Compute RoiAlign, by default with the centres of entries at half numbers."""
    mode = call.attribute("coordinate_transformation_mode", "half_pixel")
    return _roi_align(call, half=mode == "half_pixel")


def _roi_align(call: Call, *, half: bool) -> LayoutTensor:
    x, rois = call.channels_last(0), call.tensor(1)
    if x.shape.rank != 4:
        raise call.error(f"an image with {x.shape.rank - 2} spatial axes; expected 2")
    mode = call.choice("mode", "avg", "max")
    wide = _wide(x.dtype)
    field = Field(tf.cast(x, wide))
    bins = [int(call.attribute(name, 1)) for name in ("output_height", "output_width")]
    bounds = _bounds(
        tf.cast(rois, wide), call.attribute("spatial_scale", 1.0), 0.5 if half else 0.0
    )
    axes, masks, counts = [], [], []
    for k in range(2):
        start, end = bounds[k]
        extent = end - start if half else tf.maximum(end - start, 1)
        taps, used, count = _bin_samples(
            start, extent, bins[k], int(call.attribute("sampling_ratio", 0)), field.lengths[k]
        )
        spread = _spread(k)
        axes.append([SamplePoint(t.index[spread], _spread_weight(t, spread)) for t in taps])
        masks.append(used[:, None, :, None, None] if k == 0 else used[:, None, None, None, :])
        counts.append(count)
    images = tf.cast(tf.reshape(call.tensor(2), [-1, 1, 1, 1, 1]), tf.int32)
    corners = field.corners(images, axes)  # [R, bins, samples, bins, samples, C]
    used = (masks[0] & masks[1])[..., None]
    if mode == "avg":
        total = tf.reduce_sum(tf.where(used, tf.add_n(corners), 0), [2, 4])
        number = tf.maximum(counts[0] * counts[1], 1)
        y = total / number[:, None, None, None]
    else:  # the largest weighted corner, like other implementations
        largest = tf.reduce_max(tf.stack(corners), 0)
        y = tf.reduce_max(tf.where(used, largest, largest.dtype.min), [2, 4])
        y = tf.where(tf.reduce_any(used, [2, 4]), y, 0)
    shape = [rois.shape[0], *bins, x.shape[-1]]
    return LayoutTensor(tf.ensure_shape(tf.cast(y, x.dtype), shape), channels_last=True)


def _spread(axis: int) -> tuple[Any, ...]:
    """Return the index that spreads [R, bins, samples] of y (0) or x (1) over both axes."""
    whole = slice(None)
    return (whole, whole, whole, None, None) if axis == 0 else (whole, None, None, whole, whole)


def _spread_weight(tap: SamplePoint, spread: tuple[Any, ...]) -> Tensor:
    return None if tap.weight is None else tap.weight[spread]


def _bin_samples(
    start: Tensor, extent: Tensor, bins: int, ratio: int, length: Tensor
) -> tuple[list[SamplePoint], Tensor, Tensor]:
    """Return the taps [R, bins, samples] of an axis, the samples that count, and their number.

    With a ``ratio`` of 0 the number of samples is the length of a bin, rounded up.
    """
    width = extent / bins
    count = (
        tf.fill(tf.shape(width), tf.cast(ratio, width.dtype))
        if ratio > 0
        else tf.maximum(tf.math.ceil(width), 0)
    )
    count = tf.stop_gradient(count)
    most = tf.cast(tf.reduce_max(tf.concat([count, [0]], 0)), tf.int32)
    sample = tf.cast(tf.range(ratio if ratio > 0 else most), width.dtype)
    inside = (sample + 0.5) / tf.maximum(count, 1)[:, None]
    at = (
        start[:, None, None]
        + (tf.range(bins, dtype=width.dtype)[:, None] + inside[:, None, :]) * width[:, None, None]
    )
    n = tf.cast(length, at.dtype)
    valid = tf.cast((at >= -1) & (at <= n), at.dtype)
    at = tf.clip_by_value(at, tf.zeros_like(n), n - 1)
    below = tf.floor(at)
    last = length - 1
    low = tf.clip_by_value(tf.cast(below, tf.int32), 0, last)
    rest = at - below
    taps = [
        SamplePoint(low, (1 - rest) * valid),
        SamplePoint(tf.minimum(low + 1, last), rest * valid),
    ]
    return taps, sample < count[:, None], count


@operator("MaxRoiPool", since=1, layout=Layout.IMAGE)
def max_roi_pool(call: Call) -> LayoutTensor:
    """Compute the largest entry in every bin of regions with integer bounds; 0 in an empty bin."""
    x, rois = call.channels_last(0), call.tensor(1)
    if x.shape.rank != 4:
        raise call.error(f"an image with {x.shape.rank - 2} spatial axes; expected 2")
    field = Field(x)
    bins = [int(n) for n in call.attribute("pooled_shape")]
    wide = _wide(rois.dtype)
    scaled = tf.cast(rois[:, 1:], wide) * tf.cast(call.attribute("spatial_scale", 1.0), wide)
    whole = tf.floor(tf.abs(scaled) + 0.5) * tf.sign(scaled)  # halves are rounded away from 0
    axes, masks = [], []
    for k in range(2):
        index, used = _bin_entries(whole[:, 1 - k], whole[:, 3 - k], bins[k], field.lengths[k])
        spread = _spread(k)
        axes.append([SamplePoint(index[spread])])
        masks.append(used[spread])
    images = tf.cast(tf.reshape(rois[:, 0], [-1, 1, 1, 1, 1]), tf.int32)
    (found,) = field.corners(images, axes)
    used = (masks[0] & masks[1])[..., None]
    y = tf.reduce_max(tf.where(used, found, found.dtype.min), [2, 4])
    y = tf.where(tf.reduce_any(used, [2, 4]), y, tf.zeros_like(y))
    return LayoutTensor(tf.ensure_shape(y, [rois.shape[0], *bins, x.shape[-1]]), channels_last=True)


def _bin_entries(start: Tensor, end: Tensor, bins: int, length: Tensor) -> tuple[Tensor, Tensor]:
    """Return the entries [R, bins, n] of every bin along one axis, and which of them count."""
    width = tf.maximum(end - start + 1, 1) / bins
    steps = tf.range(bins, dtype=width.dtype)
    n = tf.cast(length, width.dtype)
    first = tf.floor(steps * width[:, None]) + start[:, None]
    after = tf.math.ceil((steps + 1) * width[:, None]) + start[:, None]
    first, after = (tf.clip_by_value(b, tf.zeros_like(n), n) for b in (first, after))
    most = tf.reduce_max(tf.concat([tf.reshape(after - first, [-1]), [1]], 0))
    index = first[..., None] + tf.range(most)
    used = index < after[..., None]
    return tf.cast(tf.clip_by_value(index, tf.zeros_like(n), n - 1), tf.int32), used


@operator("DeformConv", since=19, layout=Layout.IMAGE)
def deform_conv(call: Call) -> LayoutTensor:
    """Compute a convolution whose entries are shifted by ``offset`` and weighted by ``mask``."""
    x, kernel = call.channels_last(0), call.tensor(1)
    size = kernel.shape.as_list()[2:]
    count, taps = len(size), int(np.prod(size))
    group, groups = int(call.attribute("group", 1)), int(call.attribute("offset_group", 1))
    wide = _wide(x.dtype)
    offset = tf.cast(call.channels_last(2), wide)
    outer = tf.shape(offset)[:-1]
    # [N, ..., taps, groups, axis]
    offset = _by_tap(tf.reshape(offset, tf.concat([outer, [groups, taps, count]], 0)), count + 1)
    field = Field(tf.cast(x, wide), groups)
    padding = padding_of("zeros", centred=True)
    axes = []
    for axis in range(count):
        place = _window_places(call, size, axis, outer[1 + axis], wide) + offset[..., axis]
        axes.append(linear_taps(place, field.lengths[axis], padding))
    images = tf.reshape(tf.range(outer[0]), [-1, *[1] * (count + 2)])
    found = field.sampled(images, axes, tf.range(groups))
    if call.has(4):
        mask = tf.cast(call.channels_last(4), wide)
        mask = _by_tap(tf.reshape(mask, tf.concat([outer, [groups, taps]], 0)), count + 1)
        found = found * mask[..., None]
    rows = tf.reshape(found, tf.concat([[-1, taps, group], [x.shape[-1] // group]], 0))
    filters, inside = kernel.shape[0], kernel.shape[1]
    weights = tf.reshape(tf.cast(kernel, wide), [group, filters // group, inside, taps])
    y = tf.einsum("pkgc,gmck->pgm", rows, weights)
    y = tf.cast(tf.reshape(y, tf.concat([outer, [filters]], 0)), x.dtype)
    y = tf.ensure_shape(y, [x.shape[0], *[None] * count, filters])
    return LayoutTensor(tf.nn.bias_add(y, call.tensor(3)) if call.has(3) else y, channels_last=True)


def _by_tap(x: Tensor, axis: int) -> Tensor:
    """Swap the axes ``axis`` (groups) and ``axis + 1`` (taps) of ``x``."""
    order = list(range(x.shape.rank))
    order[axis], order[axis + 1] = axis + 1, axis
    return (
        tf.transpose(x, order)
        if x.shape[axis] != 1
        else tf.reshape(x, tf.gather(tf.shape(x), order))
    )


def _window_places(
    call: Call, size: Sequence[int], axis: int, length: Tensor, dtype: tf.DType
) -> Tensor:
    """Return the positions of the window's entries along ``axis``: [1, ..., taps, 1]."""
    count = len(size)
    stride, dilation, begin = (numbers[axis] for numbers in spatial(call, count))
    first = tf.cast(tf.range(length) * stride - begin, dtype)
    first = tf.reshape(first, [1, *[-1 if k == axis else 1 for k in range(count)], 1, 1])
    steps = np.indices(size).reshape(count, -1)[axis] * dilation
    return first + tf.constant(steps[:, None], dtype)
