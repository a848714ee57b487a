"""Describe how an image in [0, 1] becomes the numbers that a network was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
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
        quantiles: Of the columns of a table, those of its data at 5, 25, 50, 75 and 95 %, which
            are drawn behind pictures.

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
    quantiles: tuple[tuple[float, ...], ...] = field(default=(), repr=False)

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

    def describe(self, *, colours: bool = True) -> str:
        """Describe the numbers for people: their range, and what is done where it is not all.

        Without ``colours`` there is no order of them.

        >>> InputSpec(scale=2.0, mean=(1.0,)).describe()
        '-1 to 1, RGB'
        """
        low, high = self.range
        text = f"{low:.6g} to {high:.6g}"
        if colours:
            text += f", {self.channel_order.upper()}"
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
        data = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        quantiles = [list(numbers) for numbers in data.pop("quantiles")]
        return {**data, **({"quantiles": quantiles} if quantiles else {})}

    def identity(self) -> dict[str, Any]:
        """Return what decides a picture, as plain data: everything but the source."""
        return {key: value for key, value in self.to_json().items() if key != "source"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> InputSpec:
        """Return the description of plain data, with lists for tuples."""
        settings: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        settings["quantiles"] = tuple(map(tuple, settings.get("quantiles", ())))
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
    channel, and are those of images in 0..255 if one of them is above 1. ``range_`` has the lowest
    and the highest number of signals, or the name of a file of some; ``axes`` and ``rate`` are
    those of signals, ``front_end`` is what turns sounds into spectrograms.
    """

    preprocess: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str | None = None
    range_: str | None = None
    axes: str | None = None
    rate: int | None = None
    front_end: str | None = None

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
        return cls(preprocess, _numbers("mean", mean), _numbers("std", std), channel_order)

    def spec(self, source: str = "given") -> InputSpec | None:
        """Return the description, ``None`` where the words give none.

        ``source`` is what it names as its origin unless it is a preset.
        """
        described = (self.preprocess, self.mean, self.std)
        if self.range_ is not None:
            if described != (None, None, None):
                raise UsageError("give --range, or --preprocess, --mean and --std, not both")
            limits = limits_of(self.range_)
            return None if limits is None else range_spec(*limits, source=source)
        if described == (None, None, None):
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


def limits_of(text: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Parse the lowest and the highest numbers of ``LOW,HIGH``, or ``LOW,HIGH;...`` by channel.

    ``None`` for other texts, which name files.

    >>> limits_of("-1,1"), limits_of("-1,1;0,5"), limits_of("eeg.npy")
    (((-1.0,), (1.0,)), ((-1.0, 0.0), (1.0, 5.0)), None)
    """
    try:
        pairs = [[float(number) for number in part.split(",")] for part in text.split(";")]
    except ValueError:
        return None
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError(f"range {text!r}: expected LOW,HIGH, such as -1,1, or a file of signals")
    lows, highs = zip(*pairs, strict=True)
    return lows, highs


def range_spec(lows: Sequence[float], highs: Sequence[float], source: str = "given") -> InputSpec:
    """Return the description of numbers from ``lows`` to ``highs``, one each or one per channel.

    Raises :class:`UsageError` unless each low number is finite and below the high one.

    >>> range_spec((-2.0,), (2.0,)).range
    (-2.0, 2.0)
    """
    pairs = list(zip(lows, highs, strict=True))
    for low, high in pairs:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UsageError(f"range {low:g},{high:g}: expected a number and a larger one")
    return InputSpec(
        mean=tuple(-low / (high - low) for low, high in pairs),
        std=tuple(1 / (high - low) for low, high in pairs),
        source=source,
    )


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
