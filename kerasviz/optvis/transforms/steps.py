"""Steps of a transform: each can be applied to an image, or folded into one map with others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, check_choice, check_names
from kerasviz.optvis.function_calls import function_images
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.optvis.transforms.axis_steps import AXIS_STEPS, AxisStep
from kerasviz.optvis.transforms.gradient_limit import LimitGradient
from kerasviz.optvis.transforms.resampling import Similarity
from kerasviz.optvis.transforms.sound_steps import SOUND_KINDS, SoundStep
from kerasviz.optvis.transforms.views import Noise, ShrinkingCrop
from kerasviz.types import Size, Tensor

#: The value outside the image, in [0, 1], unless a pad has another.
GREY = 0.5
#: The number of equally likely sides, and of positions along each axis, of a resized crop.
CROPS = 65
#: The part of a pixel by which rounding may miss a whole number of pixels.
ROUNDING = 1e-3
#: The pi with which the reference library turns degrees into radians (lucid, ``_angle2rads``).
LUCID_PI = 3.14


def _look_up(table: Sequence[float], pick: Tensor) -> Tensor:
    return tf.gather(tf.constant(table, tf.float32), tf.cast(pick, tf.int32))


def _check_pixels(kind: str, pixels: Any) -> None:
    if not isinstance(pixels, int) or pixels < 0:
        raise UsageError(f"{kind} {pixels!r}; expected a whole number of pixels, 0 or more")


def check_size(image: Size, canvas: Size) -> None:
    """Raise :class:`UsageError` if no pixel of an image is left."""
    if min(canvas) < 1:
        raise UsageError(
            f"size {image[0]}x{image[1]}: jitter leaves nothing of it; choose a larger size"
        )


def _are_numbers(values: Any) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) > 0
        and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    )


@dataclass(frozen=True)
class Canvas:
    """The result of folded steps: a map from its pixels to the image, its size and the image's."""

    along: Similarity
    size: Size
    image: Size

    def grown(self, pixels: int) -> Canvas:
        """Return a canvas that is larger by ``pixels`` in both axes, about the same centre."""
        return Canvas(self.along, (self.size[0] + pixels, self.size[1] + pixels), self.image)


@dataclass(frozen=True)
class Pad:
    """Pad ``pixels`` on all four sides, by ``mode`` "constant" (with ``fill``) or "reflect"."""

    pixels: int
    fill: float = GREY
    mode: str = "constant"
    kind: ClassVar[str] = "pad"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        _check_pixels(self.kind, self.pixels)
        if self.mode not in ("constant", "reflect"):
            raise UsageError(f"pad mode {self.mode!r}; choose from constant, reflect")

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Grow the canvas about its centre."""
        return canvas.grown(2 * self.pixels)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Pad images."""
        around = [[0, 0], [self.pixels] * 2, [self.pixels] * 2, [0, 0]]
        if self.mode == "reflect":
            return tf.pad(images, around, mode="REFLECT")
        return tf.pad(images, around, constant_values=self.fill)

    def scaled(self, factor: float) -> Pad:
        """Return the step for images that are larger by a factor."""
        return replace(self, pixels=round(self.pixels * factor))


@dataclass(frozen=True)
class Jitter:
    """Crop ``pixels`` off both axes, at offsets down and right uniform in 0 .. ``pixels``."""

    pixels: int
    kind: ClassVar[str] = "jitter"

    def __post_init__(self) -> None:
        _check_pixels(self.kind, self.pixels)

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of equally likely values of each draw."""
        return (self.pixels + 1, self.pixels + 1)

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Translate by the offset less half of the pixels, and shrink the canvas."""
        down, right = (pick - self.pixels / 2 for pick in picks)
        return replace(canvas, along=canvas.along.translated(right, down)).grown(-self.pixels)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Crop images."""
        down, right = (tf.cast(pick, tf.int32) for pick in picks)
        size = tf.shape(images) - [0, self.pixels, self.pixels, 0]
        return tf.slice(images, tf.stack([0, down, right, 0]), size)

    def scaled(self, factor: float) -> Jitter:
        """Return the step for images that are larger by a factor."""
        return replace(self, pixels=round(self.pixels * factor))


@dataclass(frozen=True)
class Scale:
    """Enlarge by one of ``factors``, each equally likely."""

    factors: tuple[float, ...]
    kind: ClassVar[str] = "scale"

    def __post_init__(self) -> None:
        if not _are_numbers(self.factors) or min(self.factors) <= 0:
            raise UsageError(f"scale {self.factors!r}; expected a list of factors above 0")

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of equally likely values of each draw."""
        return (len(self.factors),)

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Enlarge the content about the centre; the canvas keeps its size."""
        inverse = _look_up([1 / factor for factor in self.factors], picks[0])
        return replace(canvas, along=canvas.along.scaled(inverse))

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Resize images bilinearly to the truncated size, output i at input i / factor."""
        extent = tf.cast(tf.shape(images)[1:3], tf.float32)
        scaled = tf.cast(_look_up(self.factors, picks[0]) * extent, tf.int32)
        return tf.raw_ops.ResizeBilinear(images=images, size=scaled)


