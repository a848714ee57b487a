"""The plain parameterization: one variable per pixel and channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import Coloured
from kerasviz.types import Tensor


@dataclass(frozen=True)
class Pixel(Coloured):
    """Images as sigmoid(M z) of pixels z, initially normal with standard deviation ``sd``.

    M is the colour decorrelation by ``root`` (``svd`` or ``cholesky``), for 3 channels and
    ``decorrelate`` only. Source: lucid, ``pixel_image``.
    """

    sd: float = 0.01
    decorrelate: bool = True
    root: str = "svd"
    kind: ClassVar[str] = "pixel"

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Tensor:
        """Return the initial pixels [B, H, W, C]; row i depends on its seed ``seeds[i]`` only."""
        return self.sd * randomness.normal(seeds, (height, width, channels))

    def from_values(self, values: Tensor) -> Tensor:
        """Return the values [B, H, W, C], which are the parameters."""
        return values

    def values(self, params: Tensor, height: int, width: int) -> Tensor:
        """Return the parameters themselves."""
        return params
