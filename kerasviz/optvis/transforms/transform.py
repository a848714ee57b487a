"""Transforms: pad, translate, scale and rotate the image at random before every step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.errors import UsageError, check_choice, check_names
from kerasviz.optvis import randomness
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.optvis.transforms.axis_steps import AxisStep
from kerasviz.optvis.transforms.gradient_limit import LimitGradient
from kerasviz.optvis.transforms.resampling import Similarity, portable_sample, sample
from kerasviz.optvis.transforms.sound_steps import SoundStep
from kerasviz.optvis.transforms.steps import (
    GREY,
    Canvas,
    Crop,
    FoldableStep,
    FunctionStep,
    Jitter,
    Pad,
    ResizedCrop,
    Rotate,
    Scale,
    Shrink,
    Step,
    check_size,
    step_from_json,
    step_to_json,
)
from kerasviz.optvis.transforms.views import Noise, Rows, ShrinkingCrop, resized, spread
from kerasviz.types import Size, Tensor

#: The stream of a seed's random numbers; the first image takes stream 0.
STREAM = 1


@dataclass(frozen=True)
class Transform(ABC):
    """Random steps in order, whose draws depend on a row's seed and the step number only.

    Where ``shared`` is true all rows take the draws of the first row, as in the reference library:
    a picture then depends on the seed of the first picture of its batch. Without ``fused`` nothing
    is compiled by XLA, as in graphs that run elsewhere: the same formulas, but the last bits are
    rounded otherwise, and the difference grows from step to step. Functions among the steps become
    a :class:`FunctionStep` each. The pixels of pads and jitters are those for images whose shorter
    side has ``scaled_from`` pixels, and grow and shrink with it, so that the borders of small
    images are seen as often; with 0 they are the same for all sizes.
    """

    steps: tuple[Step, ...] = ()
    shared: bool = False
    fused: bool = True
    scaled_from: int = 0
    resample: ClassVar[str]
    is_of_signals: ClassVar[bool] = False

    def __post_init__(self) -> None:
        steps = [s if isinstance(s, Step) else FunctionStep(s) for s in self.steps]
        object.__setattr__(self, "steps", tuple(steps))
        for step in steps:
            if isinstance(step, AxisStep) and not self.is_of_signals:
                raise UsageError(f'{step.kind}: for signals; expected with resample "axes"')
            if isinstance(step, SoundStep) and self.resample != "sound":
                raise UsageError(f'{step.kind}: for sounds; expected with resample "sound"')
        if not isinstance(self.scaled_from, int) or self.scaled_from < 0:
            raise UsageError(f"scaled_from {self.scaled_from!r}; expected a number of pixels, or 0")

    @property
    def functions(self) -> tuple[PythonFunction, ...]:
        """The Python functions among the steps."""
        return tuple(step.function for step in self.steps if isinstance(step, FunctionStep))

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of equally likely values of each draw."""
        return tuple(n for step in self.steps for n in step.choices)

    @property
    def draws(self) -> int:
        """The number of uniform random numbers of a row."""
        return len(self.choices)

    @property
    def crop(self) -> ShrinkingCrop | None:
        """The last shrinking crop among the steps, which decides the size of the result."""
        crops = [step for step in self.steps if isinstance(step, ShrinkingCrop)]
        return crops[-1] if crops else None

    def with_crops(self, **changes: Any) -> Transform:
        """Return the transform with the settings of its shrinking crops that are 0 filled in."""
        steps = [
            replace(step, **{n: v for n, v in changes.items() if getattr(step, n) in (0, (0, 0))})
            if isinstance(step, ShrinkingCrop)
            else step
            for step in self.steps
        ]
        return replace(self, steps=tuple(steps)) if self.crop is not None else self

    def whole(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C] untransformed, in the size of windows if crops give them."""
        size = (images.shape[1], images.shape[2])
        return images if self.crop is None else resized(images, self.crop.result_size(size))

    def for_size(self, size: Size) -> Transform:
        """Return the transform of images of a size: pads and jitters have their pixels there.

        >>> FoldedTransform((Pad(16), Jitter(16)), scaled_from=96).for_size((48, 64)).steps
        (Pad(pixels=8, fill=0.5, mode='constant'), Jitter(pixels=8))
        """
        if self.scaled_from in (0, min(size)):
            return self
        factor = min(size) / self.scaled_from
        steps = (s.scaled(factor) if isinstance(s, Pad | Jitter) else s for s in self.steps)
        return replace(self, steps=tuple(steps), scaled_from=0)

    def apply(self, images: Tensor, seeds: Tensor, step: Tensor, views: int = 1) -> Tensor:
        """Transform images [B, H, W, C] to [B * views, h, w, C] with the draws of ``seeds`` [B].

        ``step`` is a number, or one for each row [B]. Every view of an image has its own draws;
        those of one image follow one another.
        """
        step = tf.convert_to_tensor(step)
        if self.shared:
            seeds, step = seeds[:1], step[:1] if step.shape.rank else step
        uniforms = randomness.uniform(seeds, step, self.draws * views, STREAM)
        if views > 1:
            uniforms = tf.reshape(uniforms, [seeds.shape[0] * views, self.draws])
        rows = [images.shape[0]]
        rows_of = Rows(tf.broadcast_to(seeds, rows), tf.broadcast_to(step, rows), views)
        return self(images, uniforms, rows_of)

    def __call__(self, images: Tensor, uniforms: Tensor, rows: Rows | None = None) -> Tensor:
        """Transform images [B, H, W, C] by the draws ``uniforms`` [B * views, draws] in [0, 1).

        Draw k of a row chooses value ``floor(u choices[k])``. Where ``shared`` is true only the
        first row of ``uniforms`` counts. The size of the images must be known at tracing. ``rows``
        are the seeds and steps of the images, for steps that need them.
        """
        fitted = self.for_size((images.shape[1], images.shape[2]))
        if fitted is not self:
            return fitted(images, uniforms, rows)
        if rows is None:
            zeros = tf.zeros([images.shape[0]], tf.int32)
            rows = Rows(zeros, zeros)
        counts = tf.constant(self.choices, tf.float32)
        if self.shared:
            uniforms = uniforms[:1]
        chosen = tf.minimum(tf.floor(uniforms * counts), counts - 1)
        picks = iter(tf.unstack(chosen, self.draws, axis=1))
        return self._resample(images, [[next(picks) for _ in s.choices] for s in self.steps], rows)

    def seen_size(self, image: Size) -> Size:
        """Return the size in which the network sees images of a size, if steps of it say so.

        >>> FoldedTransform((Pad(16), Crop(), Shrink(0.5))).seen_size((130, 160))
        (65, 80)
        """
        if self.crop is None and self.unshrunk() is self:
            return image
        seen = image
        for step in self.for_size(image).steps:
            if isinstance(step, Pad | Jitter):
                grown = 2 * step.pixels if isinstance(step, Pad) else -step.pixels
                seen = (seen[0] + grown, seen[1] + grown)
            elif isinstance(step, Shrink):
                seen = step.result_size(seen)
            elif isinstance(step, ShrinkingCrop):
                seen = image = step.result_size(seen)
            elif isinstance(step, Crop):
                seen = image
        return seen

    def unshrunk(self) -> Transform:
        """Return this transform for what needs images in their own size, as networks of one size.

        >>> FoldedTransform((Jitter(2), Crop(), Shrink(0.5))).unshrunk().steps
        (Jitter(pixels=2), Crop())
        """
        steps = tuple(step for step in self.steps if not isinstance(step, Shrink))
        return self if steps == self.steps else replace(self, steps=steps)

    def to_image_size(self) -> Transform:
        """Return this transform with a last crop, if it may change the size of an image.

        It shrinks nothing.
        """
        if self.unshrunk() is not self:
            return self.unshrunk().to_image_size()
        sized = [s for s in self.steps if not isinstance(s, Noise | LimitGradient)]
        ends_whole = any(isinstance(step, Crop) for step in sized[-1:])
        # Pads and jitters that cancel may not do so once they are scaled and rounded.
        if ends_whole or (self._keeps_size and not self.scaled_from):
            return self
        return replace(self, steps=(*self.steps, Crop()))

    @property
    @abstractmethod
    def _keeps_size(self) -> bool:
        """Whether every result has the size of the image."""

    @abstractmethod
    def _resample(self, images: Tensor, picks: Sequence[Sequence[Tensor]], rows: Rows) -> Tensor:
        """Transform images by the chosen values of every step."""

    def to_json(self) -> dict[str, Any]:
        """Return the steps and settings as plain data."""
        steps = [step_to_json(step) for step in self.steps]
        settings: dict[str, Any] = {
            "steps": steps,
            "shared": self.shared,
            "resample": self.resample,
        }
        if self.scaled_from:
            settings["scaled_from"] = self.scaled_from
        return settings if self.fused else {**settings, "fused": False}


@dataclass(frozen=True)
class FoldedTransform(Transform):
    """A transform that folds its steps into one map per row and samples the image once.

    Sampling is bilinear with an exact gradient. Positions are relative to the centre of the canvas.
    The map from canvas to image starts as v -> v, and each step changes it and the canvas's size:

    - ``Pad(p)``: grows the canvas by 2 p, the map stays.
    - ``Jitter(d)``: v -> map(v + offset - d / 2) with whole offsets in 0 .. d; shrinks it by d.
    - ``Scale``: v -> map(v / factor). ``Rotate``: v -> map(R v) with R of the angle. Both keep the
      size of the canvas.
    - ``ResizedCrop``: v -> map(side v + offset), and the canvas keeps its size.
    - ``Shrink``: v -> map(v / share), and shrinks the canvas likewise.
    - A Python function, ``Noise``, ``LimitGradient`` and ``ShrinkingCrop`` take what the steps
      before them sampled; the steps after them start anew.
    - ``Crop``: sets the size to the image's. If an odd number of pixels is cropped, one more goes
      at the end, which is v -> map(v - 1/2) along that axis.

    Everything outside the image is the pad's ``fill`` (0.5 without a pad). With ``ARTICLE_STEPS``
    the size stays, and without rotation and scale the image moves by whole pixels, up to 8 by the
    first and 4 by the second jitter. Raises :class:`UsageError` for steps that cannot be folded.

    >>> from kerasviz.optvis.transforms.presets import ARTICLE_STEPS
    >>> transform = FoldedTransform(ARTICLE_STEPS)
    >>> transform.draws
    6
    >>> transform.apply(tf.zeros([2, 9, 7, 3]), tf.constant([0, 1]), step=0).shape
    TensorShape([2, 9, 7, 3])
    """

    resample: ClassVar[str] = "once"

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(isinstance(step, Pad) and step.mode == "reflect" for step in self.steps[1:]):
            raise UsageError('pad by reflection: with resample "once" it must be the first step')
        if len(self._fills) > 1:
            raise UsageError('pads with several fills: expected one with resample "once"')

    @property
    def _fills(self) -> set[float]:
        pads = [step for step in self.steps if isinstance(step, Pad)]
        return {pad.fill for pad in pads if pad.mode == "constant"}

    def _resample(self, images: Tensor, picks: Sequence[Sequence[Tensor]], rows: Rows) -> Tensor:
        size = (images.shape[1], images.shape[2])
        batch, run = images.shape[0], list[tuple[FoldableStep, Sequence[Tensor]]]()

        def of_views(images: Tensor) -> Tensor:
            return spread(images, rows.views) if images.shape[0] == batch else images

        for step, values in zip(self.steps, picks, strict=True):
            if isinstance(step, FoldableStep):
                run.append((step, values))
                continue
            if run:
                images, run = self._sampled(of_views(images), run, size), []
            if isinstance(step, ShrinkingCrop):
                images = step.cropped(images, values, rows.of_views[1])
                size = (images.shape[1], images.shape[2])
            elif isinstance(step, Noise):
                images = step.added(of_views(images), rows)
            elif isinstance(step, LimitGradient):
                images = step.limited(of_views(images))
            elif isinstance(step, FunctionStep):
                images = step.apply(of_views(images), rows.of_views, size)
        images = of_views(images)
        return self._sampled(images, run, size) if run else images

    def _sampled(
        self, images: Tensor, run: Sequence[tuple[FoldableStep, Sequence[Tensor]]], size: Size
    ) -> Tensor:
        """Fold a run of steps into one map and sample the images once; crop to ``size``."""
        seen = (images.shape[1], images.shape[2])
        canvas, share = Canvas(Similarity(), seen, size), 1.0
        for step, values in run:
            if isinstance(step, Shrink):
                share *= step.share_of(canvas.size)
            canvas = step.fold(canvas, values)
            check_size(seen, canvas.size)
        first = run[0][0]
        if isinstance(first, Pad) and first.mode == "reflect":
            images = first.apply(images, (), size)  # the centre stays, and so does the map
        resampled, fill = sample if self.fused else portable_sample, min(self._fills, default=GREY)
        reach = share * _reach([step for step, _ in run])
        return resampled(images, canvas.along, canvas.size, fill, reach)

    @property
    def _keeps_size(self) -> bool:
        grown: float = 0
        for step in self.steps:
            if isinstance(step, FunctionStep):
                grown = math.inf  # until a crop
            elif isinstance(step, Pad):
                grown += 2 * step.pixels
            elif isinstance(step, Jitter):
                grown -= step.pixels
            elif isinstance(step, Crop | ShrinkingCrop):
                grown = 0
        return grown == 0


def _reach(steps: Sequence[FoldableStep]) -> float:
    """Return how far an input pixel can be seen in the output, see :func:`sample`."""
    largest = math.prod(max(s.factors) for s in steps if isinstance(s, Scale))
    largest /= math.prod(s.smallest for s in steps if isinstance(s, ResizedCrop))
    turn = sum(max(map(abs, s.degrees)) for s in steps if isinstance(s, Rotate))
    return largest * math.sqrt(2) * math.sin(math.radians(45 + min(turn, 45)))


@dataclass(frozen=True)
class SequentialTransform(Transform):
    """A transform that resamples the image in every step, as the reference library does.

    ``Scale`` resizes to a truncated size, so that the size of the output varies. ``Rotate`` takes
    the nearest pixel and leaves black corners. All rows share their draws: they have one size.
    """

    shared: bool = field(default=True, init=False)
    resample: ClassVar[str] = "each"

    def __post_init__(self) -> None:
        super().__post_init__()
        for step in self.steps:
            if isinstance(step, Noise | ShrinkingCrop | LimitGradient):
                raise UsageError(f'{step.kind}: expected with resample "once", not "each"')

    @property
    def _keeps_size(self) -> bool:
        return not self.steps or isinstance(self.steps[-1], Crop)

    def _resample(self, images: Tensor, picks: Sequence[Sequence[Tensor]], rows: Rows) -> Tensor:
        batch, height, width, channels = images.shape
        grown = sum(2 * s.pixels if isinstance(s, Pad) else 0 for s in self.steps)
        lost = sum(s.pixels if isinstance(s, Jitter) else 0 for s in self.steps)
        if not self.functions:
            check_size((height, width), (height + grown - lost, width + grown - lost))
        for step, values in zip(self.steps, picks, strict=True):
            if isinstance(step, FunctionStep):
                images = step.apply(images, rows.of_views, (height, width))
            elif isinstance(step, FoldableStep):
                images = step.apply(images, [value[0] for value in values], (height, width))
        return tf.ensure_shape(images, [batch, None, None, channels])


def transform_from_json(data: Mapping[str, Any]) -> Transform:
    """Make a transform from plain data; missing settings are the defaults.

    Raises :class:`UsageError` for unknown or impossible settings.

    >>> transform_from_json({"steps": [{"kind": "jitter", "pixels": 8}]})
    FoldedTransform(steps=(Jitter(pixels=8),), shared=False, fused=True, scaled_from=0)
    """
    known = ("steps", "shared", "resample", "fused", "scaled_from", "axes", "lengths", "rate")
    check_names("transform", data, known)
    steps = tuple(step_from_json(step) for step in data.get("steps", ()))
    resample, shared = data.get("resample", "once"), data.get("shared", False)
    fused, scaled_from = data.get("fused", True), data.get("scaled_from", 0)
    check_choice("resample", resample, ("once", "each", "axes", "sound"))
    if resample == "axes":
        from kerasviz.optvis.transforms.axis_transform import AxisTransform  # which imports this

        axes, lengths = tuple(data.get("axes", ())), tuple(data.get("lengths", ()))
        return AxisTransform(steps, shared, fused, axes=axes, lengths=lengths)
    if resample == "sound":
        from kerasviz.optvis.transforms.sound_transform import SoundTransform  # which imports this

        return SoundTransform(steps, shared, fused, rate=data.get("rate", 0))
    if resample == "once":
        return FoldedTransform(steps, shared, fused, scaled_from)
    if not shared:
        raise UsageError('resample "each": rows would differ in size; set shared to true')
    return SequentialTransform(steps, fused=fused, scaled_from=scaled_from)
