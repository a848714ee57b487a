"""Figures that are sets of channels, moments of one run, or objectives side by side."""

from __future__ import annotations

from kerasviz.figures.layout.context import FigureContext, channel_target, moments
from kerasviz.figures.layout.tiles import OptimizedTile, TileRow
from kerasviz.figures.layout.units import pick_class
from kerasviz.optvis.objectives.objective import layer, logit, neuron, probability
from kerasviz.optvis.objectives.targets import Target

__all__ = ["columns", "groups", "sequence"]


def groups(setting: FigureContext) -> tuple[tuple[TileRow, ...], list[str]]:
    """Sets of channels, each under its title."""
    blocks, listed = [], []
    for group in setting.figure.groups:
        names = [place.layer for place in group.places if place.layer in setting.taps]
        cells: list[OptimizedTile] = []
        for tap, found in ((setting.taps[name], setting.units[name]) for name in names):
            for unit in found.units:
                target = channel_target(tap, unit.number)
                request = setting.request(target)
                cells.append(OptimizedTile(request, request.recipe.steps, target.text, unit.label))
            listed.append(f"{tap} {', '.join(str(unit.number) for unit in found.units)}")
        if cells:
            taps = tuple(setting.taps[name] for name in names)
            blocks.append(TileRow(group.title, taps, tuple(cells)))
    # Where every tile has its own caption, the list would only repeat them.
    notes = [f"Shown, row by row: {'; '.join(listed)}."] if blocks[0].title else []
    return tuple(blocks), notes if setting.figure.layout == "blocks" else []


def sequence(setting: FigureContext) -> tuple[tuple[TileRow, ...], list[str]]:
    """One channel at several steps of one run."""
    tap, unit = setting.only
    steps = moments(setting.figure.steps, setting.order.recipe.steps)
    target = channel_target(tap, unit.number)
    request = setting.request(target, steps[:-1], steps[-1])
    cells = tuple(OptimizedTile(request, step, target.text, f"Step {step}") for step in steps)
    notes = []
    if steps != setting.figure.steps:
        theirs = ", ".join(map(str, setting.figure.steps))
        notes.append(
            f"Steps: {', '.join(map(str, steps))}, because this run has "
            f"{setting.order.recipe.steps} steps; the article shows {theirs}."
        )
    return (TileRow(target.text, (tap,), cells),), notes


def columns(setting: FigureContext) -> tuple[tuple[TileRow, ...], list[str]]:
    """One picture for each objective, at one layer and unit and one class."""
    tap, unit = setting.only
    u = unit.number
    targets = {
        "neuron": Target(f"{tap}:{u}@center", neuron(tap, u)),
        "channel": channel_target(tap, u),
        "layer": Target(tap, layer(tap)),
    }
    k, note = pick_class(setting.order.net)
    if k is not None:
        targets["logit"] = Target(f"logit:{k}", logit(k))
        targets["probability"] = Target(f"prob:{k}", probability(k))
    cells = []
    for column in setting.figure.columns:
        if column.kind in targets:
            target = targets[column.kind]
            name = target.text
            if k is not None and column.kind in ("logit", "probability"):
                name = f"{name.partition(':')[0]}:{setting.order.net.classes.describe(k)}"
            request = setting.request(target)
            cells.append(OptimizedTile(request, request.recipe.steps, name, "", column))
    return (TileRow("", (tap,), tuple(cells)),), [note]
