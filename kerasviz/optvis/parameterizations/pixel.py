"""The plain parameterization: one variable per pixel and channel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import check_root, to_rgb
from kerasviz.types import Tensor

__all__ = ["Pixel"]


@dataclass(frozen=True)
class Pixel:
    """Images as sigmoid(M z) of pixels z, initially normal with standard deviation ``sd``.

    M is the colour decorrelation by ``root`` (``svd`` or ``cholesky``), for 3 channels and
    ``decorrelate`` only. Source: lucid,
    ``pixel_image``.
    """

    sd: float = 0.01
    decorrelate: bool = True
    root: str = "svd"
    kind: ClassVar[str] = "pixel"

    def __post_init__(self) -> None:
        if not self.sd >= 0:
            raise UsageError(f"pixel parameterization: sd {self.sd}; expected 0 or more")
        check_root(self.root)

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Tensor:
        """The first parameters [B, H, W, C] for ``seeds`` [B]; row i depends on its seed only."""
        return self.sd * randomness.normal(seeds, (height, width, channels))

    def to_image(self, params: Tensor, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Images [B, H, W, C] in [0, 1]."""
        return to_rgb(params, self.decorrelate, self.root)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {"kind": self.kind, **asdict(self)}
