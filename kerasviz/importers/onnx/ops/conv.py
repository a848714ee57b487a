"""Convert convolutions of one to three spatial axes, grouped and depthwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    TensorValue,
    model_layout,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.importers.onnx.window import Window, dilated, padded, subsampled, window_of
from kerasviz.types import Tensor


@operator("Conv", since=1, layout=Layout.IMAGE)
def conv(call: Call) -> LayoutTensor:
    """Compute the convolution of [N, C, ...] by kernels [M, C / group, ...], plus a bias [M]."""
    x = call.channels_last(0)
    kernel = call.input(1)
    shape = kernel_shape(call, kernel)
    if x.shape.rank != len(shape):
        raise call.error(f"a kernel with {len(shape)} axes for a value with {x.shape.rank}")
    group = int(call.attribute("group", 1))
    window = window_of(call, x, shape[2:])
    if x.dtype == tf.float16 != call.kernels.compute_dtype:  # sums in single precision
        x, kernel = tf.cast(x, tf.float32), LayoutTensor(tf.cast(model_layout(kernel), tf.float32))
    flat = len(shape) == 3
    if flat:  # one spatial axis: an image of height 1
        x, window = tf.expand_dims(x, 1), with_height(window)
    if len(shape) not in (3, 4, 5):
        raise call.error(f"a kernel with {len(shape) - 2} spatial axes; expected 1 to 3")
    if group > 1 and shape[1] == 1 and group == x.shape[-1] and len(shape) < 5:
        y = _depthwise(call, x, _depthwise_kernel(kernel, group, flat), window)
    else:
        y = by_group(x, kernel, group, flat, lambda a, b: _dense(call, a, b, window))
    if flat:
        y = tf.squeeze(y, 1)
    return LayoutTensor(with_bias(call, y), channels_last=True)


def with_bias(call: Call, y: Tensor) -> Tensor:
    """Add the bias in input 2, if there is one; return the sum in the type of the model."""
    dtype = call.tensor(1).dtype
    if call.has(2):
        y = tf.nn.bias_add(y, tf.cast(call.tensor(2), y.dtype))
    return y if y.dtype == dtype else tf.cast(y, dtype)


def kernel_shape(call: Call, kernel: TensorValue) -> list[int]:
    """Return the shape of a kernel; :class:`DataDependent` where it is unknown."""
    shape = (
        list(kernel.array.shape)
        if isinstance(kernel, Constant)
        else model_layout(kernel).shape.as_list()
    )
    if None in shape:
        raise DataDependent("the shape of the kernel depends on the data")
    return shape


def with_height(window: Window) -> Window:
    """Turn a window over one spatial axis into one over an image of height 1."""
    return replace(
        window,
        kernel=(1, *window.kernel),
        strides=(1, *window.strides),
        dilations=(1, *window.dilations),
        pads=((0, 0), *window.pads),
        sizes=(1, *window.sizes),
    )


def _kernel_part(kernel: TensorValue, index: int, group: int, flat: bool) -> Tensor:
    """Return part ``index`` of ``group`` parts of a kernel in TensorFlow's order [..., in, out]."""

    def make(array: Any) -> Any:
        size = array.shape[0] // group
        part = array[index * size : (index + 1) * size]
        turned = part.transpose(*range(2, array.ndim), 1, 0)
        return turned[np.newaxis] if flat else turned

    if isinstance(kernel, Constant):
        return kernel.tensor(("kernel", index, group, flat), make)
    part = tf.split(model_layout(kernel), group, 0)[index]
    turned = tf.transpose(part, [*range(2, part.shape.rank), 1, 0])
    return turned[tf.newaxis] if flat else turned


def by_group(
    x: Tensor,
    kernel: TensorValue,
    group: int,
    flat: bool,
    convolve: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Convolve each group of channels by its kernel.

    TensorFlow has no CPU gradient of grouped convolutions.
    """
    xs = tf.split(x, group, -1) if group > 1 else [x]
    ys = [convolve(part, _kernel_part(kernel, k, group, flat)) for k, part in enumerate(xs)]
    return tf.concat(ys, -1) if group > 1 else ys[0]


def _depthwise_kernel(kernel: TensorValue, group: int, flat: bool) -> Tensor:
    """Reshape a kernel [C * m, 1, kh, kw] to [kh, kw, C, m]."""

    def make(array: Any) -> Any:
        size = (1, *array.shape[2:]) if flat else array.shape[2:]
        return array.reshape(group, -1, *size).transpose(2, 3, 0, 1)

    if isinstance(kernel, Constant):
        return kernel.tensor(("depthwise", group, flat), make)
    tensor = model_layout(kernel)
    size = [1, *tensor.shape[2:]] if flat else list(tensor.shape[2:])
    return tf.transpose(tf.reshape(tensor, [group, -1, *size]), [2, 3, 0, 1])


def _sound(x: Tensor, kernel: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Add a channel of zeros where TensorFlow would read beyond the image.

    oneDNN's convolution of one channel with strides (1, n) gives wrong numbers or crashes.
    """
    row, column = window.strides[-2:]
    if kernel.shape[-2] != 1 or row != 1 or column == 1 or window.is_dilated:
        return x, kernel
    # Not tf.pad, which oneDNN's pass over compiled graphs takes for a border of the image.
    wide = tf.concat([x, tf.zeros_like(x)], axis=-1)
    return wide, tf.concat([kernel, tf.zeros_like(kernel)], axis=-2)


def _dense(call: Call, x: Tensor, kernel: Tensor, window: Window) -> Tensor:
    convolve = tf.nn.conv3d if x.shape.rank == 5 else call.kernels.convolve
    x, kernel = _sound(x, kernel, window)
    padding = window.padding
    if window.is_dilated:
        x = padded(x, window.pads)
        ones = [1] * x.shape.rank
        return dilated(x, window, lambda part: convolve(part, kernel, ones, "VALID"))
    if padding is None or (isinstance(padding, list) and x.shape.rank == 5):
        x, padding = padded(x, window.pads), "VALID"
    return convolve(x, kernel, [1, *window.strides, 1], padding)


def _depthwise(call: Call, x: Tensor, kernel: Tensor, window: Window) -> Tensor:
    convolve, ones = call.kernels.convolve_depthwise, [1, 1, 1, 1]
    if window.is_dilated:
        x = padded(x, window.pads)
        return dilated(x, window, lambda part: convolve(part, kernel, ones, "VALID"))
    padding = window.padding
    if len(set(window.strides)) > 1:  # TensorFlow wants equal strides
        x = padded(x, window.pads)
        return subsampled(convolve(x, kernel, ones, "VALID"), window.strides)
    if not isinstance(padding, str):  # an explicit list crashes TensorFlow's graph optimizer
        x, padding = padded(x, window.pads), "VALID"
    return convolve(x, kernel, [1, *window.strides, 1], padding)
