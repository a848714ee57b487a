"""Figures of the article's sections on regularization and preconditioning, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import (
    Control,
    ControlValue,
    Figure,
    one_group,
    units_of_layers,
)

_UNIT = Control("unit", "Unit")


def _table(slug: str, title: str, caption: str, *controls: Control) -> Figure:
    """Make a figure of six units after some steps, with controls for the settings."""
    return Figure(
        slug=slug,
        title=title,
        caption=caption,
        layout="table",
        groups=one_group(mixed4b=4, mixed4c=1, mixed4d=1),
        steps=(1, 32, 128, 256, 2048),
        controls=(_UNIT, *controls),
        units=units_of_layers(mixed4b=(452, 465, 475, 464), mixed4c=(450,), mixed4d=(479,)),
        source="as in the article",
    )


def _values(*numbers: float, unit: str = "") -> tuple[ControlValue, ...]:
    return tuple(ControlValue(f"{number:g}{unit}", number) for number in numbers)


_RATE = Control("learning_rate", "Learning rate", _values(0.01, 0.025, 0.05, 0.1, 0.25), 2)
_SWITCH = (ControlValue("off", 0), ControlValue("on", 1))

NAIVE_NOISE = _table(
    "naive-noise",
    "Optimization without regularization",
    "Pixels optimized directly, without regularization. At every learning rate the result is "
    "a high-frequency pattern that activates the unit.",
    _RATE,
)

FREQUENCY_PENALIZATION = _table(
    "frequency-penalization",
    "Frequency penalization",
    "Penalties on the distance from grey (L1), on differences between neighbouring pixels "
    "(total variation) and on what a blur removes. They suppress noise, but also edges.",
    Control("l1", "L1", _values(0, -0.05, -0.5, -2.5), 1),
    Control("total_variation", "Total variation", _values(0, -0.05, -0.25, -1.5, -3), 2),
    Control("blur", "Blur", _values(0, -0.1, -1, -5, -10), 2),
)

TRANSFORMATION_ROBUSTNESS = _table(
    "transformation-robustness",
    "Transformation robustness",
    "The image is jittered, rotated and scaled at random before every step. Only features that "
    "activate the unit under these transformations remain.",
    Control("jitter", "Jitter", _values(0, 1, 8, 32, unit=" px"), 1),
    Control("rotate", "Rotate", _values(0, 5, 15, 45, 180, unit="°"), 1),
    Control("scale", "Scale", _values(1, 1.1, 1.2, 1.8, unit="x"), 1),
)

PRECONDITIONING = _table(
    "preconditioning",
    "Pixels and decorrelated space",
    "Optimization of pixels, or in a decorrelated space: Fourier coefficients of equal energy "
    "with decorrelated colours. Both with and without transformation robustness, at several "
    "learning rates.",
    Control("decorrelated", "Decorrelated space", _SWITCH, 1),
    Control("transforms", "Transformation robustness", _SWITCH, 1),
    _RATE,
)