@dataclass(frozen=True)
class Rotate:
    """Rotate counterclockwise by one of ``degrees``, each equally likely."""

    degrees: tuple[float, ...]
    kind: ClassVar[str] = "rotate"

    def __post_init__(self) -> None:
        if not _are_numbers(self.degrees):
            raise UsageError(f"rotate {self.degrees!r}; expected a list of angles in degrees")

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of equally likely values of each draw."""
        return (len(self.degrees),)

    def _cosine_and_sine(self, pick: Tensor, pi: float) -> tuple[Tensor, Tensor]:
        """Look both up in tables, so that they are equal to the last bit in every row."""
        angles = [pi * angle / 180 for angle in self.degrees]
        cosines, sines = [math.cos(a) for a in angles], [math.sin(a) for a in angles]
        return _look_up(cosines, pick), _look_up(sines, pick)

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Rotate the content about the centre; the canvas keeps its size."""
        cosine, sine = self._cosine_and_sine(picks[0], math.pi)
        return replace(canvas, along=canvas.along.rotated(cosine, sine))

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Rotate images about their centre: nearest pixel, black outside, lucid's pi of 3.14."""
        cosine, sine = self._cosine_and_sine(picks[0], LUCID_PI)
        height, width = tf.unstack(tf.shape(images)[1:3])
        middle_x, middle_y = (tf.cast(n - 1, tf.float32) / 2 for n in (width, height))
        x = (tf.range(tf.cast(width, tf.float32)) - middle_x)[None, :]
        y = (tf.range(tf.cast(height, tf.float32)) - middle_y)[:, None]
        column = tf.cast(tf.round(cosine * x - sine * y + middle_x), tf.int32)
        row = tf.cast(tf.round(sine * x + cosine * y + middle_y), tf.int32)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        # Positions outside take one black pixel that is added behind the last.
        index = tf.where(inside, row * width + column, height * width)
        flat = tf.reshape(images, [images.shape[0], height * width, images.shape[3]])
        return tf.gather(tf.pad(flat, [[0, 0], [0, 1], [0, 0]]), index, axis=1)


@dataclass(frozen=True)
class Crop:
    """Crop the padding off: keep the centre, in the original size of the image."""

    kind: ClassVar[str] = "crop"
    choices: ClassVar[tuple[int, ...]] = ()

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Crop whole pixels: where their number is odd the centre moves by a half."""
        excess = [(have - want) / 2 for have, want in zip(canvas.size, canvas.image, strict=True)]
        down, right = (math.trunc(pixels) - pixels for pixels in excess)
        return Canvas(canvas.along.translated(right, down), canvas.image, canvas.image)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Crop images, or pad them with black where they are smaller."""
        return tf.image.resize_with_crop_or_pad(images, *size)


