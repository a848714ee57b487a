"""Sweeps: the recipe and objective for each setting of a figure's controls."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from kerasviz.figures.catalogue.figure import Figure
from kerasviz.optvis.objectives.objective import Objective, blur, l1, total_variation
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.transforms.steps import Jitter, Pad, Rotate, Scale
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.types import Size

#: (height, width) of the pictures in sweeps, where the network fixes no other (the authors'
#: notebook ``regularization``).
SIZE = (64, 64)
#: The kinds of controls that are weights of penalties.
PENALTIES = {"l1": l1, "total_variation": total_variation, "blur": blur}
_TRANSFORMS = ("jitter", "rotate", "scale")
#: Kinds of controls whose effect is clearest where all others are off, at their first value.
SEPARATE = (*PENALTIES, *_TRANSFORMS)


def settings_of(figure: Figure, *, initial_only: bool = False) -> list[tuple[int, ...]]:
    """Return every combination of the values of a figure's controls, the unit left out.

    With ``initial_only``, either one control differs from its initial value, or only switches do.
    Of penalties and transforms it is the initial setting, and those with at most one of them.
    """
    controls = [c for c in figure.controls if c.kind != "unit"]
    separate = all(c.kind in SEPARATE for c in controls)

    def near(setting: tuple[int, ...]) -> bool:
        if separate:
            return setting == tuple(c.initial for c in controls) or sum(map(bool, setting)) <= 1
        pairs = zip(controls, setting, strict=True)
        changed = [len(c.values) for c, value in pairs if value != c.initial]
        return all(n == 2 for n in changed) or len(changed) == 1

    combined = product(*(range(len(c.values)) for c in controls))
    return [setting for setting in combined if not initial_only or near(setting)]


def numbers_of(figure: Figure, setting: tuple[int, ...]) -> dict[str, float]:
    """Return the values of a setting by the kind of their control."""
    controls = [c for c in figure.controls if c.kind != "unit"]
    return {c.kind: c.values[i].number for c, i in zip(controls, setting, strict=True)}


def swept(
    recipe: Recipe,
    objective: Objective,
    numbers: Mapping[str, float],
    size: Size = SIZE,
) -> tuple[Recipe, Objective]:
    """Return the recipe and objective of one setting of a sweep, in pictures of ``size``.

    Pixels are optimized, without decorrelated colours and transforms, unless
    the setting says otherwise. Penalties of weight 0 stay in the objective, so that all settings
    share a compiled loop. Source: the authors' notebook ``regularization`` (methods, section 7).
    """
    pixels = not numbers.get("decorrelated", any(k in numbers for k in _TRANSFORMS))
    changes: dict[str, object] = {"size": size}
    if pixels:
        changes["parameterization"] = Pixel(decorrelate=False)
    if any(kind in numbers for kind in _TRANSFORMS):
        changes["transform"] = transforms_of(
            int(numbers["jitter"]), int(numbers["rotate"]), numbers["scale"], min(size)
        )
    elif not numbers.get("transforms", 0):
        changes["transform"] = FoldedTransform(())
    if "learning_rate" in numbers:
        changes["learning_rate"] = numbers["learning_rate"]
    for kind, make in PENALTIES.items():
        if kind in numbers:
            objective = objective + make(numbers[kind])
    return recipe.replace(**changes), objective


def transforms_of(jitter: int, rotate: int, scale: float, side: int) -> FoldedTransform:
    """Make the transforms of a setting: pad by twice the jitter, jitter, scale, rotate.

    Scales are ``scale``^(n / 10) for n = -10 to 10, angles whole degrees. The pad reflects the
    picture, so it is at most the picture's shorter ``side`` less 1.
    """
    steps: list[Pad | Jitter | Scale | Rotate] = []
    if jitter:
        steps += [Pad(min(2 * jitter, side - 1), mode="reflect"), Jitter(jitter)]
    if scale != 1:
        steps.append(Scale(tuple(scale ** (n / 10) for n in range(-10, 11))))
    if rotate:
        steps.append(Rotate(tuple(float(angle) for angle in range(-rotate, rotate + 1))))
    return FoldedTransform(tuple(steps))
