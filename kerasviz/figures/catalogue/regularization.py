"""Figures of the article's sections on regularization and preconditioning, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import (
    Control,
    ControlValue,
    Figure,
    LayerUnits,
    PlaceGroup,
    units_of_layers,
)

_GROUPS = (
    PlaceGroup("", (LayerUnits("mixed4b", 4), LayerUnits("mixed4c", 1), LayerUnits("mixed4d", 1))),
)
_UNITS = units_of_layers(mixed4b=(452, 465, 475, 464), mixed4c=(450,), mixed4d=(479,))
_UNIT = Control("unit", "Unit")
_STEPS = (1, 32, 128, 256, 2048)


def _values(*numbers: float, unit: str = "") -> tuple[ControlValue, ...]:
    return tuple(ControlValue(f"{number:g}{unit}", number) for number in numbers)


_RATE = Control("learning_rate", "Learning rate", _values(0.01, 0.025, 0.05, 0.1, 0.25), 2)
_SWITCH = (ControlValue("off", 0), ControlValue("on", 1))

NAIVE_NOISE = Figure(
    slug="naive-noise",
    title="Optimization without regularization",
    caption=(
        "Pixels optimized directly, without regularization. At every learning rate the result is "
        "a high-frequency pattern that activates the unit."
    ),
    layout="table",
    groups=_GROUPS,
    steps=_STEPS,
    controls=(_UNIT, _RATE),
    units=_UNITS,
    source="as in the article",
)

FREQUENCY_PENALIZATION = Figure(
    slug="frequency-penalization",
    title="Frequency penalization",
    caption=(
        "Penalties on the distance from grey (L1), on differences between neighbouring pixels "
        "(total variation) and on what a blur removes. They suppress noise, but also edges."
    ),
    layout="table",
    groups=_GROUPS,
    steps=_STEPS,
    controls=(
        _UNIT,
        Control("l1", "L1", _values(0, -0.05, -0.5, -2.5), 1),
        Control("total_variation", "Total variation", _values(0, -0.05, -0.25, -1.5, -3), 2),
        Control("blur", "Blur", _values(0, -0.1, -1, -5, -10), 2),
    ),
    units=_UNITS,
    source="as in the article",
)

TRANSFORMATION_ROBUSTNESS = Figure(
    slug="transformation-robustness",
    title="Transformation robustness",
    caption=(
        "The image is jittered, rotated and scaled at random before every step. Only features that "
        "activate the unit under these transformations remain."
    ),
    layout="table",
    groups=_GROUPS,
    steps=_STEPS,
    controls=(
        _UNIT,
        Control("jitter", "Jitter", _values(0, 1, 8, 32, unit=" px"), 1),
        Control("rotate", "Rotate", _values(0, 5, 15, 45, 180, unit="°"), 1),
        Control("scale", "Scale", _values(1, 1.1, 1.2, 1.8, unit="x"), 1),
    ),
    units=_UNITS,
    source="as in the article",
)

PRECONDITIONING = Figure(
    slug="preconditioning",
    title="Pixels and decorrelated space",
    caption=(
        "Optimization of pixels, or in a decorrelated space: Fourier coefficients of equal energy "
        "with decorrelated colours. Both with and without transformation robustness, at several "
        "learning rates."
    ),
    layout="table",
    groups=_GROUPS,
    steps=_STEPS,
    controls=(
        _UNIT,
        Control("decorrelated", "Decorrelated space", _SWITCH, 1),
        Control("transforms", "Transformation robustness", _SWITCH, 1),
        _RATE,
    ),
    units=_UNITS,
    source="as in the article",
)
