"""Transforms: the image is padded, moved, scaled and turned at random before every step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.transforms.resampling import Similarity, sample
from kerasviz.optvis.transforms.steps import (
    GREY,
    Canvas,
    Crop,
    Jitter,
    Pad,
    Rotate,
    Scale,
    Step,
    check_names,
    check_size,
    step_from_json,
    step_to_json,
)
from kerasviz.types import Tensor

__all__ = [
    "ARTICLE_STEPS",
    "LUCID_STEPS",
    "Crop",
    "Jitter",
    "Pad",
    "Rotate",
    "Scale",
    "Transform",
]


#: Which random numbers of a seed are drawn here; the first image takes stream 0.
_STREAM = 1

#: The article's transforms (its footnote on the default settings).
ARTICLE_STEPS: tuple[Step, ...] = (
    Pad(16),
    Jitter(16),
    Scale((1.0, 0.975, 1.025, 0.95, 1.05)),
    Rotate(tuple(float(angle) for angle in range(-5, 6))),
    Jitter(8),
    Crop(),
)
#: The reference library's standard transforms (lucid, ``optvis/transform.py``).
LUCID_STEPS: tuple[Step, ...] = (
    Pad(12),
    Jitter(8),
    Scale(tuple(1 + (i - 5) / 50 for i in range(11))),
    Rotate(tuple(float(angle) for angle in (*range(-10, 11), *[0] * 5))),
    Jitter(4),
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

    ``resample`` "each" does every step by itself as the reference library does: sizes change from
    step to step, ``Scale`` resizes to a truncated size, ``Rotate`` takes the nearest pixel and
    leaves black corners. It needs ``shared``, as rows would differ in size.

    Without ``fused`` sampling once takes TensorFlow's ordinary operations instead of one that XLA
    compiles, as graphs need that are run elsewhere: the same formulas, but the last bits are
    rounded otherwise, and the difference grows from step to step.

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
    fused: bool = True

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

        ``step`` is a number, or one for each row [B]. Returns [B, h, w, C]; with ``resample``
        "each" h and w differ from step to step.
        """
        step = tf.convert_to_tensor(step)
        if self.shared:
            seeds, step = seeds[:1], step[:1] if step.shape.rank else step
        return self(images, randomness.uniform(seeds, step, self.draws, _STREAM))

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
        canvas, fill = Canvas(Similarity(), size, size), GREY
        for step, picks in steps:
            canvas = step.fold(canvas, picks)
            check_size(size, canvas.size)
            if isinstance(step, Pad) and step.mode == "constant":
                fill = step.fill
        first = self.steps[0]
        if isinstance(first, Pad) and first.mode == "reflect":
            images = first.apply(images, (), size)  # the centre stays, so the map does too
        return sample(images, canvas.along, canvas.size, fill, self._reach(), self.fused)

    def _each(self, images: Tensor, steps: Sequence[tuple[Step, Sequence[Tensor]]]) -> Tensor:
        batch, height, width, channels = images.shape
        grown = sum(2 * s.pixels if isinstance(s, Pad) else 0 for s in self.steps)
        lost = sum(s.pixels if isinstance(s, Jitter) else 0 for s in self.steps)
        check_size((height, width), (height + grown - lost, width + grown - lost))
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
        steps = [step_to_json(step) for step in self.steps]
        settings = {"steps": steps, "shared": self.shared, "resample": self.resample}
        return settings if self.fused else {**settings, "fused": False}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Transform:
        """Make a transform of plain data; missing settings are the defaults.

        >>> Transform.from_json({"steps": [{"kind": "jitter", "pixels": 8}]})
        Transform(steps=(Jitter(pixels=8),), shared=False, resample='once', fused=True)
        """
        check_names("transform", data, [f.name for f in fields(cls)])
        settings = {name: value for name, value in data.items() if name != "steps"}
        return cls(tuple(step_from_json(step) for step in data.get("steps", ())), **settings)
