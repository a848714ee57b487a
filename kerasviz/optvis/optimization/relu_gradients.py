"""ReLU and ReLU6 whose gradients activate inactive units (methods of the lucid library)."""

from __future__ import annotations

import tensorflow as tf

from kerasviz.network.program import Kernels
from kerasviz.types import Tensor


def _plain_or_redirected(plain: Tensor, redirected: Tensor) -> Tensor:
    """Return, per image, ``plain`` where any of it is not zero, else ``redirected``."""
    axes = list(range(1, plain.shape.rank))
    alive = tf.reduce_any(tf.not_equal(plain, 0), axis=axes, keepdims=True)
    return tf.where(alive, plain, redirected)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def redirected_relu(x: Tensor) -> Tensor:
    """Compute the ReLU of ``x`` [B, ...], with a gradient for inactive units.

    Let ``g`` be the gradient of a score that is *maximized* with respect to the output: the plain
    gradient is 0 where x < 0. The redirected one is 0 only where x < 0 and g pushes lower
    (g < 0). An image takes the plain gradient if any of it is not zero. Source: lucid,
    ``redirected_relu_grad``, with the opposite sign because scores are maximized, not losses
    minimized.
    """

    def gradient(g: Tensor) -> Tensor:
        plain = tf.where(x < 0, tf.zeros_like(g), g)
        redirected = tf.where((x < 0) & (g < 0), tf.zeros_like(g), g)
        return _plain_or_redirected(plain, redirected)

    return tf.nn.relu(x), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def redirected_relu6(x: Tensor) -> Tensor:
    """Compute the ReLU6 of ``x`` [B, ...] with a gradient as that of :func:`redirected_relu`.

    Above 6 the plain gradient is 0 too, and the redirected one is 0 where g pushes higher.
    """

    def gradient(g: Tensor) -> Tensor:
        plain = tf.where((x < 0) | (x > 6), tf.zeros_like(g), g)
        blocked = ((x < 0) & (g < 0)) | ((x > 6) & (g > 0))
        return _plain_or_redirected(plain, tf.where(blocked, tf.zeros_like(g), g))

    return tf.nn.relu6(x), gradient


REDIRECTED = Kernels(redirected_relu, redirected_relu6)
