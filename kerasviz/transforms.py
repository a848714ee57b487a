"""Transforms: the image is padded, moved, scaled and turned at random before every step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz import randomness
from kerasviz.errors import UsageError, near
from kerasviz.sampling import Similarity, sample

__all__ = [
    "ARTICLE_STEPS",
    "FAST_STEPS",
    "LUCID_STEPS",
    "Crop",
    "Jitter",
    "Pad",
    "Rotate",
    "Scale",
    "Transform",
]

Tensor = Any
Size = tuple[int, int]

#: Which random numbers of a seed are drawn here; the first image takes stream 0.
_STREAM = 1
#: What lies outside of the image unless a pad says otherwise.
_GREY = 0.5


@dataclass(frozen=True)
class Canvas:
    """Where folded steps have led: the map from its pixels to the image, its size, the image's."""

    along: Similarity
    size: Size
    image: Size

    def grown(self, pixels: int) -> Canvas:
        """The same map and centre on a canvas that is larger by ``pixels`` in both axes."""
        return Canvas(self.along, (self.size[0] + pixels, self.size[1] + pixels), self.image)


@dataclass(frozen=True)
class Pad:
    """Pad ``pixels`` on all four sides, by ``mode`` "constant" (with ``fill``) or "reflect"."""

    pixels: int
    fill: float = _GREY
    mode: str = "constant"
    kind: ClassVar[str] = "pad"
    choices: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        _check_pixels(self.kind, self.pixels)
        if self.mode not in ("constant", "reflect"):
            raise UsageError(f"pad mode {self.mode!r}; choose from constant, reflect")

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """The centre stays."""
        return canvas.grown(2 * self.pixels)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Pad images."""
        around = [[0, 0], [self.pixels] * 2, [self.pixels] * 2, [0, 0]]
        if self.mode == "reflect":
            return tf.pad(images, around, mode="REFLECT")
        return tf.pad(images, around, constant_values=self.fill)


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
        """The centre moves by the offset less half of the pixels."""
        down, right = (pick - self.pixels / 2 for pick in picks)
        moved = Canvas(canvas.along.moved(right, down), canvas.size, canvas.image)
        return moved.grown(-self.pixels)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Crop images."""
        down, right = (tf.cast(pick, tf.int32) for pick in picks)
        kept = tf.shape(images) - [0, self.pixels, self.pixels, 0]
        return tf.slice(images, tf.stack([0, down, right, 0]), kept)


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
        """The content grows about the centre; the canvas keeps its size."""
        inverse = _look_up([1 / factor for factor in self.factors], picks[0])
        return Canvas(canvas.along.scaled(inverse), canvas.size, canvas.image)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Resize images to the truncated size, bilinear, output i at input i / factor."""
        extent = tf.cast(tf.shape(images)[1:3], tf.float32)
        scaled = tf.cast(_look_up(self.factors, picks[0]) * extent, tf.int32)
        return tf.raw_ops.ResizeBilinear(images=images, size=scaled)


@dataclass(frozen=True)
class Rotate:
    """Turn counterclockwise by one of ``degrees``, each equally likely."""

    degrees: tuple[float, ...]
    kind: ClassVar[str] = "rotate"

    def __post_init__(self) -> None:
        if not _are_numbers(self.degrees):
            raise UsageError(f"rotate {self.degrees!r}; expected a list of angles in degrees")

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of equally likely values of each draw."""
        return (len(self.degrees),)

    def _turn(self, pick: Tensor, pi: float) -> tuple[Tensor, Tensor]:
        """The cosine and sine, from tables: to the last bit the same in every row."""
        angles = [pi * angle / 180 for angle in self.degrees]
        cosines, sines = [math.cos(a) for a in angles], [math.sin(a) for a in angles]
        return _look_up(cosines, pick), _look_up(sines, pick)

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """The content turns about the centre; the canvas keeps its size."""
        turned = canvas.along.turned(*self._turn(picks[0], math.pi))
        return Canvas(turned, canvas.size, canvas.image)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Turn images about their centre: nearest pixel, black outside, and a pi of 3.14."""
        cosine, sine = self._turn(picks[0], 3.14)
        height, width = tf.unstack(tf.shape(images)[1:3])
        middle_x, middle_y = (tf.cast(n - 1, tf.float32) / 2 for n in (width, height))
        x = (tf.range(tf.cast(width, tf.float32)) - middle_x)[None, :]
        y = (tf.range(tf.cast(height, tf.float32)) - middle_y)[:, None]
        column = tf.cast(tf.round(cosine * x - sine * y + middle_x), tf.int32)
        row = tf.cast(tf.round(sine * x + cosine * y + middle_y), tf.int32)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        # One black pixel behind the last is what lies outside.
        index = tf.where(inside, row * width + column, height * width)
        flat = tf.reshape(images, [images.shape[0], height * width, images.shape[3]])
        return tf.gather(tf.pad(flat, [[0, 0], [0, 1], [0, 0]]), index, axis=1)


@dataclass(frozen=True)
class Crop:
    """Crop the padding off: keep the centre, in the size that the image had at first."""

    kind: ClassVar[str] = "crop"
    choices: ClassVar[tuple[int, ...]] = ()

    def fold(self, canvas: Canvas, picks: Sequence[Tensor]) -> Canvas:
        """Whole pixels are cropped: where their number is odd the centre moves by a half."""
        down, right = (
            math.trunc((have - want) / 2) - (have - want) / 2
            for have, want in zip(canvas.size, canvas.image, strict=True)
        )
        return Canvas(canvas.along.moved(right, down), canvas.image, canvas.image)

    def apply(self, images: Tensor, picks: Sequence[Tensor], size: Size) -> Tensor:
        """Crop images, or pad them with black where they have become smaller."""
        return tf.image.resize_with_crop_or_pad(images, *size)


Step = Pad | Jitter | Scale | Rotate | Crop
_KINDS: dict[str, type[Step]] = {
    step.kind: step  # type: ignore[attr-defined]
    for step in (Pad, Jitter, Scale, Rotate, Crop)
}

#: The article's transforms (article-figures.md section 1).
ARTICLE_STEPS: tuple[Step, ...] = (
    Pad(16),
    Jitter(16),
    Scale((1.0, 0.975, 1.025, 0.95, 1.05)),
    Rotate(tuple(float(angle) for angle in range(-5, 6))),
    Jitter(8),
    Crop(),
)
#: The reference library's standard transforms (methods.md section 4).
LUCID_STEPS: tuple[Step, ...] = (
    Pad(12),
    Jitter(8),
    Scale(tuple(1 + (i - 5) / 50 for i in range(11))),
    Rotate(tuple(float(angle) for angle in (*range(-10, 11), *[0] * 5))),
    Jitter(4),
)
#: Gentler transforms, for pictures in few steps.
FAST_STEPS: tuple[Step, ...] = (
    Pad(8),
    Jitter(8),
    Scale((0.96, 0.98, 1.0, 1.02, 1.04)),
    Rotate(tuple(float(angle) for angle in range(-4, 5))),
    Jitter(4),
    Crop(),
)


@dataclass(frozen=True)
class Transform:
    """Steps in order, with random numbers that depend on a row's seed and the step number only.

    With ``shared`` all rows take the draws of the first row, as the reference library does; a
    picture then depends on the seed of the first picture of its batch.

    ``resample`` "once" folds the steps into one map per row and samples the image once (bilinear,
    exact gradient). Positions are relative to the centre of the canvas; the map from canvas to
    image starts as v -> v, and each step changes it and the canvas's size:

    - ``Pad(p)``: grows the canvas by 2 p, the map stays.
    - ``Jitter(d)``: v -> map(v + offset - d / 2) with whole offsets in 0 .. d; shrinks it by d.
    - ``Scale``: v -> map(v / factor). ``Rotate``: v -> map(R v) with R of the angle. Both keep the
      size of the canvas.
    - ``Crop``: sets the size to the image's; if the number of pixels that go is odd, one more goes
      at the end, which is v -> map(v - 1/2) along that axis.

    Everything outside of the image is the pad's ``fill`` (0.5 without a pad). With
    ``ARTICLE_STEPS`` the size stays, and without turn and scale the image moves by whole pixels,
    up to 8 by the first and 4 by the second jitter.

    ``resample`` "each" does every step by itself as the reference library does (methods.md section
    4): sizes change from step to step, ``Scale`` resizes to a truncated size, ``Rotate`` takes the
    nearest pixel and leaves black corners. It needs ``shared``, as rows would differ in size.

    Raises :class:`UsageError` for unknown or impossible settings.

    >>> transform = Transform(ARTICLE_STEPS)
    >>> transform.draws
    6
    >>> transform.apply(tf.zeros([2, 9, 7, 3]), tf.constant([0, 1]), step=0).shape
    TensorShape([2, 9, 7, 3])
    """

    steps: tuple[Step, ...] = ()
    shared: bool = False
    resample: str = "once"

    def __post_init__(self) -> None:
        if self.resample not in ("once", "each"):
            raise UsageError(f"resample {self.resample!r}; choose from once, each")
        if self.resample == "each":
            if not self.shared:
                raise UsageError('resample "each": rows would differ in size; set shared to true')
            return
        pads = [step for step in self.steps if isinstance(step, Pad)]
        if any(pad.mode == "reflect" for pad in (s for s in self.steps[1:] if isinstance(s, Pad))):
            raise UsageError('pad by reflection: with resample "once" it must be the first step')
        if len({pad.fill for pad in pads if pad.mode == "constant"}) > 1:
            raise UsageError('pads with several fills: expected one with resample "once"')

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of equally likely values of each draw."""
        return tuple(n for step in self.steps for n in step.choices)

    @property
    def draws(self) -> int:
        """How many uniform numbers a row needs."""
        return len(self.choices)

    def apply(self, images: Tensor, seeds: Tensor, step: Tensor) -> Tensor:
        """Transform images [B, H, W, C] with the numbers of ``seeds`` [B] at ``step``.

        Returns [B, h, w, C]; with ``resample`` "each" h and w differ from step to step.
        """
        drawn = seeds[:1] if self.shared else seeds
        return self(images, randomness.uniform(drawn, step, self.draws, _STREAM))

    def __call__(self, images: Tensor, uniforms: Tensor) -> Tensor:
        """Transform images [B, H, W, C] as ``uniforms`` [B, draws] in [0, 1) say.

        Draw k of a row chooses value ``floor(u choices[k])``. With ``shared`` only the first row of
        ``uniforms`` counts. The size of the images must be known when a function is traced.
        """
        counts = tf.constant(self.choices, tf.float32)
        if self.shared:
            uniforms = uniforms[:1]
        chosen = tf.minimum(tf.floor(uniforms * counts), counts - 1)
        picks = iter(tf.unstack(chosen, self.draws, axis=1))
        steps = [(step, [next(picks) for _ in step.choices]) for step in self.steps]
        return self._once(images, steps) if self.resample == "once" else self._each(images, steps)

    def _once(self, images: Tensor, steps: Sequence[tuple[Step, Sequence[Tensor]]]) -> Tensor:
        if not steps:
            return images
        size = (images.shape[1], images.shape[2])
        canvas, fill = Canvas(Similarity(), size, size), _GREY
        for step, picks in steps:
            canvas = step.fold(canvas, picks)
            _check_size(size, canvas.size)
            if isinstance(step, Pad) and step.mode == "constant":
                fill = step.fill
        first = self.steps[0]
        if isinstance(first, Pad) and first.mode == "reflect":
            images = first.apply(images, (), size)  # the centre stays, so the map does too
        return sample(images, canvas.along, canvas.size, fill, self._reach())

    def _each(self, images: Tensor, steps: Sequence[tuple[Step, Sequence[Tensor]]]) -> Tensor:
        batch, height, width, channels = images.shape
        grown = sum(2 * s.pixels if isinstance(s, Pad) else 0 for s in self.steps)
        lost = sum(s.pixels if isinstance(s, Jitter) else 0 for s in self.steps)
        _check_size((height, width), (height + grown - lost, width + grown - lost))
        for step, picks in steps:
            images = step.apply(images, [pick[0] for pick in picks], (height, width))
        return tf.ensure_shape(images, [batch, None, None, channels])

    def _reach(self) -> float:
        """How far an input pixel can be seen in the output, see :func:`sampling.sample`."""
        largest = math.prod(max(s.factors) for s in self.steps if isinstance(s, Scale))
        turn = sum(max(map(abs, s.degrees)) for s in self.steps if isinstance(s, Rotate))
        return largest * math.sqrt(2) * math.sin(math.radians(45 + min(turn, 45)))

    def to_json(self) -> dict[str, Any]:
        """The steps and settings as plain data."""
        steps = []
        for step in self.steps:
            settings = {f.name: getattr(step, f.name) for f in fields(step)}
            plain = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
            steps.append({"kind": step.kind, **plain})
        return {"steps": steps, "shared": self.shared, "resample": self.resample}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Transform:
        """Make a transform of plain data; missing settings are the defaults.

        >>> Transform.from_json({"steps": [{"kind": "jitter", "pixels": 8}]})
        Transform(steps=(Jitter(pixels=8),), shared=False, resample='once')
        """
        _check_names("transform", data, [f.name for f in fields(cls)])
        settings = {name: value for name, value in data.items() if name != "steps"}
        return cls(tuple(_step(step) for step in data.get("steps", ())), **settings)


def _step(data: Mapping[str, Any]) -> Step:
    kind = data.get("kind")
    if kind not in _KINDS:
        raise UsageError(f"unknown transform {kind!r}; choose from {', '.join(_KINDS)}")
    known = [f.name for f in fields(_KINDS[kind])]
    settings = {name: value for name, value in data.items() if name != "kind"}
    _check_names(kind, settings, known)
    if known and known[0] not in settings:
        raise UsageError(f"transform {kind}: {known[0]} is missing")
    return _KINDS[kind](
        **{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    )


def _look_up(table: Sequence[float], pick: Tensor) -> Tensor:
    return tf.gather(tf.constant(table, tf.float32), tf.cast(pick, tf.int32))


def _check_names(what: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"{what}: unknown setting {name!r}; near: {near(name, known)}")


def _check_pixels(kind: str, pixels: Any) -> None:
    if not isinstance(pixels, int) or pixels < 0:
        raise UsageError(f"{kind} {pixels!r}; expected a whole number of pixels, 0 or more")


def _check_size(image: Size, canvas: Size) -> None:
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
