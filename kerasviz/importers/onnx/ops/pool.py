"""Convert pools: maximum, average or p-norm of windows or whole images, and unpooling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import finite_root, wide_float
from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.importers.onnx.window import Window, ceil_extra, dilated, padded, spatial, window_of
from kerasviz.types import Tensor


@operator("MaxPool", since=1, layout=Layout.IMAGE)
def max_pool(call: Call) -> list[LayoutTensor]:
    """Compute the largest entry of every window, and its flat index; padding never wins."""
    x = call.channels_last()
    window = _with_ceil(call, x, window_of(call, x, _kernel(call)))
    outputs = [LayoutTensor(_largest(x, window, call.kernels.max_pool), channels_last=True)]
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        by_column = bool(call.attribute("storage_order", 0))
        outputs.append(
            LayoutTensor(_places_of_largest(x, window, by_column=by_column), channels_last=True)
        )
    return outputs


def _kernel(call: Call) -> tuple[int, ...]:
    kernel = call.attribute("kernel_shape")
    if not kernel:
        raise call.error("attribute kernel_shape is missing")
    rank = call.channels_last().shape.rank
    if rank != len(kernel) + 2 or len(kernel) > 3:
        raise call.error(f"a window with {len(kernel)} axes for a value with {rank} axes")
    return tuple(int(n) for n in kernel)


def _lowest(dtype: tf.DType) -> Any:
    return dtype.min if dtype.is_integer else -float("inf")


def _largest(x: Tensor, window: Window, max_pool: Callable[..., Tensor]) -> Tensor:
    lowest = _lowest(x.dtype)
    if not _has_pools(x):
        taps = [tap for _, tap in _taps(padded(x, window.pads, lowest), window)]
        y = taps[0]
        for tap in taps[1:]:
            y = tf.maximum(y, tap)
        return y
    if window.is_dilated:
        ones = [1] * len(window.kernel)
        slide = partial(max_pool, ksize=window.kernel, strides=ones, padding="VALID")
        return dilated(padded(x, window.pads, lowest), window, slide)
    padding = window.padding
    if padding is None or (isinstance(padding, list) and len(window.kernel) != 2):
        x, padding = padded(x, window.pads, lowest), "VALID"
    return max_pool(x, window.kernel, window.strides, padding)


def _has_pools(x: Tensor) -> bool:
    """Return whether TensorFlow can pool a value on a CPU: over three axes only some types."""
    return x.shape.rank < 5 or x.dtype in (tf.float32, tf.bfloat16)


def _taps(x: Tensor, window: Window) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Yield every position in the window with the entries of the padded ``x`` there."""
    counts = []
    for k, (span, stride) in enumerate(zip(window.spans, window.strides, strict=True), 1):
        length = x.shape[k] if x.shape[k] is not None else tf.shape(x)[k]
        counts.append((length - span) // stride + 1)
    for place in product(*(range(n) for n in window.kernel)):
        cut = [slice(None)]
        for at, count, stride, gap in zip(
            place, counts, window.strides, window.dilations, strict=True
        ):
            cut.append(slice(at * gap, at * gap + (count - 1) * stride + 1, stride))
        yield place, x[tuple(cut)]


def _places_of_largest(x: Tensor, window: Window, *, by_column: bool) -> Tensor:
    """Return the index of the first largest entry of every window in the flat [N, C, ...].

    With ``by_column`` the first spatial axis varies fastest.
    """
    shape = tf.shape(x, out_type=tf.int64)
    lengths = [shape[k] for k in range(1, x.shape.rank - 1)]
    steps = [tf.ones([], tf.int64)]
    for length in lengths[:-1] if by_column else lengths[:0:-1]:
        steps.append(steps[-1] * length)
    steps = steps if by_column else steps[::-1]
    best = index = None
    for place, tap in _taps(padded(x, window.pads, _lowest(x.dtype)), window):
        flat = tf.zeros([], tf.int64)
        for k, at in enumerate(place):
            count = tf.shape(tap, out_type=tf.int64)[1 + k]
            begin = tf.cast(window.pads[k][0], tf.int64)
            along = tf.range(count) * window.strides[k] - begin + at * window.dilations[k]
            spread = [-1 if j == k else 1 for j in range(len(place))]
            flat = flat + tf.reshape(along * steps[k], [*spread, 1])
        if best is None:
            best, index = tap, tf.broadcast_to(flat, tf.shape(tap))
        else:
            better = tap > best
            best, index = tf.where(better, tap, best), tf.where(better, flat, index)
    images = tf.reshape(tf.range(shape[0]), [-1, *[1] * (len(lengths) + 1)])
    planes = images * shape[-1] + tf.range(shape[-1])
    return index + planes * tf.reduce_prod(tf.stack(lengths))


@operator("MaxUnpool", since=9)
def max_unpool(call: Call) -> LayoutTensor:
    """Compute zeros with the entries of ``x`` at the indices from MaxPool."""
    x, places = call.tensor(0), call.tensor(1)
    kernel = call.attribute("kernel_shape")
    count = len(kernel)
    strides, _, pads = spatial(call, count)
    shape = tf.shape(x, out_type=tf.int64)
    trims = [kernel[k] - strides[k] - pads[k] - pads[count + k] for k in range(count)]
    lengths = [shape[2 + k] * strides[k] + trims[k] for k in range(count)]
    whole = tf.stack([shape[0], shape[1], *lengths])
    zeros = tf.zeros(tf.reduce_prod(whole)[None], x.dtype)
    index = tf.reshape(places, [-1, 1])
    y = tf.reshape(tf.tensor_scatter_nd_update(zeros, index, tf.reshape(x, [-1])), whole)
    known = [None if n is None else n * strides[k] + trims[k] for k, n in enumerate(x.shape[2:])]
    y = tf.ensure_shape(y, [x.shape[0], x.shape[1], *known])
    if not call.has(2):
        return LayoutTensor(y)
    wanted = tf.cast(call.tensor(2), tf.int64)
    cut = y[tuple(slice(0, wanted[k]) for k in range(count + 2))]
    missing = wanted - tf.shape(cut, out_type=tf.int64)
    y = tf.pad(cut, tf.stack([tf.zeros_like(missing), missing], 1))
    fixed = tf.get_static_value(wanted)
    return LayoutTensor(tf.ensure_shape(y, [None] * (count + 2) if fixed is None else fixed))


@operator("AveragePool", since=1, layout=Layout.IMAGE)
def average_pool(call: Call) -> LayoutTensor:
    """Compute the average of every window, by default over its part inside the image."""
    x = call.channels_last()
    dtype = x.dtype
    x = tf.cast(x, tf.float32) if dtype == tf.float16 else x
    return LayoutTensor(tf.cast(_averaged(call, x), dtype), channels_last=True)


def _averaged(call: Call, x: Tensor) -> Tensor:
    plain = window_of(call, x, _kernel(call))
    window = _with_ceil(call, x, plain)
    whole = bool(call.attribute("count_include_pad", 0))
    padding = window.padding
    same = padding == "SAME" and not whole and not window.is_dilated and _has_pools(x)
    if padding == "VALID" or same:
        return _average(x, window, padding)  # TensorFlow counts entries of the image only
    counted = tf.ones_like(x[:1, ..., :1])
    if whole:  # padding added by ceil_mode never counts
        counted = padded(counted, plain.pads, 1.0)
        rest = [
            (0, after - before)
            for (_, after), (_, before) in zip(window.pads, plain.pads, strict=True)
        ]
    else:
        rest = list(window.pads)
    share = _average(padded(counted, rest), window, "VALID")
    return _average(padded(x, window.pads), window, "VALID") / share


def _spatial(x: Tensor) -> list[int]:
    return list(range(1, x.shape.rank - 1))


def global_pool(call: Call, apply: Callable[..., Tensor]) -> LayoutTensor:
    """Compute the average or maximum over all spatial axes, which keep length 1."""
    x = call.channels_last()
    wide = tf.cast(x, wide_float(x.dtype))  # TensorFlow rounds every sum of 16-bit numbers
    y = apply(wide, _spatial(x), keepdims=True)
    return LayoutTensor(tf.cast(y, x.dtype), channels_last=True)


for _name, _apply in (("GlobalAveragePool", tf.reduce_mean), ("GlobalMaxPool", tf.reduce_max)):
    operator(_name, layout=Layout.IMAGE)(partial(global_pool, apply=_apply))


@operator("LpPool", since=1, layout=Layout.IMAGE)
def lp_pool(call: Call) -> LayoutTensor:
    """Compute ``sum(|x|^p)^(1/p)`` over every window."""
    x = call.channels_last()
    wide = tf.cast(x, tf.float32) if x.dtype == tf.float16 else x
    window = _with_ceil(call, wide, window_of(call, wide, _kernel(call)))
    p = float(call.attribute("p", 2))
    mean = _average(padded(_power(wide, p), window.pads), window, "VALID")
    y = finite_root(mean * int(np.prod(window.kernel)), p)
    return LayoutTensor(tf.cast(y, x.dtype), channels_last=True)


@operator("GlobalLpPool", since=1, layout=Layout.IMAGE)
def global_lp_pool(call: Call) -> LayoutTensor:
    """Compute ``sum(|x|^p)^(1/p)`` over all spatial axes, which keep length 1."""
    x = call.channels_last()
    wide = tf.cast(x, tf.float32) if x.dtype == tf.float16 else x
    p = float(call.attribute("p", 2))
    total = tf.reduce_sum(_power(wide, p), _spatial(x), keepdims=True)
    return LayoutTensor(tf.cast(finite_root(total, p), x.dtype), channels_last=True)


def _power(x: Tensor, p: float) -> Tensor:
    if p == 2:
        return x * x
    return tf.abs(x) if p == 1 else tf.abs(x) ** p


def _with_ceil(call: Call, x: Tensor, window: Window) -> Window:
    if not call.attribute("ceil_mode", 0):
        return window
    pads = [
        (begin, end + ceil_extra(x, window, axis)) for axis, (begin, end) in enumerate(window.pads)
    ]
    return replace(window, pads=tuple(pads))


def _average(x: Tensor, window: Window, padding: str) -> Tensor:
    if not _has_pools(x):
        return tf.add_n([tap for _, tap in _taps(x, window)]) / int(np.prod(window.kernel))
    if window.is_dilated:
        ones = [1] * len(window.kernel)
        slide = partial(tf.nn.avg_pool, ksize=window.kernel, strides=ones, padding=padding)
        return dilated(x, window, slide)
    return tf.nn.avg_pool(x, window.kernel, window.strides, padding)
