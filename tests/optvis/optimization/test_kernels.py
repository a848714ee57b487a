"""The loop's kernels against the plain operations, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.optvis.optimization.kernels import (
    convolve,
    convolve_depthwise,
    fast_kernels,
    normalize,
    portable_kernels,
)

Array = Any


def with_gradient(function: Any, x: Array, upstream: Array | None = None) -> tuple[Array, Array]:
    """The value, and the gradient of its product with ``upstream`` (default: fixed noise)."""

    @tf.function(autograph=False)
    def both(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            shape = y.shape.as_list()
            given = np.random.default_rng(1).normal(size=shape) if upstream is None else upstream
            total = tf.reduce_sum(tf.cast(y, tf.float32) * tf.constant(given, tf.float32))
        return y, tape.gradient(total, x)

    y, gradient = both(tf.constant(x))
    return np.asarray(tf.cast(y, tf.float32)), np.asarray(tf.cast(gradient, tf.float32))


CONVOLUTIONS = [
    # size, kernel, stride, channels, padding
    ((24, 24), (7, 7), 2, 3, [[0, 0], [3, 3], [3, 3], [0, 0]]),
    ((25, 18), (7, 7), 2, 3, "SAME"),
    ((24, 17), (3, 3), 2, 1, "SAME"),
    ((23, 31), (3, 5), 2, 4, "VALID"),
    ((22, 22), (11, 11), 4, 3, [[0, 0], [2, 2], [2, 1], [0, 0]]),
    ((17, 19), (3, 3), 4, 2, "VALID"),  # a stride longer than the kernel
    ((16, 16), (8, 8), 8, 3, "VALID"),  # the patches of a transformer
]


@pytest.mark.parametrize(("size", "kernel", "stride", "channels", "padding"), CONVOLUTIONS)
def test_a_strided_convolution_of_an_image_is_the_plain_one(
    size: Any, kernel: Any, stride: int, channels: int, padding: Any
) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *size, channels)).astype(np.float32)
    weights = tf.constant(random.normal(size=(*kernel, channels, 5)), tf.float32)
    strides = [1, stride, stride, 1]
    found = with_gradient(lambda x: convolve(x, weights, strides, padding), x)
    want = with_gradient(lambda x: tf.nn.conv2d(x, weights, strides, padding), x)
    for ours, theirs in zip(found, want, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


def test_what_has_no_strides_or_many_channels_is_left_alone() -> None:
    weights = tf.ones([3, 3, 8, 2])

    @tf.function(autograph=False)
    def many(x: Any) -> Any:
        return convolve(x, weights, [1, 2, 2, 1], "SAME")

    graph = many.get_concrete_function(tf.TensorSpec([1, 8, 8, 8])).graph
    assert "SpaceToDepth" not in {op.type for op in graph.get_operations()}


def test_a_kernel_too_large_for_the_image_has_tensorflows_words() -> None:
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        convolve(tf.ones([1, 2, 2, 3]), tf.ones([7, 7, 3, 2]), [1, 2, 2, 1], "VALID")


def normalized(x: Array, radius: int, bias: float, alpha: float, beta: float) -> Array:
    """Local response normalization as its paper writes it (AlexNet, section 3.3)."""
    y = np.zeros(x.shape)
    for c in range(x.shape[-1]):
        near = x[..., max(0, c - radius) : c + radius + 1].astype(np.float64)
        y[..., c] = x[..., c] / (bias + alpha * np.sum(near**2, -1)) ** beta
    return y


@pytest.mark.parametrize("beta", [0.5, 0.75, 1.3])
@pytest.mark.parametrize(("channels", "radius"), [(9, 2), (3, 4), (6, 0)])
def test_normalize_against_the_formula_and_finite_differences(
    beta: float, channels: int, radius: int
) -> None:
    settings = (radius, 1.5, 0.3, beta)
    random = np.random.default_rng(2)
    x = random.normal(size=(2, 3, 5, channels)).astype(np.float32)
    upstream = random.normal(size=x.shape)
    y, gradient = with_gradient(lambda x: normalize(x, *settings), x, upstream)
    np.testing.assert_allclose(y, normalized(x, *settings), atol=2e-6)
    step = 1e-5
    for place in [(0, 0, 0, 0), (1, 2, 4, channels - 1), (1, 1, 2, channels // 2)]:
        moved = [x.astype(np.float64) for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        more, less = (np.sum(normalized(m, *settings) * upstream) for m in moved)
        assert gradient[place] == pytest.approx((more - less) / (2 * step), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("kernels_of", [fast_kernels, portable_kernels])
def test_normalize_of_a_narrow_type_keeps_it(kernels_of: Any) -> None:
    x = tf.cast(tf.random.stateless_normal([1, 4, 4, 6], [0, 1]), tf.bfloat16)
    y = kernels_of("bfloat16").normalize(x, 2, 1.0, 0.1, 0.75)
    assert y.dtype == tf.bfloat16
    want = normalized(np.asarray(tf.cast(x, tf.float32)), 2, 1.0, 0.1, 0.75)
    np.testing.assert_allclose(tf.cast(y, tf.float32), want, atol=0.02)


@pytest.mark.parametrize("shape", [(5, 7, 3, 5), (7, 9, 11, 6)])
def test_normalize_gives_a_row_the_same_bits_in_every_place(shape: Any) -> None:
    random = np.random.default_rng(4)
    x, upstream = (random.normal(size=shape).astype(np.float32) for _ in range(2))
    order = random.permutation(shape[0])
    found = with_gradient(lambda x: normalize(x, 2, 1.0, 0.3, 0.75), x, upstream)
    again = with_gradient(lambda x: normalize(x, 2, 1.0, 0.3, 0.75), x[order], upstream[order])
    for one, other in zip(found, again, strict=True):
        assert np.array_equal(one[order], other)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_in_a_narrow_type_has_the_gradient_of_float32(stride: int) -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=(2, 9, 12, 4)).astype(np.float32)
    kernel = tf.constant(random.normal(size=(3, 3, 4, 1)), tf.bfloat16)
    strides = [1, stride, stride, 1]

    def narrow(x: Any) -> Any:
        return convolve_depthwise(tf.cast(x, tf.bfloat16), kernel, strides, "SAME")

    def wide(x: Any) -> Any:
        return tf.nn.depthwise_conv2d(x, tf.cast(kernel, tf.float32), strides, "SAME")

    for ours, theirs in zip(with_gradient(narrow, x), with_gradient(wide, x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02 * np.abs(theirs).max())
