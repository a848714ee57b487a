"""Parameterizations by enlarged coarse images: one image, or a pyramid of sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import Coloured
from kerasviz.types import Tensor


def enlarged(values: Tensor, height: int, width: int) -> Tensor:
    """Resize values [B, h, w, C] bilinearly to [B, H, W, C], pixel centres on pixel centres."""
    if tuple(values.shape[1:3]) == (height, width):
        return values
    return tf.image.resize(values, [height, width], method="bilinear")


@dataclass(frozen=True)
class Pyramid(Coloured):
    """Images as sigmoid(M sum of z_n) of ``levels`` images z_n, each half the size of the last.

    z_n [B, H // 2^n, W // 2^n, C], at least 1 x 1, is enlarged bilinearly and first normal with
    ``sd``. Few numbers hold the coarse structure, so it changes fast. Source: lucid,
    ``laplacian_pyramid_image``; pixel centres lie on pixel centres here.
    """

    levels: int = 4
    sd: float = 0.01
    decorrelate: bool = True
    root: str = "svd"
    kind: ClassVar[str] = "pyramid"

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise UsageError(f"pyramid parameterization: {self.levels} levels; expected 1 or more")
        super().__post_init__()

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> tuple[Tensor, ...]:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        sizes = [(max(1, height >> n), max(1, width >> n)) for n in range(self.levels)]
        return tuple(
            self.sd * randomness.normal(seeds, (*size, channels), stream=n)
            for n, size in enumerate(sizes)
        )

    def from_values(self, values: Tensor) -> tuple[Tensor, ...]:
        """Return levels that hold values [B, H, W, C] in the finest one, and 0 in others."""
        batch, height, width, channels = values.shape
        sizes = [(max(1, height >> n), max(1, width >> n)) for n in range(1, self.levels)]
        return values, *(tf.zeros([batch, *size, channels]) for size in sizes)

    def values(self, params: Any, height: int, width: int) -> Tensor:
        """Add up the enlarged levels."""
        return tf.add_n([enlarged(level, height, width) for level in params])


@dataclass(frozen=True)
class LowResolution(Coloured):
    """Images as sigmoid(M z) of a coarse image z [B, size, size, C], enlarged bilinearly.

    z is first normal with ``sd``. Source: lucid, ``lowres_tensor``; pixel centres lie on pixel
    centres here.
    """

    size: int = 32
    sd: float = 0.01
    decorrelate: bool = True
    root: str = "svd"
    kind: ClassVar[str] = "low-resolution"
    #: Whether the same parameters have a picture in any size.
    any_size: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(
                f"low-resolution parameterization: size {self.size}; expected 1 or more"
            )
        super().__post_init__()

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Tensor:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        return self.sd * randomness.normal(seeds, (self.size, self.size, channels))

    def values(self, params: Tensor, height: int, width: int) -> Tensor:
        """Enlarge the coarse image."""
        return enlarged(params, height, width)
