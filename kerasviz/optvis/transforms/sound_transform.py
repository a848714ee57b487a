"""The transform of sounds: shifts, loudness, noise, speed and polarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.sound_steps import (
    Loudness,
    Polarity,
    Shift,
    SoundRows,
    SoundStep,
    Speed,
    WhiteNoise,
)
from kerasviz.optvis.transforms.steps import FunctionStep, Step
from kerasviz.optvis.transforms.transform import Transform
from kerasviz.optvis.transforms.views import Rows, spread
from kerasviz.types import Tensor

#: What hardly changes how a sound sounds. Nothing that is softer than the noise counts.
SOUND_STEPS: tuple[Step, ...] = (Shift(), Speed(), Polarity(), Loudness(), WhiteNoise())


@dataclass(frozen=True)
class SoundTransform(Transform):
    """A transform of sounds, images [B, 1, T, C] in which 0.5 is silence.

    Functions among the steps see these images.

    Args:
        steps: ``Shift``, ``Speed``, ``Polarity``, ``Loudness``, ``WhiteNoise``, and Python
            functions.
        rate: The samples per second; 0 for those of the network.

    Example:
        >>> import tensorflow as tf
        >>> transform = SoundTransform(SOUND_STEPS, rate=8000)
        >>> transform.apply(tf.fill([2, 1, 900, 1], 0.5), tf.constant([0, 1]), step=0).shape
        TensorShape([2, 1, 900, 1])
    """

    rate: int = 0
    resample: ClassVar[str] = "sound"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.rate, int) or self.rate < 0:
            raise UsageError(f"transform: rate {self.rate!r}; expected samples per second, or 0")
        for step in self.steps:
            if not isinstance(step, SoundStep | FunctionStep):
                raise UsageError(
                    f"{step.kind}: not for sounds, which have shift, speed, polarity, loudness and "
                    "white-noise"
                )

    @property
    def _keeps_size(self) -> bool:
        return not self.functions

    def _resample(self, images: Tensor, picks: Sequence[Sequence[Tensor]], rows: Rows) -> Tensor:
        sounds = spread(images, rows.views)
        whole = SoundRows(*rows.of_views, self.rate)
        size = (images.shape[1], images.shape[2])
        for step, values in zip(self.steps, picks, strict=True):
            if isinstance(step, FunctionStep):
                sounds = step.apply(sounds, rows.of_views, size)
            elif isinstance(step, SoundStep):
                sounds = step.apply(sounds, values, whole)
        return sounds

    def to_json(self) -> dict[str, Any]:
        """Return the steps and settings as plain data."""
        return {**super().to_json(), **({"rate": self.rate} if self.rate else {})}
