"""The transform of signals: steps along axes of time and space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.axis_steps import AxisStep, Gain, Roll, Stretch
from kerasviz.optvis.transforms.steps import FoldableStep, FunctionStep
from kerasviz.optvis.transforms.transform import Transform
from kerasviz.optvis.transforms.views import Noise, Rows, ShrinkingCrop, spread
from kerasviz.types import Size, Tensor

#: The steps for signals: [ours], except for the shares, which are those of augmentations of EEG.
SIGNAL_STEPS = (Roll(), Stretch(), Gain(), Noise(0.01))


@dataclass(frozen=True)
class AxisTransform(Transform):
    """A transform of signals, which are folded into images: each row has its own draws.

    Functions among the steps see the folded images [B, H, W, C].

    Args:
        steps: ``Roll``, ``Stretch``, ``Gain``, ``Noise``, and Python functions.
        axes: The words for the axes of positions; by default time, or height and width where
            images are higher than one pixel.
        lengths: Their lengths; by default those of the image.

    Example:
        >>> transform = AxisTransform((Roll(), Gain()), axes=("time",), lengths=(100,))
        >>> transform.apply(tf.zeros([2, 1, 100, 3]), tf.constant([0, 1]), step=0).shape
        TensorShape([2, 1, 100, 3])
    """

    axes: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    resample: ClassVar[str] = "axes"
    is_of_signals: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.axes) != len(self.lengths):
            raise UsageError(
                f"transform: {len(self.axes)} axes and {len(self.lengths)} lengths; expected as "
                "many of both"
            )
        for step in self.steps:
            if isinstance(step, FoldableStep | ShrinkingCrop):
                raise UsageError(
                    f"{step.kind}: for images; signals have roll, stretch, gain and noise"
                )

    def along(self, axes: Sequence[str], lengths: Sequence[int]) -> AxisTransform:
        """Return the transform of signals of some axes of positions and their lengths."""
        return replace(self, axes=tuple(axes), lengths=tuple(lengths))

    @property
    def _keeps_size(self) -> bool:
        return True

    def _resample(self, images: Tensor, picks: Sequence[Sequence[Tensor]], rows: Rows) -> Tensor:
        images = spread(images, rows.views)
        size = (images.shape[1], images.shape[2])
        axes, lengths = self._geometry(size)
        folded = tf.shape(images) if images.shape[0] is None else images.shape
        for step, values in zip(self.steps, picks, strict=True):
            if isinstance(step, AxisStep):
                x = tf.reshape(images, [folded[0], *lengths, images.shape[3]])
                images = tf.reshape(step.apply(x, values, axes), folded)
            elif isinstance(step, Noise):
                images = step.added(images, rows)
            elif isinstance(step, FunctionStep):
                images = step.apply(images, rows.of_views, size)
        return images

    def _geometry(self, size: Size) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Return the axes and the lengths of images of a size."""
        if not self.lengths:
            return (("time",), size[1:]) if size[0] == 1 else (("height", "width"), size)
        if math.prod(self.lengths) != math.prod(size):
            raise UsageError(f"transform: lengths {self.lengths} in an image of {size}")
        return self.axes, self.lengths

    def to_json(self) -> dict[str, Any]:
        """Return the steps and settings as plain data."""
        geometry = {"axes": list(self.axes), "lengths": list(self.lengths)}
        return {**super().to_json(), **(geometry if self.lengths else {})}
