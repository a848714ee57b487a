"""Smooth the gradient of max-pooling, which leaves a checkerboard in attributions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasviz.types import Tensor

#: What is added to the mean of absolute values (lucid, ``max_pool_grad``).
SMOOTHING = 0.01


def smoothed_max_pool(x: Tensor, window: Any, strides: Any, padding: Any) -> Tensor:
    """Compute ``tf.nn.max_pool``, with the gradient of a smooth function in its place.

    That is the mean of x^2 over a window divided by 0.01 + the mean of |x|, near the maximum where
    one number is much larger than others. So all large numbers of a window have a gradient.

    Example:
        >>> x = tf.constant([[1.0, 3.0, 3.0, 0.0]])[..., None, None]
        >>> float(smoothed_max_pool(x, [1, 4, 1, 1], [1, 4, 1, 1], "VALID")[0, 0, 0, 0])
        3.0

    Reference:
        lucid, ``misc/gradient_override.py``; Olah et al., "The Building Blocks of Interpretability"
        (Distill 2018), which warns that it hides what the network does.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def pooled(x: Tensor) -> Any:
        def slopes(upstream: Tensor) -> Tensor:
            with tf.GradientTape() as tape:
                tape.watch(x)
                smooth = _smooth(x, window, strides, padding)
            return tape.gradient(smooth, x, upstream)

        return tf.nn.max_pool(x, window, strides, padding), slopes

    return pooled(x)


def _smooth(x: Tensor, window: Any, strides: Any, padding: Any) -> Tensor:
    if not isinstance(padding, str):
        x, padding = tf.pad(x, padding), "VALID"
    squares = tf.nn.avg_pool(x * x, window, strides, padding)
    return squares / (SMOOTHING + tf.nn.avg_pool(tf.abs(x), window, strides, padding))
