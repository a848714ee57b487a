"""Optimizers: one step of each, for tensors or tuples of tensors whose first axis is the batch."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.types import Tensor

#: Adam's decay of the mean of gradients, per step (Kingma & Ba 2015; TensorFlow's default).
BETA1 = 0.9
#: Adam's decay of the mean of squared gradients, per step (as ``BETA1``).
BETA2 = 0.999
#: What Adam adds to the root of the mean square, in units of the gradient (as ``BETA1``).
EPSILON = 1e-8
#: The same for Nadam (Keras).
NADAM_EPSILON = 1e-7
#: The factor by which Nadam's momentum nears ``BETA1`` in each step (Dozat 2016; Keras).
WARMING = 0.96
#: Steps after which float32 has neither the product of Nadam's momenta nor ``WARMING`` to the step.
WARM = 1024


def per_row(numbers: Tensor, rows: Tensor) -> Tensor:
    """Reshape numbers [B] so that they broadcast to rows [B, ...]."""
    return tf.reshape(numbers, [-1] + [1] * (rows.shape.rank - 1))


@lru_cache(maxsize=64)
def fused_update(optimizer: str, rate: float, size: tuple[int, int]) -> Any:
    """Compile the update by XLA, for all networks: it reads and writes the state only once."""
    update = partial(UPDATES[optimizer], rate)
    return tf.function(update, autograph=False, jit_compile=True)


def _ascend(rate: float, params: Any, moments: Any, gradient: Any, step: Tensor) -> Any:
    """Take one step of plain gradient ascent; the moments stay zero."""
    return (tf.nest.map_structure(lambda p, g: p + rate * g, params, gradient), *moments)


def _ascend_normalized(rate: float, params: Any, moments: Any, gradient: Any, step: Tensor) -> Any:
    """Take a step along the gradient whose mean absolute value is ``rate``; moments stay zero.

    Source: the program of DeepDream (Mordvintsev, Olah, Tyka 2015).
    """
    parts = tf.nest.flatten(gradient)
    flat = tf.concat([tf.reshape(tf.abs(g), [tf.shape(g)[0], -1]) for g in parts], axis=1)
    sizes = rate / (tf.reduce_mean(flat, axis=1) + EPSILON)
    moved = tf.nest.map_structure(lambda p, g: p + per_row(sizes, g) * g, params, gradient)
    return (moved, *moments)


def _adam(rate: float, params: Any, moments: Any, gradient: Any, step: Tensor) -> Any:
    """Take one step of Adam (Kingma & Ba 2015, with the step sizes of their section 2)."""
    count = tf.cast(step + 1, tf.float32)
    step_sizes = rate * tf.sqrt(1 - BETA2**count) / (1 - BETA1**count)
    mean = tf.nest.map_structure(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradient)
    variance = tf.nest.map_structure(
        lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradient
    )

    def moved(p: Tensor, m: Tensor, v: Tensor) -> Tensor:
        return p + per_row(step_sizes, p) * m / (tf.sqrt(v) + EPSILON)

    return tf.nest.map_structure(moved, params, mean, variance), mean, variance


def _nadam_schedule() -> tuple[Any, Any]:
    """Return Nadam's momentum of each step from 1 on, and the products of those up to a step."""
    steps = np.arange(1, WARM + 2)
    momenta = BETA1 * (1 - 0.5 * WARMING**steps)
    return momenta.astype(np.float32), np.cumprod(momenta).astype(np.float32)


def _nadam(rate: float, params: Any, moments: Any, gradient: Any, step: Tensor) -> Any:
    """Take one step of Nadam: Adam with Nesterov's momentum (Dozat 2016, as Keras computes it).

    The momentum grows from 0.47 to ``BETA1``. Products of momenta depend on the step only: they are
    looked up, so that the optimizer has no state beside the two moments.
    """
    momenta, products = (tf.constant(numbers) for numbers in _nadam_schedule())
    number = tf.minimum(step, WARM - 1)
    now, following = tf.gather(momenta, number), tf.gather(momenta, number + 1)
    product, next_product = tf.gather(products, number), tf.gather(products, number + 1)
    of_mean, of_gradient = following / (1 - next_product), (1 - now) / (1 - product)
    spread = 1 - BETA2 ** tf.cast(step + 1, tf.float32)
    mean = tf.nest.map_structure(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradient)
    variance = tf.nest.map_structure(
        lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradient
    )

    def moved(p: Tensor, m: Tensor, v: Tensor, g: Tensor) -> Tensor:
        ahead = per_row(of_mean, p) * m + per_row(of_gradient, p) * g
        return p + rate * ahead / (tf.sqrt(v / per_row(spread, p)) + NADAM_EPSILON)

    return tf.nest.map_structure(moved, params, mean, variance, gradient), mean, variance


#: One step of each optimizer: (rate, parameters, moments, gradient, step) -> (parameters, moments).
UPDATES = {
    "adam": _adam,
    "gradient-descent": _ascend,
    "normalized-gradient": _ascend_normalized,
    "nadam": _nadam,
}
