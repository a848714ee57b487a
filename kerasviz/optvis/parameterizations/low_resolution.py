"""Parameterizations by coarse images that are enlarged: one of them, or a pyramid of sizes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import check_root, to_rgb
from kerasviz.types import Tensor

__all__ = ["LowResolution", "Pyramid", "enlarged"]


def enlarged(values: Tensor, height: int, width: int) -> Tensor:
    """Values [B, h, w, C] resized bilinearly to [B, H, W, C], pixel centres on pixel centres."""
    if tuple(values.shape[1:3]) == (height, width):
        return values
    return tf.image.resize(values, [height, width], method="bilinear")


@dataclass(frozen=True)
class Pyramid:
    """Images as sigmoid(M sum of z_n) of ``levels`` images z_n, each half the size of the last.

    z_n [B, H // 2^n, W // 2^n, C], at least 1 x 1, is enlarged bilinearly and first normal with
    ``sd``. Coarse structure is in few numbers, so that it moves fast. Source: lucid,
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
        if not self.sd >= 0:
            raise UsageError(f"pyramid parameterization: sd {self.sd}; expected 0 or more")
        check_root(self.root)

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> tuple[Tensor, ...]:
        """The first parameters for ``seeds`` [B]; row i depends on its seed only."""
        return tuple(
            self.sd
            * randomness.normal(
                seeds, (max(1, height >> n), max(1, width >> n), channels), stream=n
            )
            for n in range(self.levels)
        )

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Images [B, H, W, C] in [0, 1]."""
        values = tf.add_n([enlarged(level, height, width) for level in params])
        return to_rgb(values, self.decorrelate, self.root)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class LowResolution:
    """Images as sigmoid(M z) of a coarse image z [B, size, size, C], enlarged bilinearly.

    z is first normal with ``sd``. Source: lucid, ``lowres_tensor``; pixel centres lie on pixel
    centres here.
    """

    size: int = 32
    sd: float = 0.01
    decorrelate: bool = True
    root: str = "svd"
    kind: ClassVar[str] = "low-resolution"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(
                f"low-resolution parameterization: size {self.size}; expected 1 or more"
            )
        if not self.sd >= 0:
            raise UsageError(f"low-resolution image: sd {self.sd}; expected 0 or more")
        check_root(self.root)

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Tensor:
        """The first parameters for ``seeds`` [B]; row i depends on its seed only."""
        return self.sd * randomness.normal(seeds, (self.size, self.size, channels))

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Images [B, H, W, C] in [0, 1]."""
        return to_rgb(enlarged(params, height, width), self.decorrelate, self.root)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {"kind": self.kind, **asdict(self)}
