"""Images that a small network paints: a function from the place of a pixel to its colour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, check_choice
from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import to_rgb
from kerasviz.types import Array, Tensor

#: The learning rate of the reference library's notebook, with Adam; larger ones jump.
LEARNING_RATE = 0.005
#: The first standard deviation of biases (lucid, ``cppn``).
BIAS_SD = 0.1
ACTIVATIONS = ("composite", "unbiased", "relu")


@dataclass(frozen=True)
class Cppn:
    """Images painted by a network from the place (x, y) of each pixel to its colour.

    It has ``layers`` layers of ``hidden`` numbers, then a linear one to the colours and a sigmoid.
    The first weights are normal with variance 1 / (numbers in), the biases normal with standard
    deviation 0.1; the last weights are zero, so that an image starts as one colour. With a =
    atan(x) the ``activation`` is (a / 0.67, a^2 / 0.6), twice as many numbers; ``unbiased`` (a /
    0.67, (a^2 - 0.45) / 0.396); or ``relu``, (max(x, 0) - 0.4) / 0.58. The longer side goes from
    -sqrt(3) to sqrt(3). Each picture has a network of its own, and any size shows the same picture.
    Source: lucid, ``cppn``, whose batch shares one network.

    >>> Cppn().to_image(Cppn().init(tf.constant([0, 1]), 5, 7, 3), 9, 7).shape
    TensorShape([2, 9, 7, 3])
    """

    hidden: int = 24
    layers: int = 8
    activation: str = "composite"
    kind: ClassVar[str] = "cppn"
    #: Whether the same parameters have a picture in any size.
    any_size: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("hidden", "layers"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                value = getattr(self, name)
                raise UsageError(f"cppn parameterization: {name} {value!r}; expected 1 or more")
        check_choice("activation", self.activation, ACTIVATIONS)

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> tuple[Tensor, ...]:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only.

        They are the weights [B, in, out] and the biases [B, out] of the layers in turn.
        """
        params = []
        inputs = 2
        for layer in range(self.layers):
            weights = randomness.normal(seeds, (inputs, self.hidden), 2 * layer)
            biases = randomness.normal(seeds, (self.hidden,), 2 * layer + 1)
            params += [weights / math.sqrt(inputs), BIAS_SD * biases]
            inputs = self.hidden if self.activation == "relu" else 2 * self.hidden
        weights, biases = (
            randomness.normal(seeds, shape, 2 * self.layers + k)
            for k, shape in enumerate([(inputs, channels), (channels,)])
        )
        return (*params, tf.zeros_like(weights), BIAS_SD * biases)

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]."""
        rows = params[0].shape[0]
        places = tf.constant(_places(height, width).reshape(-1, 2), tf.float32)
        values = tf.broadcast_to(places, [rows, *places.shape])
        for layer in range(self.layers):
            weights, biases = params[2 * layer : 2 * layer + 2]
            values = self._activated(tf.matmul(values, weights) + biases[:, None])
        values = tf.matmul(values, params[-2]) + params[-1][:, None]
        return to_rgb(tf.reshape(values, [rows, height, width, -1]), decorrelate=False)

    def _activated(self, x: Tensor) -> Tensor:
        if self.activation == "relu":
            return (tf.nn.relu(x) - 0.4) / 0.58
        a = tf.atan(x)
        square = a * a / 0.6 if self.activation == "composite" else (a * a - 0.45) / 0.396
        return tf.concat([a / 0.67, square], axis=-1)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, **vars(self)}


def _places(height: int, width: int) -> Array:
    """Return (x, y) of pixels [H, W, 2]: 0 in the middle, the longer side up to +-sqrt(3)."""
    spacing = 2 * math.sqrt(3) / max(height - 1, width - 1, 1)
    y, x = ((np.arange(n) - (n - 1) / 2) * spacing for n in (height, width))
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)
