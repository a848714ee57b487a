"""Images whose colours are cut off at black and white, without a sigmoid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations.colour import ROOTS, Coloured
from kerasviz.optvis.parameterizations.pixel import Pixel
from kerasviz.types import Tensor

#: The mean colour of ImageNet, which values of 0 show where colours are decorrelated (lucid,
#: ``color.py``).
MEAN = (0.48, 0.46, 0.41)
#: The same for other images.
GREY = 0.5


@dataclass(frozen=True)
class Clip:
    """Images as M z + mean, cut off at 0 and 1, of the values z of ``own``.

    M is the colour decorrelation of ``own``, and the mean that of ImageNet, or grey without
    decorrelation. So black and white are reached, and colours change at the same pace everywhere;
    see :func:`limited` for the gradient. Source: lucid, ``to_valid_rgb`` without a sigmoid (whose
    mean is black without decorrelation).

    >>> Clip().to_image(Clip().init(tf.constant([0, 1]), 5, 7, 3), 5, 7).shape
    TensorShape([2, 5, 7, 3])
    """

    own: Any = field(default_factory=Pixel)
    kind: ClassVar[str] = "clip"

    def __post_init__(self) -> None:
        if isinstance(self.own, Mapping):  # from plain data
            from kerasviz.optvis.parameterizations import from_json

            object.__setattr__(self, "own", from_json(self.own))
        if not isinstance(self.own, Coloured):
            raise UsageError(
                f"clip parameterization: own {self.own.to_json()['kind']!r}; expected pixel, "
                "fourier, pyramid or low-resolution"
            )

    @property
    def any_size(self) -> bool:
        """Whether the same parameters have a picture in any size."""
        return bool(getattr(self.own, "any_size", False))

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters of ``own``; row i depends on its seed only."""
        return self.own.init(seeds, height, width, channels)

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]."""
        values = self.own.values(params, height, width)
        if self._decorrelates(values):
            values = tf.matmul(values, tf.constant(ROOTS[self.own.root].T, values.dtype))
        return (limited(2 * (values + self._mean(values)) - 1) + 1) / 2

    def from_images(self, images: Tensor) -> Any:
        """Return the parameters whose images are ``images`` [B, H, W, C] in [0, 1]."""
        values = images - self._mean(images)
        if self._decorrelates(images):
            inverse = np.linalg.inv(ROOTS[self.own.root]).T
            values = tf.matmul(values, tf.constant(inverse, values.dtype))
        return self.own.from_values(values)

    def _decorrelates(self, values: Tensor) -> bool:
        return bool(self.own.decorrelate and values.shape[-1] == 3)

    def _mean(self, values: Tensor) -> Tensor:
        return tf.constant(MEAN if self._decorrelates(values) else GREY, values.dtype)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, "own": self.own.to_json()}


@tf.custom_gradient  # type: ignore[untyped-decorator]
def limited(numbers: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Cut numbers off at -1 and 1, with a gradient that leads back.

    The gradient of what is maximized passes, also to numbers outside, unless it points further
    outwards there. Source: lucid, ``unit_balls.py``.
    """

    def slopes(upstream: Tensor) -> Tensor:
        leaves = (tf.abs(numbers) >= 1) & (numbers * upstream > 0)
        return tf.where(leaves, tf.zeros_like(upstream), upstream)

    return tf.clip_by_value(numbers, -1.0, 1.0), slopes
