"""Kernels: ways to compute a network's operations that are fast with their gradients.

Each gives the numbers of the plain operation up to the rounding of float32. They matter in the
optimization loop, which takes the gradient of the image in every step, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import tensorflow as tf

from kerasviz.network.program import PLAIN, Kernels
from kerasviz.optvis.optimization.relu_gradients import REDIRECTED
from kerasviz.types import Tensor

__all__ = ["convolve", "convolve_depthwise", "fast_kernels", "normalize"]


#: A strided convolution of at most so many channels is one of the image: a network's first.
IMAGE_CHANNELS = 4


@lru_cache
def fast_kernels(precision: str, *, fused: bool, redirected: bool = False) -> Kernels:
    """The kernels of the loop.

    ``precision`` is one of :data:`PRECISIONS`; ``fused`` allows XLA; ``redirected`` takes the
    ReLU gradients of :mod:`kerasviz.optvis.optimization.relu_gradients`.
    """
    return replace(
        REDIRECTED if redirected else PLAIN,
        convolve=convolve,
        convolve_depthwise=convolve_depthwise,
        normalize=normalize if fused else _wide_normalize,
        compute_dtype=None if precision == "float32" else tf.as_dtype(precision),
    )


def convolve(x: Tensor, kernel: Tensor, strides: Sequence[int], padding: Any) -> Tensor:
    """``tf.nn.conv2d``; a strided one of an image as one without strides.

    oneDNN has no fast gradient for the input of a strided convolution with few channels (in
    bfloat16 it takes longer than all others of GoogLeNet together). The pixels under a stride
    become channels, and the kernel, filled up with zeros, is cut in the same way: the same products
    are summed.
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
    """``tf.nn.depthwise_conv2d``, with the gradient of a narrow type computed in float32.

    oneDNN's own takes ten times as long in bfloat16.
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
    """What is added before and after each axis, so that whole strides remain, or is taken away."""
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
            return None  # TensorFlow has the words for it
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
    """Whether a tensor has numbers while a function is traced."""
    return hasattr(tensor, "numpy")


def _embedded(kernel: Tensor) -> Tensor:
    """A kernel as a constant of the graph: only of those oneDNN keeps what it makes of them."""
    if not _is_known(kernel) or tf.executing_eagerly():
        return kernel
    return tf.constant(kernel.numpy(), kernel.dtype)


def normalize(x: Tensor, radius: int, bias: float, alpha: float, beta: float) -> Tensor:
    """``x / (bias + alpha * sum of x^2 over the near channels) ^ beta``, compiled by XLA.

    Near are those at most ``radius`` away. In float32 whatever the type of ``x`` [N, ..., C]; for
    that and its gradient every number is read once and written once.
    """
    settings = (radius, bias, alpha, beta)
    forward, backward = _normalizers(tuple(x.shape), x.dtype, settings)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(x: Tensor) -> Any:
        return forward(x), lambda upstream: backward(x, upstream)

    return normalized(x)


def _wide_normalize(x: Tensor, *settings: Any) -> Tensor:
    """The plain operation, which on a CPU is only there for float32."""
    wide = tf.nn.local_response_normalization(tf.cast(x, tf.float32), *settings)
    return tf.cast(wide, x.dtype)


@lru_cache(maxsize=256)
def _normalizers(
    shape: tuple[int | None, ...], dtype: Any, settings: tuple[int, float, float, float]
) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Both directions for values of one shape and type."""
    radius, bias, alpha, beta = settings

    def band(x: Tensor) -> Tensor:
        channels = x.shape[-1]
        around = [[0, 0]] * (x.shape.rank - 1) + [[radius, radius]]
        framed = tf.pad(x, around)
        return tf.add_n([framed[..., k : k + channels] for k in range(2 * radius + 1)])

    def power(base: Tensor) -> Tensor:
        """``base ^ -beta``; the usual exponents are square roots."""
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
