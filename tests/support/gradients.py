"""Compare gradients with finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def checked_gradient(score: Callable[[Any], Any], x: Any) -> Any:
    """Return the gradient of ``score`` by an image ``x`` [1, H, W, 1], checked at every pixel."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        reached = score(x)
    gradient = tape.gradient(reached, x).numpy()
    for place in np.ndindex(*x.shape[1:3]):
        nudge = np.zeros(x.shape, np.float32)
        nudge[0, *place, 0] = 0.01
        slope = (score(x + nudge) - score(x - nudge)) / 0.02
        assert abs(float(slope) - gradient[0, *place, 0]) < 2e-3
    return gradient