@dataclass(frozen=True)
class ResizedCrop:
    """Crop a window at random and resize it to the size before: a random resized crop.

    The window's side is a share of the image's in [``smallest``, ``largest``]. The pixels at the
    border of the result are those at the border of the window, which lies inside the image. Side
    and positions are uniform, each one of :data:`CROPS` evenly spaced values.

    Args:
        smallest: The smallest share, above 0.
        largest: The largest share, up to 1, the whole image.

    Example:
        >>> ResizedCrop(0.5).sides[::32]
        [0.5, 0.75, 1.0]
    """

    smallest: float
    largest: float = 1.0
    kind: ClassVar[str] = "resized-crop"
    choices: ClassVar[tuple[int, ...]] = (CROPS, CROPS, CROPS)

    def __post_init__(self) -> None:
        sides = (self.smallest, self.largest)
        if not _are_numbers(sides) or not 0 < self.smallest <= self.largest <= 1:
            raise UsageError(
                f"resized-crop from {self.smallest!r} to {self.largest!r}; expected shares of the "
                "side above 0 and up to 1, the smallest first"
            )

    @property
    def sides(self) -> list[float]:
        """The shares of the image's side, in increasing order."""
        return [float(side) for side in np.linspace(self.smallest, self.largest, CROPS)]

    def _window(self, picks: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the side, and how far the middle moves down and right, as a share of the most."""
        positions = [float(share) for share in np.linspace(-1, 1, CROPS)]
        down, right = (_look_up(positions, pick) for pick in picks[1:])
        return _look_up(self.sides, picks[0]), down, right

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Take the map on the window only; the canvas keeps its size."""
        side, *moves = self._window(picks)
        most = ((1 - side) * ((n - 1) / 2) for n in canvas.size)
        down, right = (move * far for move, far in zip(moves, most, strict=True))
        return replace(canvas, along=canvas.along.translated(right, down).scaled(side))

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Resize a window of images bilinearly to their size."""
        side, down, right = self._window(picks)
        for axis, move in ((1, down), (2, right)):
            n = tf.cast(tf.shape(images)[axis], tf.float32)
            pixels, middle = tf.range(n), (n - 1) / 2
            at = middle + side * (pixels - middle) + move * (1 - side) * middle
            weights = tf.nn.relu(1 - tf.abs(at[:, None] - pixels[None, :]))
            images = tf.einsum("pq,bqwc->bpwc" if axis == 1 else "pq,bhqc->bhpc", weights, images)
        return images


@dataclass(frozen=True)
class Shrink:
    """Resize to a ``share`` of the size: the network sees less of every pixel, in less time.

    The centres of the image and of the result are the same. Neither side becomes shorter than
    ``least`` pixels, unless that of the image is.

    Args:
        share: The share of the sides, above 0 and up to 1.
        least: The fewest pixels of a side.

    Example:
        >>> Shrink(0.7).result_size((160, 100)), Shrink(0.7).result_size((160, 80))
        ((112, 70), (128, 64))
    """

    share: float
    least: int = 64
    kind: ClassVar[str] = "shrink"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        if not _are_numbers((self.share,)) or not 0 < self.share <= 1:
            raise UsageError(f"shrink {self.share!r}; expected a share of the side, as 0.7")
        _check_pixels(f"{self.kind} to at least", self.least)

    def result_size(self, size: Size) -> Size:
        """Return the (height, width) of the result for a size; a part of a pixel is left out."""
        share = self.share_of(size)
        return (int(share * size[0] + ROUNDING), int(share * size[1] + ROUNDING))

    def share_of(self, size: Size) -> float:
        """Return the share for a size: larger where a side would be too short."""
        return min(1.0, max(self.share, self.least / min(size)))

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Reduce the content about the centre, and the canvas with it."""
        size, share = self.result_size(canvas.size), self.share_of(canvas.size)
        return Canvas(canvas.along.scaled(1 / share), size, canvas.image)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Resize images bilinearly about their centres."""
        extent = tf.cast(tf.shape(images)[1:3], tf.float32)
        share = tf.clip_by_value(self.least / tf.reduce_min(extent), self.share, 1.0)
        result = tf.floor(share * extent + ROUNDING)
        for axis in (1, 2):
            before, after = extent[axis - 1], result[axis - 1]
            at = (before - 1) / 2 + (tf.range(after) - (after - 1) / 2) / share
            weights = tf.nn.relu(1 - tf.abs(at[:, None] - tf.range(before)[None, :]))
            images = tf.einsum("pq,bqwc->bpwc" if axis == 1 else "pq,bhqc->bhpc", weights, images)
        return images


@dataclass(frozen=True)
class FunctionStep:
    """Change images by a Python function f(images, seeds, step) -> images.

    Args:
        function: Takes images [B, H, W, C], the rows' seeds [B] and their step numbers [B], both
            int32, and returns images [B, h, w, C]. It sees the whole batch: row b of the result
            must depend on row b alone. ``kerasviz.optvis.randomness.uniform(seeds, step, count,
            stream=2)`` draws numbers [B, count] of the rows' own.

    Example:
        >>> def flip(images, seeds, step):
        ...     return tf.where((step % 2 == 0)[:, None, None, None], images, images[:, :, ::-1])
        >>> FunctionStep(flip).function.name
        'flip'
    """

    function: PythonFunction
    kind: ClassVar[str] = "function"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "function", PythonFunction.of(self.function))

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Call the function; ``picks`` are the seeds and the step numbers."""
        seeds, step = picks
        return function_images(self.function, images, seeds, step)


#: Steps that can be folded into one map.
FoldableStep = Pad | Jitter | Scale | Rotate | Crop | ResizedCrop | Shrink
Step = FoldableStep | FunctionStep | Noise | ShrinkingCrop | LimitGradient | AxisStep | SoundStep
_KINDS: dict[str, Any] = {
    step.kind: step
    for step in (
        *(Pad, Jitter, Scale, Rotate, Crop, ResizedCrop, Shrink),
        *(FunctionStep, Noise, ShrinkingCrop, LimitGradient, *AXIS_STEPS, *SOUND_KINDS),
    )
}


def step_to_json(step: Step) -> dict[str, Any]:
    """Return the settings of a step as plain data with its ``kind``."""
    if isinstance(step, FunctionStep):
        return {"kind": step.kind, "function": step.function.to_json()}
    settings = {f.name: getattr(step, f.name) for f in fields(step)}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in settings.items()}
    return {"kind": step.kind, **plain}


def step_from_json(data: Mapping[str, Any]) -> Step:
    """Make a step from plain data; raise :class:`UsageError` for unknown or missing settings."""
    kind = str(data.get("kind"))
    check_choice("transform", kind, _KINDS)
    known = [f.name for f in fields(_KINDS[kind])]
    settings = {name: value for name, value in data.items() if name != "kind"}
    check_names(kind, settings, known)
    optional = (ShrinkingCrop.kind, *(step.kind for step in (*AXIS_STEPS, *SOUND_KINDS)))
    if known and known[0] not in settings and kind not in optional:
        raise UsageError(f"transform {kind}: {known[0]} is missing")
    if kind == FunctionStep.kind:
        return FunctionStep(PythonFunction.from_json(settings["function"]))
    step: Step = _KINDS[kind](
        **{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    )
    return step
