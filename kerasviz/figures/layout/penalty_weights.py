"""The weights of penalties, scaled to the scores that units of a network reach."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np

from kerasviz.errors import ModelError, UsageError
from kerasviz.figures.catalogue.figure import Figure
from kerasviz.figures.layout.context import FigureOptions, channel_target, resolve
from kerasviz.figures.layout.sweeps import PENALTIES, SIZE, swept
from kerasviz.figures.layout.units import evenly_spaced
from kerasviz.io.digits import rounded
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.render import render_batches
from kerasviz.rendering.request import make_requests

#: What is measured: this number of units of each layer of the figure, after these steps.
UNITS, STEPS = 4, 32
#: What that gives for GoogLeNet, whose layers and training data are those of the article's network.
REFERENCE = 430.0


def weight_factor(figure: Figure, options: FigureOptions) -> float:
    """Return the factor on the article's weights of penalties for a network.

    The weights are absolute, but the scale of activations differs between networks. The factor is
    the median score of units of the figure's layers (4 of each, evenly spaced; 32 steps, the
    figure's size, no penalties, no transforms), divided by GoogLeNet's. It is rounded to one
    significant digit, so that another machine finds the same. It is 1 for a network that has the
    article's layers by name, and where nothing can be measured.
    """
    if all(place.layer in options.net.taps for place in figure.places):
        return 1.0
    try:
        scores = _scores(figure, options)
    except (ModelError, UsageError):
        return 1.0  # the figure itself says what is wrong
    reached = median(scores) if scores else 0.0
    if not (np.isfinite(reached) and reached > 0):
        return 1.0
    return rounded(reached / REFERENCE, 1)


def _scores(figure: Figure, options: FigureOptions) -> list[float]:
    """Return the scores that units of the figure's layers reach without penalties."""
    net, requests = options.net, []
    for tap in dict.fromkeys(resolve(figure, options).taps.values()):
        for unit in evenly_spaced(UNITS, net.taps[tap].channels or 0):
            target = channel_target(tap, unit)
            short = recipe("article").replace(steps=STEPS)
            own, objective = swept(short, target.objective, {}, net.fitting_size(SIZE))
            requests += make_requests(net, [Target(target.text, objective)], own)
    return [
        p.score for pictures in render_batches(net, make_batches(net, requests)) for p in pictures
    ]


def weighted(figure: Figure, factor: float) -> Figure:
    """Multiply the values of a figure's penalty controls by ``factor``."""
    controls = tuple(
        replace(
            control,
            values=tuple(
                replace(value, label=f"{number:g}", number=number)
                for value in control.values
                for number in [rounded(value.number * factor)]
            ),
        )
        if control.kind in PENALTIES and factor != 1
        else control
        for control in figure.controls
    )
    return replace(figure, controls=controls)


def weight_note(figure: Figure, factor: float) -> list[str]:
    """Say how the weights of penalties were chosen; empty for the article's own."""
    if factor == 1 or not any(control.kind in PENALTIES for control in figure.controls):
        return []
    return [
        f"Weights of penalties: {factor:g} times the article's, because units of these layers "
        f"reach {factor:g} times GoogLeNet's median score in {STEPS} steps without penalties."
    ]
