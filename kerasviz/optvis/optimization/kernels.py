"""Kernels: ways to compute a network's operations whose gradients are fast, too.

Each gives the numbers of the plain operation up to the rounding of float32. They matter only in the
optimization loop, which takes the gradient of the image in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import tensorflow as tf

from kerasviz.network.program import PLAIN, Kernels
from kerasviz.types import Tensor

#: The most channels of an image: a strided convolution of no more is a network's first.
IMAGE_CHANNELS = 4


def fast_kernels(precision: str, relus: Kernels = PLAIN) -> Kernels:
    """Return the kernels of the loop for one of :data:`PRECISIONS`, with the ReLUs of ``relus``."""
    return replace(
        relus,
        convolve=convolve,
        convolve_depthwise=convolve_depthwise,
        normalize=normalize,
        compute_dtype=None if precision == "float32" else tf.as_dtype(precision),
    )


def portable_kernels(precision: str, relus: Kernels = PLAIN) -> Kernels:
    """Return the kernels of a loop that runs where XLA may be missing."""
    return replace(fast_kernels(precision, relus), normalize=_wide_normalize)


def convolve(x: Tensor, kernel: Tensor, strides: Sequence[int], padding: Any) -> Tensor:
    """Compute ``tf.nn.conv2d``, a strided one of an image as one without strides.

    oneDNN has no fast gradient for the input of a strided convolution with few channels (in
    bfloat16 it takes longer than all others of GoogLeNet together). The pixels under a stride
    become channels, and the kernel, padded with zeros, is reshaped likewise: the same products are
    summed.
    """
    stride, size = strides[1], x.shape[1:3]
    if (
        stride > 1
        and strides[2] == stride
        and x.shape[-1] <= IMAGE_CHANNELS
        and size.is_fully_defined()
        and tf.is_tensor(kernel)
        and kernel.shape.is_fully_defined()
    ):
        pads = _pads(tuple(size), tuple(kernel.shape[:2]), stride, padding)
        if pads is not None:
            x, kernel = _without_strides(x, kernel, stride, pads)
            strides, padding = (1, 1, 1, 1), "VALID"
    if kernel.dtype != tf.float32:
        kernel = _embedded(kernel)
    return tf.nn.conv2d(x, kernel, strides, padding)


def convolve_depthwise(x: Tensor, kernel: Tensor, strides: Sequence[int], padding: Any) -> Tensor:
    """Compute ``tf.nn.depthwise_conv2d``, with its gradient in float32.

    In bfloat16 oneDNN takes ten times as long.
    """
    if x.dtype == tf.float32 or not isinstance(padding, str):
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolved(x: Tensor) -> Any:
        def gradient(upstream: Tensor) -> Tensor:
            wide = tf.nn.depthwise_conv2d_backprop_input(
                tf.shape(x),
                tf.cast(kernel, tf.float32),
                tf.cast(upstream, tf.float32),
                strides,
                padding,
            )
            return tf.cast(wide, x.dtype)

        return tf.nn.depthwise_conv2d(x, kernel, strides, padding), gradient

    return convolved(x)


Pads = list[tuple[int, int]]


def _pads(size: Sequence[int], kernel: Sequence[int], stride: int, padding: Any) -> Pads | None:
    """Return the pixels to add before and after each axis (or crop, < 0) for whole strides."""
    around = [(0, 0), (0, 0)]
    if padding == "SAME":
        pairs = zip(size, kernel, strict=True)
        total = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in pairs]
        around = [(t // 2, t - t // 2) for t in total]
    elif padding != "VALID":
        around = padding[1:3]
    pads = []
    for n, k, (first, last) in zip(size, kernel, around, strict=True):
        count = (n + first + last - k) // stride + 1
        if count < 1:
            return None  # TensorFlow explains the error
        used = stride * (count - 1 + -(-k // stride))
        pads.append((first, used - n - first))
    return pads


def _without_strides(x: Tensor, kernel: Tensor, stride: int, pads: Pads) -> tuple[Tensor, Tensor]:
    added = [[0, 0], *[[first, max(last, 0)] for first, last in pads], [0, 0]]
    x = tf.pad(x, added)
    x = x[:, : x.shape[1] + min(pads[0][1], 0), : x.shape[2] + min(pads[1][1], 0)]
    height, width, channels, filters = kernel.shape
    rows, columns = -(-height // stride), -(-width // stride)
    with tf.init_scope() if _is_known(kernel) else tf.name_scope("kernel"):
        filled = tf.pad(
            kernel,
            [[0, rows * stride - height], [0, columns * stride - width], [0, 0], [0, 0]],
        )
        cut = tf.reshape(filled, [rows, stride, columns, stride, channels, filters])
        cut = tf.transpose(cut, [0, 2, 1, 3, 4, 5])
        cut = tf.reshape(cut, [rows, columns, stride * stride * channels, filters])
    return tf.nn.space_to_depth(x, stride), cut


def _is_known(tensor: Tensor) -> bool:
    """Return whether a tensor has values while a function is traced."""
    return hasattr(tensor, "numpy")


def _embedded(kernel: Tensor) -> Tensor:
    """Embed a kernel in the graph: oneDNN caches its own layout only of constants."""
    if not _is_known(kernel) or tf.executing_eagerly():
        return kernel
    return tf.constant(kernel.numpy(), kernel.dtype)


def normalize(x: Tensor, radius: int, bias: float, alpha: float, beta: float) -> Tensor:
    """Compute ``x / (bias + alpha * sum of x^2 over near channels) ^ beta``, compiled by XLA.

    Near channels are at most ``radius`` away. It is computed in float32 for any type of ``x``
    [N, ..., C]. Forwards and backwards every number is read once and written once.
    """
    settings = (radius, bias, alpha, beta)
    forward, backward = _normalizers(tuple(x.shape), x.dtype, settings)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(x: Tensor) -> Any:
        return forward(x), lambda upstream: backward(x, upstream)

    return normalized(x)


def _wide_normalize(x: Tensor, *settings: Any) -> Tensor:
    """Fall back to float32: TensorFlow has no other CPU kernel."""
    wide = tf.nn.local_response_normalization(tf.cast(x, tf.float32), *settings)
    return tf.cast(wide, x.dtype)


@lru_cache(maxsize=256)
def _normalizers(
    shape: tuple[int | None, ...], dtype: Any, settings: tuple[int, float, float, float]
) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Compile the function and its gradient for values of one shape and type."""
    radius, bias, alpha, beta = settings

    def band(x: Tensor) -> Tensor:
        channels = x.shape[-1]
        around = [[0, 0]] * (x.shape.rank - 1) + [[radius, radius]]
        framed = tf.pad(x, around)
        return tf.add_n([framed[..., k : k + channels] for k in range(2 * radius + 1)])

    def power(base: Tensor) -> Tensor:
        """Compute ``base ^ -beta``; the usual exponents are square roots."""
        if beta == 0.5:
            return tf.math.rsqrt(base)
        if beta == 0.75:
            root = tf.math.rsqrt(base)
            return root * tf.sqrt(root)
        return tf.pow(base, -beta)

    def forward(x: Tensor) -> Tensor:
        wide = tf.cast(x, tf.float32)
        return tf.cast(wide * power(bias + alpha * band(wide * wide)), x.dtype)

    def backward(x: Tensor, upstream: Tensor) -> Tensor:
        wide, above = tf.cast(x, tf.float32), tf.cast(upstream, tf.float32)
        base = bias + alpha * band(wide * wide)
        factor = power(base)
        across = band(above * wide * factor / base)
        return tf.cast(above * factor - (2 * alpha * beta) * wide * across, x.dtype)

    jit = partial(tf.function, jit_compile=True, autograph=False)
    return jit(forward), jit(backward)
