"""Convert transposed convolutions of one to three spatial axes, grouped and depthwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, LayoutTensor, TensorValue, model_layout
from kerasviz.importers.onnx.ops.conv import by_group, kernel_shape, with_bias
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.importers.onnx.window import auto_pad, spatial
from kerasviz.types import Tensor

#: An int, or a scalar int32 tensor where only a run knows the length.
Length = Any


@dataclass(frozen=True)
class _Axis:
    """Describe a spatial axis of the result.

    Windows cover ``reached`` entries. The result has ``size`` entries, which start at ``begin``;
    ``added`` of them lie behind the last window.
    """

    stride: int
    span: int
    reached: Length
    begin: Length
    size: Length
    added: int = 0

    @property
    def end(self) -> Length:
        """Return the number of entries removed at the end; a negative number adds zeros."""
        return self.reached + self.added - self.begin - self.size


@operator("ConvTranspose", since=1, layout=Layout.IMAGE)
def conv_transpose(call: Call) -> LayoutTensor:
    """Compute the adjoint of the convolution by kernels [C, M / group, ...], plus a bias [M]."""
    x, kernel = call.channels_last(0), call.input(1)
    shape = kernel_shape(call, kernel)
    count, group = len(shape) - 2, int(call.attribute("group", 1))
    if x.shape.rank != len(shape) or count not in (1, 2, 3):
        raise call.error(
            f"a kernel with {count} spatial axes for a value with {x.shape.rank} axes; "
            "expected 1 to 3 of them in both"
        )
    axes = _axes(call, x, shape[2:])
    kernel = _dilated(kernel, spatial(call, count)[1])
    if x.dtype == tf.float16:  # sums in single precision
        x, kernel = tf.cast(x, tf.float32), LayoutTensor(tf.cast(model_layout(kernel), tf.float32))
    flat = count == 1
    if flat:  # one spatial axis: an image of height 1
        x, axes = tf.expand_dims(x, 1), [_Axis(1, 1, 1, 0, 1), *axes]
    strides = {axis.stride for axis in axes}
    if shape[0] == group > 1 and len(strides) == 1 and len(axes) == 2 and not flat:
        parts = [_depthwise(x, model_layout(kernel)[:, k], axes) for k in range(shape[1])]
        y = parts[0] if shape[1] == 1 else _interleaved(parts)
    else:
        y = by_group(x, kernel, group, flat, lambda a, b: _dense(a, b, axes))
    if flat:
        y = tf.squeeze(y, 1)
    return LayoutTensor(with_bias(call, y), channels_last=True)


def _axes(call: Call, x: Tensor, kernel: Sequence[int]) -> list[_Axis]:
    """Return the spatial axes with ``auto_pad`` and ``output_shape`` resolved."""
    count = len(kernel)
    strides, dilations, pads = spatial(call, count)
    added = tuple(call.attribute("output_padding") or (0,) * count)
    wanted = call.attribute("output_shape")
    mode = auto_pad(call)
    if len(pads) != 2 * count:
        raise call.error(f"{len(pads)} pads for {count} spatial axes; expected {2 * count}")
    axes = []
    for k in range(count):
        length = x.shape[1 + k] if x.shape[1 + k] is not None else tf.shape(x)[1 + k]
        span = (kernel[k] - 1) * dilations[k] + 1
        reached = (length - 1) * strides[k] + span
        whole = reached + added[k]
        begin, end = (pads[k], pads[count + k]) if mode == "NOTSET" else (0, 0)
        size = whole - begin - end
        if wanted:  # some exporters list images and channels too
            size = int(wanted[k - count])
        elif mode.startswith("SAME"):
            size = length * strides[k]
        if wanted or mode.startswith("SAME"):
            total = whole - size
            total = max(total, 0) if isinstance(total, int) else tf.maximum(total, 0)
            begin = total // 2 if mode == "SAME_UPPER" else total - total // 2
        axes.append(_Axis(strides[k], span, reached, begin, size, added[k]))
    return axes


def _dilated(kernel: TensorValue, dilations: Sequence[int]) -> TensorValue:
    """Insert the zeros of dilation into the kernel: TensorFlow cannot dilate here on a CPU."""
    if all(d == 1 for d in dilations):
        return kernel
    if isinstance(kernel, Constant):
        small = kernel.array
        spans = [(n - 1) * d + 1 for n, d in zip(small.shape[2:], dilations, strict=True)]
        wide = np.zeros((*small.shape[:2], *spans), small.dtype)
        wide[(slice(None), slice(None), *[slice(None, None, d) for d in dilations])] = small
        return Constant(wide)
    tensor = model_layout(kernel)
    for axis, dilation in enumerate(dilations, 2):
        spread = tf.expand_dims(tensor, axis + 1)
        pairs = [[0, dilation - 1 if k == axis + 1 else 0] for k in range(spread.shape.rank)]
        shape = tensor.shape.as_list()
        long = shape[axis] * dilation
        tensor = tf.reshape(tf.pad(spread, pairs), [*shape[:axis], long, *shape[axis + 1 :]])
        kept = slice(0, long - dilation + 1)
        tensor = tensor[(*[slice(None)] * axis, kept)]
    return LayoutTensor(tensor)


def _dense(x: Tensor, kernel: Tensor, axes: Sequence[_Axis]) -> Tensor:
    """Compute the transposed convolution by a kernel [..., out, in]."""
    strides, filters = [axis.stride for axis in axes], kernel.shape[-2]
    # oneDNN crashes on a convolution of one channel with strides (1, n), perhaps on its adjoint.
    alone = len(axes) == 2 and filters == 1 and strides[0] == 1 < strides[1]
    if alone:
        kernel = tf.pad(kernel, [[0, 0], [0, 0], [0, 1], [0, 0]])
    padding: Any = "VALID"
    if len(axes) == 2 and all(_is_simple(axis) for axis in axes):
        padding = [[0, 0], *[[axis.begin, axis.end] for axis in axes], [0, 0]]
        sizes = [axis.size for axis in axes]
    else:
        sizes = [axis.reached for axis in axes]
    apply = tf.nn.conv3d_transpose if len(axes) == 3 else tf.nn.conv2d_transpose
    shape = tf.stack([tf.shape(x)[0], *sizes, kernel.shape[-2]])
    y = apply(x, kernel, shape, strides, padding)
    y = y[..., :1] if alone else y
    return _fitted(y, x, axes, y.shape[-1]) if padding == "VALID" else y


def _depthwise(x: Tensor, kernel: Tensor, axes: Sequence[_Axis]) -> Tensor:
    """Compute the transposed convolution of every channel by its own kernel in [C, kh, kw]."""
    filters = tf.transpose(kernel, [1, 2, 0])[..., None]
    shape = tf.stack([tf.shape(x)[0], *[axis.reached for axis in axes], x.shape[-1]])
    strides = [1, *[axis.stride for axis in axes], 1]
    y = tf.nn.depthwise_conv2d_backprop_input(shape, filters, x, strides, "VALID")
    return _fitted(y, x, axes, x.shape[-1])


def _interleaved(parts: Sequence[Tensor]) -> Tensor:
    """Join parts k to channels [c * m + k]."""
    joined = tf.stack(parts, -1)
    shape = tf.concat([tf.shape(joined)[:-2], [joined.shape[-2] * len(parts)]], 0)
    y = tf.reshape(joined, shape)
    return tf.ensure_shape(y, [*joined.shape[:-2], joined.shape[-2] * len(parts)])


def _is_simple(axis: _Axis) -> bool:
    """Return whether TensorFlow's own padding gives the length of the axis."""
    ends = (axis.begin, axis.end)
    if not all(isinstance(n, int) for n in ends):
        return False
    return all(0 <= n < axis.span for n in ends) and axis.added < axis.stride


def _fitted(y: Tensor, x: Tensor, axes: Sequence[_Axis], channels: int) -> Tensor:
    """Remove or add entries at both ends, so that every axis has its size."""
    shape = [x.shape[0], *[a.size if isinstance(a.size, int) else None for a in axes], channels]
    for k, axis in enumerate(axes, 1):
        if isinstance(axis.begin, int) and axis.begin < 0:
            y = tf.pad(y, [[-axis.begin if j == k else 0, 0] for j in range(y.shape.rank)])
        start = axis.begin if not isinstance(axis.begin, int) else max(axis.begin, 0)
        y = y[(*[slice(None)] * k, slice(start, start + axis.size))]
        short = axis.size - (y.shape[k] if y.shape[k] is not None else tf.shape(y)[k])
        if not isinstance(short, int) or short > 0:
            y = tf.pad(y, [[0, short if j == k else 0] for j in range(y.shape.rank)])
    return tf.ensure_shape(y, shape)
