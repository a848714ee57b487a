"""Layouts of channels in groups, of the steps of one run, and of objectives side by side."""

from __future__ import annotations

from kerasviz.figures.layout.context import FigureContext, channel_target, moments
from kerasviz.figures.layout.tiles import OptimizedTile, TileRow
from kerasviz.figures.layout.units import pick_class
from kerasviz.optvis.objectives.objective import layer, logit, neuron, probability
from kerasviz.optvis.objectives.targets import Target


def groups(context: FigureContext) -> tuple[tuple[TileRow, ...], list[str]]:
    """Lay out channels in groups, each under its title."""
    blocks, listed = [], []
    for group in context.figure.groups:
        names = [place.layer for place in group.places if place.layer in context.taps]
        tiles: list[OptimizedTile] = []
        for tap, found in ((context.taps[name], context.units[name]) for name in names):
            for unit in found.units:
                target = channel_target(tap, unit.number)
                request = context.request(target)
                tiles.append(OptimizedTile(request, request.recipe.steps, target.text, unit.label))
            listed.append(f"{tap} {', '.join(str(unit.number) for unit in found.units)}")
        if tiles:
            taps = tuple(context.taps[name] for name in names)
            blocks.append(TileRow(group.title, taps, tuple(tiles)))
    # Where every tile has its own caption, the list would only repeat them.
    notes = [f"Shown, row by row: {'; '.join(listed)}."] if blocks[0].title else []
    return tuple(blocks), notes if context.figure.layout == "blocks" else []


def sequence(context: FigureContext) -> tuple[tuple[TileRow, ...], list[str]]:
    """Lay out one channel at several steps of one run."""
    tap, unit = context.only
    steps = moments(context.figure.steps, context.options.recipe.steps)
    target = channel_target(tap, unit.number)
    request = context.request(target, steps[:-1], steps[-1])
    tiles = tuple(OptimizedTile(request, step, target.text, f"Step {step}") for step in steps)
    notes = []
    if steps != context.figure.steps:
        theirs = ", ".join(map(str, context.figure.steps))
        notes.append(
            f"Steps: {', '.join(map(str, steps))}, because this run has "
            f"{context.options.recipe.steps} steps; the article shows {theirs}."
        )
    return (TileRow(target.text, (tap,), tiles),), notes


def columns(context: FigureContext) -> tuple[tuple[TileRow, ...], list[str]]:
    """Lay out one picture for each objective, of one layer, unit and class."""
    tap, unit = context.only
    u = unit.number
    targets = {
        "neuron": Target(f"{tap}:{u}@center", neuron(tap, u)),
        "channel": channel_target(tap, u),
        "layer": Target(tap, layer(tap)),
    }
    k, note = pick_class(context.options.net)
    if k is not None:
        targets["logit"] = Target(f"logit:{k}", logit(k))
        targets["probability"] = Target(f"prob:{k}", probability(k))
    tiles = []
    for column in context.figure.columns:
        if column.kind in targets:
            target = targets[column.kind]
            name = target.text
            if k is not None and column.kind in ("logit", "probability"):
                name = f"{name.partition(':')[0]}:{context.options.net.classes.describe(k)}"
            request = context.request(target)
            tiles.append(OptimizedTile(request, request.recipe.steps, name, "", column))
    return (TileRow("", (tap,), tuple(tiles)),), [note]
