"""Transparent images: an opacity beside the colours of another parameterization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.fourier import Fourier, frequency_scale
from kerasviz.types import Tensor

#: What lies behind a finished image when it is scored.
GREY = 0.5
#: The power of the frequency by which the spectrum of an opacity falls.
OPACITY_DECAY = 1.5
#: The streams of a seed's random numbers from this one on are those of an opacity's parameters.
OPACITY_STREAM = 1 << 20
#: The stream of the numbers of backgrounds.
BACKGROUND_STREAM = OPACITY_STREAM - 1


@dataclass(frozen=True)
class Alpha:
    """Colours [B, H, W, C] of the parameterization ``own``, and an ``opacity`` [B, H, W, 1].

    The opacity has a parameterization of its own, whose spectrum falls faster than that of colours:
    else thousands of single pixels stay opaque. It starts half transparent. While it is optimized
    the image lies on another random background in every step, so that only what is opaque can be
    relied on; see :meth:`background`. ``weight`` times the mean opacity is the share of the score
    that opacity costs. A finished image is scored on grey. Source: lucid, notebooks on
    transparency (whose opacity has the spectrum of colours), and ``collapse_alpha_random``.

    >>> Alpha().to_image(Alpha().init(tf.constant([0, 1]), 5, 7, 3), 5, 7).shape
    TensorShape([2, 5, 7, 4])
    """

    own: Any = field(default_factory=Fourier)
    opacity: Any = field(default_factory=lambda: Fourier(decay_power=OPACITY_DECAY))
    weight: float = 2.0
    background_sd: float = 0.5
    background_decay: float = 1.0
    kind: ClassVar[str] = "alpha"

    def __post_init__(self) -> None:
        for name in ("own", "opacity"):
            if isinstance(getattr(self, name), Mapping):  # from plain data
                from kerasviz.optvis.parameterizations import from_json

                object.__setattr__(self, name, from_json(getattr(self, name)))
            if isinstance(getattr(self, name), Alpha):
                raise UsageError(f"alpha parameterization: {name} is transparent already")
        for name in ("weight", "background_sd"):
            if not getattr(self, name) >= 0:
                value = getattr(self, name)
                raise UsageError(f"alpha parameterization: {name} {value}; expected 0 or more")

    @property
    def any_size(self) -> bool:
        """Whether colours and opacity have a picture in any size."""
        return all(getattr(part, "any_size", False) for part in (self.own, self.opacity))

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        others = tf.cast(seeds, tf.int64) + (OPACITY_STREAM << 32)
        return (
            self.own.init(seeds, height, width, channels),
            self.opacity.init(others, height, width, 1),
        )

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C + 1] in [0, 1], the last channel their opacity."""
        colours, opacity = params
        parts = (
            self.own.to_image(colours, height, width, groups),
            self.opacity.to_image(opacity, height, width, groups),
        )
        return tf.concat(parts, axis=-1)

    def background(
        self, seeds: Tensor, step: Tensor, height: int, width: int, channels: int
    ) -> Tensor:
        """Draw noise images [B, H, W, C] by seed and step: Fourier images of random spectra.

        Their spectra have the standard deviation ``background_sd`` and fall with the frequency to
        the power ``background_decay``. Source: lucid, ``image_sample``.
        """
        fourier = Fourier(self.background_sd, self.background_decay)
        columns = frequency_scale(height, width, self.background_decay).shape[1]
        shape = (2, channels, height, columns)
        noise = fourier.sd * randomness.normal(seeds, shape, BACKGROUND_STREAM, step)
        return fourier.to_image((noise[:, 0], noise[:, 1]), height, width)

    def on_background(self, images: Tensor, seeds: Tensor, step: Tensor) -> Tensor:
        """Lay images [B, H, W, C + 1] on the backgrounds of their seeds [B] and steps [B]."""
        _, height, width, channels = images.shape
        return laid_on(images, self.background(seeds, step, height, width, channels - 1))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        parts = {"own": self.own.to_json(), "opacity": self.opacity.to_json()}
        return {"kind": self.kind, **vars(self), **parts}


def laid_on(images: Tensor, ground: Any) -> Tensor:
    """Lay images [B, H, W, C + 1], the last channel their opacity, on others [B, H, W, C].

    >>> laid_on(tf.constant([[[[0.5, 0.5]]]]), 1.0).numpy().tolist()
    [[[[0.75]]]]
    """
    opacity = images[..., -1:]
    return opacity * images[..., :-1] + (1 - opacity) * ground


def opaque(parameterization: Any, images: Any) -> Any:
    """Lay transparent images of a parameterization on grey; others are returned as they are."""
    return laid_on(images, GREY) if isinstance(parameterization, Alpha) else images
