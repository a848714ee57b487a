"""Parameterizations: the parameters of an image, and the function from them to the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol

from kerasviz.errors import UsageError, check_choice, check_names
from kerasviz.optvis.held_array import revived
from kerasviz.optvis.parameterizations.aligned import Aligned as Aligned
from kerasviz.optvis.parameterizations.alpha import Alpha as Alpha
from kerasviz.optvis.parameterizations.ball import L2Ball as L2Ball
from kerasviz.optvis.parameterizations.ball import LinfBall as LinfBall
from kerasviz.optvis.parameterizations.clip import Clip as Clip
from kerasviz.optvis.parameterizations.cppn import LEARNING_RATE as _CPPN_RATE
from kerasviz.optvis.parameterizations.cppn import Cppn as Cppn
from kerasviz.optvis.parameterizations.fourier import Fourier as Fourier
from kerasviz.optvis.parameterizations.grey import Grey as Grey
from kerasviz.optvis.parameterizations.low_resolution import LowResolution as LowResolution
from kerasviz.optvis.parameterizations.low_resolution import Pyramid as Pyramid
from kerasviz.optvis.parameterizations.maco import Maco as Maco
from kerasviz.optvis.parameterizations.pixel import Pixel as Pixel
from kerasviz.optvis.parameterizations.signal import Signal as Signal
from kerasviz.optvis.parameterizations.waveform import Waveform as Waveform
from kerasviz.types import Tensor

_KINDS: dict[str, Any] = {
    kind.kind: kind
    for kind in (
        *(Fourier, Pixel, Pyramid, LowResolution, Cppn, Aligned, Alpha, Maco),
        *(Clip, Grey, L2Ball, LinfBall, Signal, Waveform),
    )
}

#: Learning rates of parameterizations by kind, where that of recipes for pixels and spectra fails.
LEARNING_RATES = {Cppn.kind: _CPPN_RATE}


class Parameterization(Protocol):
    """Two pure functions: seeds to parameters, parameters to images; frozen and hashable.

    Arrays among its settings are :class:`HeldArray`, whose numbers it reads in these functions.

    The parameters are a tensor, or a tuple of tensors, whose first axis is the batch.
    """

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]; rows of a group may share parameters."""

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data with their ``kind``."""


def media_of(parameterization: Any) -> tuple[str, ...]:
    """Return the media whose numbers a parameterization makes.

    >>> media_of(Fourier()), media_of(Signal())
    (('image',), ('signal',))
    """
    media: tuple[str, ...] = getattr(parameterization, "media", ("image",))
    return media


def media_of_kind(kind: str) -> tuple[str, ...]:
    """Return the media whose numbers a kind of parameterizations makes.

    >>> media_of_kind("pixel")
    ('image',)
    """
    return media_of(_KINDS[kind])


def from_images(parameterization: Parameterization, images: Tensor) -> Any:
    """Return the parameters whose images are ``images`` [B, H, W, C] in [0, 1].

    Raises :class:`UsageError` for a parameterization that cannot hold every image.
    """
    inverse = getattr(parameterization, "from_images", None)
    if inverse is None:
        kind = parameterization.to_json()["kind"]
        raise UsageError(
            f"param {kind}: it cannot hold a photo to start from; choose fourier, pixel, "
            "pyramid, clip, l2-ball or linf-ball"
        )
    return inverse(images)


def from_json(data: Mapping[str, Any]) -> Parameterization:
    """Make a parameterization from ``{"kind": "fourier", setting: value ...}``.

    Missing settings are the defaults. Raises :class:`UsageError` for an unknown kind or setting.

    >>> from_json({"kind": "pixel", "sd": 0.1})
    Pixel(sd=0.1, decorrelate=True, root='svd')
    """
    kind = str(data.get("kind"))
    check_choice("parameterization", kind, _KINDS)
    settings = {name: value for name, value in data.items() if name != "kind"}
    known = [f.name for f in fields(_KINDS[kind])]
    check_names(f"{kind} parameterization", settings, known)
    parameterization: Parameterization = _KINDS[kind](**revived(settings))
    return parameterization
