"""Layouts of tables: rows of pictures with titles of rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kerasviz.errors import UsageError
from kerasviz.examples import BUCKETS
from kerasviz.figures.catalogue.figure import Control, ControlValue, Unit
from kerasviz.figures.layout.context import FigureContext, channel_target, moments
from kerasviz.figures.layout.example_panels import example_notes, example_place
from kerasviz.figures.layout.penalty_weights import weight_note, weighted
from kerasviz.figures.layout.sweeps import SIZE, numbers_of, settings_of, swept
from kerasviz.figures.layout.tiles import EmptyTile, OptimizedTile, Tile, TileRow
from kerasviz.optvis.objectives.objective import interpolation
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.parameterizations import Aligned, Fourier
from kerasviz.rendering.batching import fixed_batch, in_parts

#: What a figure's builder returns: rows, words over the columns, controls, notes.
Table = tuple[tuple[TileRow, ...], tuple[str, ...], tuple[Control, ...], list[str]]

#: Pictures of one unit that are pushed apart, and frames of an interpolation (paper).
FACETS, FRAMES = 4, 6
#: The compiled batch of an interpolation: its group always stands at the same rows.
FRAMES_BATCH = 8
NO_DIRECTIONS = EmptyTile("Dataset examples", "kept for units, not for directions")


def shown(context: FigureContext, target: Target, name: str = "") -> OptimizedTile:
    """Make the tile of the finished picture of a target."""
    request = context.request(target)
    return OptimizedTile(request, request.recipe.steps, name or target.text)


def _chosen(context: FigureContext) -> list[tuple[str, Unit]]:
    """Return taps and units of a figure, layer by layer."""
    places = [place.layer for place in context.figure.places]
    return [
        (context.taps[name], unit)
        for name in dict.fromkeys(places)
        if name in context.units
        for unit in context.units[name].units
    ]


def _translated(context: FigureContext) -> dict[tuple[str, int], tuple[str, Unit]]:
    """Return the units that stand for the article's in this network, by (layer, number).

    Where a layer has no counterpart, or fewer units, a unit stands for several.
    """
    found = {}
    some = _chosen(context)
    for layer, units in context.figure.units.items():
        own = context.units[layer].units if layer in context.units else ()
        for k, unit in enumerate(units):
            if own:
                chosen = own[k % len(own)]
                found[layer, unit.number] = (context.taps[layer], chosen)
            else:
                found[layer, unit.number] = some[len(found) % len(some)]
    return found


def facets(context: FigureContext, target: Target) -> list[OptimizedTile]:
    """Make the tiles of diverse pictures of a target, optimized together."""
    request = context.request(target, rows=FACETS)
    return [
        OptimizedTile(request, request.recipe.steps, f"{target.text} facet {row + 1}", row=row)
        for row in range(FACETS)
    ]


def _diversity(context: FigureContext) -> Table:
    tap, unit = context.only
    target = channel_target(tap, unit.number)
    apart = facets(context, target)
    request = apart[0].request
    examples = example_place(context.options, tap, unit.number)
    tiles = (shown(context, target), *apart, examples)
    together = f"Optimized together and pushed apart: {target.text}"
    column_titles = ("Simple optimization", *[together] * FACETS, "Dataset examples")
    weight = next(t.weight for t in request.objective.terms if t.kind == "diversity")
    note = (
        f"The {FACETS} pictures share one optimization: each channel objective less {weight:g} "
        "times its size times the sum of the cosines of Gram matrices. The article does not give "
        "its weight."
    )
    return (TileRow("", (tap,), tiles),), column_titles, (), [note, *example_notes(context.options)]


def _dataset(context: FigureContext) -> Table:
    chosen = _chosen(context)
    tiles = tuple(shown(context, channel_target(tap, unit.number)) for tap, unit in chosen)
    words = [unit.label or f"{tap}:{unit.number}" for tap, unit in chosen]
    examples = tuple(example_place(context.options, tap, unit.number) for tap, unit in chosen)
    rows = (
        TileRow("Dataset examples", (), examples),
        TileRow("Optimized", tuple(dict.fromkeys(tap for tap, _ in chosen)), tiles),
    )
    return rows, tuple(words), (), example_notes(context.options)


def _spectrum(context: FigureContext) -> Table:
    column_titles = (
        "Negative optimized",
        "Minimum activation",
        "Slightly negative",
        "Slightly positive",
        "Maximum activation",
        "Positive optimized",
    )
    rows = []
    values = []
    for k, (tap, unit) in enumerate(_chosen(context)):
        target = channel_target(tap, unit.number)
        negative = Target(f"-{target.text}", -target.objective)
        ends = (shown(context, negative), shown(context, target))
        between = [
            example_place(context.options, tap, unit.number, bucket) for bucket in reversed(BUCKETS)
        ]
        tiles: tuple[Tile | EmptyTile, ...] = (ends[0], *between, ends[1])
        rows.append(TileRow(target.text, (tap,), tiles, (k,)))
        values.append(ControlValue(target.text, k))
    initial = min(context.figure.controls[0].initial, len(rows) - 1)
    control = Control("unit", "Unit", tuple(values), initial)
    return tuple(rows), column_titles, (control,), example_notes(context.options)


def _random(context: FigureContext) -> Table:
    tiles, words = [], []
    for seed, (tap, _) in enumerate(_chosen(context)):
        (target,) = parse_target(f"{tap}:random-{seed}", context.options.net)
        tiles.append(shown(context, target))
        words.append(f"{tap}, random direction {seed}")
    rows = (TileRow("", tuple(context.taps.values()), tuple(tiles)),)
    note = (
        "Each direction has independent standard normal components. Its number is their seed and "
        f"no unit: 0 to {len(tiles) - 1} for every network, none was left out. The article's four "
        "were picked by hand. Dataset examples are kept for units, not for directions."
    )
    return rows, tuple(words), (), [note]


def _only(context: FigureContext) -> str:
    """Say which unit a figure of pairs found alone."""
    tap, unit = _chosen(context)[0]
    return f"layers of {context.options.net.name} have only {tap}:{unit.number} for them"


def _arithmetic(context: FigureContext) -> Table:
    known = _translated(context)
    # Where several of the article's units have the same counterpart, it is shown once.
    firsts = list(dict.fromkeys(known[first] for first, _ in context.figure.pairs))
    seconds = list(dict.fromkeys(known[second] for _, second in context.figure.pairs))
    if len({*firsts, *seconds}) < 2:
        raise UsageError(f"sums take two units, and the {_only(context)}")

    def words(tap: str, unit: Unit) -> str:
        return f"{tap}:{unit.number}" + (f" {unit.label}" if unit.label else "")

    def single(tap: str, unit: Unit) -> OptimizedTile:
        return shown(context, channel_target(tap, unit.number), words(tap, unit))

    rows = [TileRow("", (), (EmptyTile("", ""), *(single(*first) for first in firsts)))]
    for second in seconds:
        tiles: list[OptimizedTile | EmptyTile] = [single(*second)]
        for first in firsts:
            if first == second:
                tiles.append(EmptyTile("No sum", "one unit at both places"))
                continue
            ends = [channel_target(tap, unit.number) for tap, unit in (first, second)]
            text = " + ".join(end.text for end in ends)
            tiles.append(shown(context, Target(text, ends[0].objective + ends[1].objective)))
        rows.append(TileRow(words(*second), (second[0],), tuple(tiles)))
    return tuple(rows), ("", *(words(*first) for first in firsts)), (), []


def _interpolation(context: FigureContext) -> Table:
    known = _translated(context)
    lower = [context.taps[n] for n in ("mixed3b", "mixed4a") if n in context.taps]
    own = context.options.recipe.parameterization
    space = Aligned(own if isinstance(own, Fourier) else Fourier())
    rows, values = [], []
    pairs = list(dict.fromkeys((known[a], known[b]) for a, b in context.figure.pairs))
    pairs = [(a, b) for a, b in pairs if a != b]
    if not pairs:
        raise UsageError(
            f"an interpolation goes from one unit to another, and the {_only(context)}"
        )
    for k, pair in enumerate(pairs):
        ends = [channel_target(tap, unit.number) for tap, unit in pair]
        text = f"{ends[0].text} to {ends[1].text}"
        faded = interpolation(ends[0].objective, ends[1].objective, lower)
        request = context.request(Target(text, faded))
        only = fixed_batch(context.options.net, request)
        request = replace(
            request,
            recipe=request.recipe.replace(parameterization=space),
            rows=FRAMES,
            batch=FRAMES_BATCH if only is None else in_parts(only, FRAMES),
        )
        tiles = [
            OptimizedTile(
                request, request.recipe.steps, f"{text}, frame {row + 1} of {FRAMES}", row=row
            )
            for row in range(FRAMES)
        ]
        rows.append(TileRow(text, (), tuple(tiles), (k,)))
        values.append(ControlValue(text, k))
    note = (
        f"Frames share coarse images of {', '.join(map(str, space.shared))} pixels and ramps of "
        f"{', '.join(map(str, space.ramps))}; neighbours are aligned at {' and '.join(lower)} with "
        "weight 0.1. The article gives neither layers nor weight."
    )
    column_titles = tuple(
        f"{1 - k / (FRAMES - 1):.0%} / {k / (FRAMES - 1):.0%}" for k in range(FRAMES)
    )
    initial = min(1, len(rows) - 1)
    return tuple(rows), column_titles, (Control("unit", "Pair", tuple(values), initial),), [note]


def _sweep(context: FigureContext) -> Table:
    """Lay out the snapshots of one run in every row; readers choose unit and settings."""
    factor, recipe = context.options.penalty_factor, context.options.recipe
    size = context.options.net.fitting_size(SIZE)
    figure = weighted(context.figure, factor)
    steps = moments(figure.steps, min(recipe.steps, figure.steps[-1]))
    chosen = _chosen(context)[: 1 if context.options.quick else None]
    controls = [c for c in figure.controls if c.kind != "unit"]
    rows = []
    for k, (tap, unit) in enumerate(chosen):
        for each in settings_of(figure, initial_only=context.options.quick):
            target = channel_target(tap, unit.number)
            own, objective = swept(recipe, target.objective, numbers_of(figure, each), size)
            labels = [c.values[i].label for c, i in zip(controls, each, strict=True)]
            words = ", ".join(
                f"{c.title} {label}" for c, label in zip(controls, labels, strict=True)
            )
            text = f"{target.text} with {words}"
            request = replace(
                context.request(Target(text, objective), steps[:-1], steps[-1]),
                recipe=own.replace(steps=steps[-1]),
            )
            tiles = tuple(OptimizedTile(request, step, f"{text}, step {step}") for step in steps)
            rows.append(TileRow(f"{target.text}: {words}", (tap,), tiles, (k, *each)))
    values = tuple(ControlValue(f"{tap}:{unit.number}", k) for k, (tap, unit) in enumerate(chosen))
    notes = weight_note(figure, factor)
    if context.options.quick:
        notes.append("Reduced: one unit, and some of the settings.")
    column_titles = tuple(f"Step {step}" for step in steps)
    return tuple(rows), column_titles, (Control("unit", "Unit", values), *controls), notes


_BUILDERS: Sequence[tuple[Callable[[FigureContext], Table], tuple[str, ...]]] = (
    (_diversity, ("diversity-4a97", "diversity-4a143", "diversity-5a9", "diversity-4e55")),
    (_dataset, ("dataset-vs-optimization",)),
    (_spectrum, ("activation-spectrum",)),
    (_random, ("random-directions",)),
    (_arithmetic, ("neuron-arithmetic",)),
    (_interpolation, ("interpolation",)),
    (
        _sweep,
        (
            "naive-noise",
            "frequency-penalization",
            "transformation-robustness",
            "preconditioning",
        ),
    ),
)

#: The builder of every figure that is a table.
TABLES = {slug: build for build, slugs in _BUILDERS for slug in slugs}
