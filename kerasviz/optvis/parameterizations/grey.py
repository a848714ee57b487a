"""Grey images for networks that see colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations.alpha import Alpha
from kerasviz.optvis.parameterizations.fourier import Fourier
from kerasviz.types import Tensor

#: The channels of colours.
RGB = 3


@dataclass(frozen=True)
class Grey:
    """Images [B, H, W, 3] with three equal colours: those of ``own`` in one channel.

    So shapes and textures must do without colour. Source: lucid, ``grayscale_image_rgb``.

    >>> Grey().to_image(Grey().init(tf.constant([0, 1]), 5, 7, 3), 5, 7).shape
    TensorShape([2, 5, 7, 3])
    """

    own: Any = field(default_factory=Fourier)
    kind: ClassVar[str] = "grey"

    def __post_init__(self) -> None:
        if isinstance(self.own, Mapping):  # from plain data
            from kerasviz.optvis.parameterizations import from_json

            object.__setattr__(self, "own", from_json(self.own))
        if isinstance(self.own, Alpha | Grey):
            raise UsageError(
                f"grey parameterization: own {self.own.kind!r}; expected one of colours alone, as "
                "fourier"
            )

    @property
    def any_size(self) -> bool:
        """Whether the same parameters have a picture in any size."""
        return bool(getattr(self.own, "any_size", False))

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only.

        Raises :class:`UsageError` for images of other than 3 channels.
        """
        if channels != RGB:
            raise UsageError(
                f"param grey: for networks that see colours, not images of {channels} channels; "
                "leave it out"
            )
        return self.own.init(seeds, height, width, 1)

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, 3] in [0, 1]."""
        return tf.repeat(self.own.to_image(params, height, width, groups), RGB, axis=-1)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {"kind": self.kind, "own": self.own.to_json()}
