"""Describe how an image in [0, 1] becomes the numbers that a network was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kerasviz.errors import UsageError, near
from kerasviz.types import Tensor


@dataclass(frozen=True)
class InputSpec:
    """Describe the input of a network: ``x = (scale * image - mean) / std``.

    Args:
        scale: The factor of images in [0, 1].
        mean: One number, or one per channel in the order of the network.
        std: One number, or one per channel in the order of the network; not 0.
        channel_order: ``"rgb"`` or ``"bgr"``; ignored unless the network has three channels.
        source: Where the description came from.

    Raises:
        UsageError: For another channel order, and a scale or std of 0.

    Example:
        >>> InputSpec(scale=255.0, mean=(117.0,)).range
        (-117.0, 138.0)
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channel_order: str = "rgb"
    source: str = "given"

    def __post_init__(self) -> None:
        if self.channel_order not in ("rgb", "bgr"):
            raise UsageError(f"channel order {self.channel_order!r}: expected rgb or bgr")
        if any(s == 0 for s in self.std) or self.scale == 0:
            raise UsageError("input description: std and scale must not be 0")

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest number of an image as the network takes it."""
        wide = max(len(self.mean), len(self.std))
        mean, std = (self.mean * wide)[:wide], (self.std * wide)[:wide]
        ends = [(e * self.scale - m) / s for m, s in zip(mean, std, strict=True) for e in (0, 1)]
        return min(ends), max(ends)

    def describe(self) -> str:
        """Describe the numbers for people: their range, and what is done where it is not all.

        >>> InputSpec(scale=2.0, mean=(1.0,)).describe()
        '-1 to 1, RGB'
        """
        low, high = self.range
        text = f"{low:.6g} to {high:.6g}, {self.channel_order.upper()}"
        if len({*self.mean}) > 1 or len({*self.std}) > 1:
            mean, std = (" ".join(f"{n:.6g}" for n in numbers) for numbers in (self.mean, self.std))
            text += f", scale {self.scale:.6g}, mean {mean}, std {std}"
        return text

    def apply(self, images: Tensor) -> Tensor:
        """Map images [B, H, W, C] in [0, 1], RGB, to the network's numbers, channels last."""
        import tensorflow as tf  # only here: listing model cards should not wait for it

        channels = images.shape[-1]
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, channels):
                raise UsageError(
                    f"input description: {name} has {len(numbers)} entries, the images have "
                    f"{channels} channels; give 1 or {channels}"
                )
        if channels == 3 and self.channel_order == "bgr":
            images = tf.reverse(images, [-1])
        std = tf.constant(self.std, images.dtype)
        return images * (self.scale / std) - tf.constant(self.mean, images.dtype) / std

    def to_json(self) -> dict[str, Any]:
        """Return the description as plain data, for :meth:`from_json`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """Return what decides a picture, as plain data: everything but the source."""
        return {key: value for key, value in self.to_json().items() if key != "source"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> InputSpec:
        """Return the description of plain data, with lists for tuples."""
        settings: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        return cls(**settings)


PRESETS: dict[str, InputSpec] = {
    "torchvision": InputSpec(
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), source="preset torchvision"
    ),
    "inception": InputSpec(scale=2.0, mean=(1.0,), source="preset inception"),
    "caffe": InputSpec(
        scale=255.0,
        mean=(103.939, 116.779, 123.68),
        channel_order="bgr",
        source="preset caffe",
    ),
    "unit": InputSpec(source="preset unit"),
    "byte": InputSpec(scale=255.0, source="preset byte"),
}


def preset(name: str) -> InputSpec:
    """Return a common input description: torchvision, inception, caffe, unit or byte.

    ``inception`` is [-1, 1]; ``caffe`` is BGR, 0..255 minus the ImageNet mean; ``unit`` is [0, 1];
    ``byte`` is [0, 255].
    """
    if name not in PRESETS:
        raise UsageError(f"unknown preprocessing {name!r}; choose from {near(name, PRESETS)}")
    return PRESETS[name]


#: The largest number of images that a mean and a deviation may be given for.
BYTE = 255


@dataclass(frozen=True)
class InputWords:
    """Hold the words that describe an input, as the command and :func:`kerasviz.load` take them.

    ``preprocess`` is the name of a preset; ``mean`` and ``std`` have one number, or one for each
    channel, and are those of images in 0..255 if one of them is above 1.
    """

    preprocess: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str | None = None

    @classmethod
    def of(
        cls,
        preprocess: str | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        channel_order: str | None = None,
    ) -> InputWords:
        """Return the words for what Python was given; a number stands for all channels.

        Raises :class:`UsageError` for a mean or std that is no number.
        """
        numbers = {"mean": _numbers("mean", mean), "std": _numbers("std", std)}
        return cls(preprocess, **numbers, channel_order=channel_order)

    def spec(self, source: str = "given") -> InputSpec | None:
        """Return the description, ``None`` where the words give none.

        ``source`` is what it names as its origin unless it is a preset.
        """
        if self.preprocess is None and self.mean is None and self.std is None:
            return None
        if self.preprocess is not None:
            spec = preset(self.preprocess)
        else:
            # Means and deviations above 1 are those of images in 0..255.
            largest = max(abs(n) for n in (*(self.mean or ()), *(self.std or ())))
            if largest > BYTE:
                raise UsageError(
                    f"{largest:g} is above 255: give --mean and --std of images in 0 to 1, such as "
                    f"{largest / 65535:.3g} for 16 bits ({largest:g} / 65535)"
                )
            spec = InputSpec(scale=255.0 if largest > 1 else 1.0)
        given = {k: v for k in ("mean", "std", "channel_order") if (v := getattr(self, k))}
        return replace(spec, **given, source=source) if given else spec


def _numbers(name: str, given: float | Sequence[float] | None) -> tuple[float, ...] | None:
    """Return numbers as a tuple; raise :class:`UsageError` for anything else."""
    if given is None:
        return None
    several: Any = given if hasattr(given, "__iter__") and not isinstance(given, str) else [given]
    try:
        numbers = tuple(float(number) for number in several)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise UsageError(
            f"{name}={given!r}: expected one number, or one per channel such as (104, 117, 123)"
        )
    return numbers
