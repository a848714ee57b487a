"""Figures that are tables: rows of pictures with a word at each row and column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kerasviz.errors import UsageError
from kerasviz.examples import BUCKETS
from kerasviz.figures.catalogue.figure import Control, ControlValue, Unit
from kerasviz.figures.layout.context import FigureContext, channel_target, moments
from kerasviz.figures.layout.example_panels import NO_DATASET, example_notes, example_place
from kerasviz.figures.layout.penalty_weights import weight_note, weighted
from kerasviz.figures.layout.sweeps import numbers_of, settings_of, swept
from kerasviz.figures.layout.tiles import EmptyTile, OptimizedTile, Tile, TileRow
from kerasviz.optvis.objectives.objective import interpolation
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.parameterizations import Aligned, Fourier

__all__ = ["FACETS", "NO_DATASET", "TABLES", "Table", "facets", "shown"]

#: What a figure's builder returns: rows, words over the columns, controls, notes.
Table = tuple[tuple[TileRow, ...], tuple[str, ...], tuple[Control, ...], list[str]]

#: Pictures of one unit that are pushed apart, and frames of an interpolation (paper).
FACETS, FRAMES = 4, 6
#: The compiled batch of an interpolation: its group always stands at the same rows.
FRAMES_BATCH = 8
NO_DIRECTIONS = EmptyTile("Dataset examples", "kept for units, not for directions")


def shown(setting: FigureContext, target: Target, name: str = "") -> OptimizedTile:
    """The finished picture of a target."""
    request = setting.request(target)
    return OptimizedTile(request, request.recipe.steps, name or target.text)


def _chosen(setting: FigureContext) -> list[tuple[str, Unit]]:
    """Taps and units of a figure, layer by layer."""
    places = [place.layer for place in setting.figure.places]
    return [
        (setting.taps[name], unit)
        for name in dict.fromkeys(places)
        if name in setting.units
        for unit in setting.units[name].units
    ]


def _translated(setting: FigureContext) -> dict[tuple[str, int], tuple[str, Unit]]:
    """The units of another network that stand for the article's, by (layer, number).

    Where a layer has no counterpart, or fewer units, what is there stands for several.
    """
    found = {}
    some = _chosen(setting)
    for layer, units in setting.figure.units.items():
        own = setting.units[layer].units if layer in setting.units else ()
        for k, unit in enumerate(units):
            if own:
                chosen = own[k % len(own)]
                found[layer, unit.number] = (setting.taps[layer], chosen)
            else:
                found[layer, unit.number] = some[len(found) % len(some)]
    return found


def facets(setting: FigureContext, target: Target) -> list[OptimizedTile]:
    """Pictures of a target that share one optimization and are pushed apart."""
    request = setting.request(target, rows=FACETS)
    return [
        OptimizedTile(request, request.recipe.steps, f"{target.text} facet {row + 1}", row=row)
        for row in range(FACETS)
    ]


def _diversity(setting: FigureContext) -> Table:
    tap, unit = setting.only
    target = channel_target(tap, unit.number)
    apart = facets(setting, target)
    request = apart[0].request
    examples = example_place(setting.order, tap, unit.number)
    cells = (shown(setting, target), *apart, examples)
    together = f"Optimized together and pushed apart: {target.text}"
    heads = ("Simple optimization", *[together] * FACETS, "Dataset examples")
    weight = next(t.weight for t in request.objective.terms if t.kind == "diversity")
    note = (
        f"The {FACETS} pictures share one optimization: each channel objective less {weight:g} "
        "times its size times the sum of the cosines of Gram matrices. The article does not give "
        "its weight."
    )
    return (TileRow("", (tap,), cells),), heads, (), [note, *example_notes(setting.order)]


def _dataset(setting: FigureContext) -> Table:
    chosen = _chosen(setting)
    cells = tuple(shown(setting, channel_target(tap, unit.number)) for tap, unit in chosen)
    words = [unit.label or f"{tap}:{unit.number}" for tap, unit in chosen]
    examples = tuple(example_place(setting.order, tap, unit.number) for tap, unit in chosen)
    rows = (
        TileRow("Dataset examples", (), examples),
        TileRow("Optimized", tuple(dict.fromkeys(tap for tap, _ in chosen)), cells),
    )
    return rows, tuple(words), (), example_notes(setting.order)


def _spectrum(setting: FigureContext) -> Table:
    heads = (
        "Negative optimized",
        "Minimum activation",
        "Slightly negative",
        "Slightly positive",
        "Maximum activation",
        "Positive optimized",
    )
    rows = []
    values = []
    for k, (tap, unit) in enumerate(_chosen(setting)):
        target = channel_target(tap, unit.number)
        negative = Target(f"-{target.text}", -target.objective)
        ends = (shown(setting, negative), shown(setting, target))
        between = [
            example_place(setting.order, tap, unit.number, bucket) for bucket in reversed(BUCKETS)
        ]
        cells: tuple[Tile | EmptyTile, ...] = (ends[0], *between, ends[1])
        rows.append(TileRow(target.text, (tap,), cells, (k,)))
        values.append(ControlValue(target.text, k))
    initial = min(setting.figure.controls[0].initial, len(rows) - 1)
    control = Control("unit", "Unit", tuple(values), initial)
    return tuple(rows), heads, (control,), example_notes(setting.order)


def _random(setting: FigureContext) -> Table:
    cells, words = [], []
    for seed, (tap, _) in enumerate(_chosen(setting)):
        (target,) = parse_target(f"{tap}:random-{seed}", setting.order.net)
        cells.append(shown(setting, target))
        words.append(f"{tap}, random direction {seed}")
    empty = NO_DATASET if setting.order.examples is None else NO_DIRECTIONS
    rows = (
        TileRow("Dataset examples", (), tuple(empty for _ in cells)),
        TileRow("Optimized", tuple(setting.taps.values()), tuple(cells)),
    )
    note = (
        "Each direction has independent standard normal components. Its number is their seed and "
        f"no unit: 0 to {len(cells) - 1} for every network, none was left out. The article's four "
        "were picked by hand."
    )
    return rows, tuple(words), (), [note]


def _only(setting: FigureContext) -> str:
    """Which unit a figure of pairs found alone."""
    tap, unit = _chosen(setting)[0]
    return f"layers of {setting.order.net.name} have only {tap}:{unit.number} for them"


def _arithmetic(setting: FigureContext) -> Table:
    known = _translated(setting)
    # Where several of the article's units have the same counterpart, it is shown once.
    firsts = list(dict.fromkeys(known[first] for first, _ in setting.figure.pairs))
    seconds = list(dict.fromkeys(known[second] for _, second in setting.figure.pairs))
    if len({*firsts, *seconds}) < 2:
        raise UsageError(f"sums take two units, and the {_only(setting)}")

    def words(tap: str, unit: Unit) -> str:
        return f"{tap}:{unit.number}" + (f" {unit.label}" if unit.label else "")

    def single(tap: str, unit: Unit) -> OptimizedTile:
        return shown(setting, channel_target(tap, unit.number), words(tap, unit))

    rows = [TileRow("", (), (EmptyTile("", ""), *(single(*first) for first in firsts)))]
    for second in seconds:
        cells: list[OptimizedTile | EmptyTile] = [single(*second)]
        for first in firsts:
            if first == second:
                cells.append(EmptyTile("No sum", "one unit at both places"))
                continue
            ends = [channel_target(tap, unit.number) for tap, unit in (first, second)]
            text = " + ".join(end.text for end in ends)
            cells.append(shown(setting, Target(text, ends[0].objective + ends[1].objective)))
        rows.append(TileRow(words(*second), (second[0],), tuple(cells)))
    return tuple(rows), ("", *(words(*first) for first in firsts)), (), []


def _interpolation(setting: FigureContext) -> Table:
    known = _translated(setting)
    lower = [setting.taps[n] for n in ("mixed3b", "mixed4a") if n in setting.taps]
    own = setting.order.recipe.parameterization
    space = Aligned(own if isinstance(own, Fourier) else Fourier())
    rows, values = [], []
    pairs = list(dict.fromkeys((known[a], known[b]) for a, b in setting.figure.pairs))
    pairs = [(a, b) for a, b in pairs if a != b]
    if not pairs:
        raise UsageError(
            f"an interpolation goes from one unit to another, and the {_only(setting)}"
        )
    for k, pair in enumerate(pairs):
        ends = [channel_target(tap, unit.number) for tap, unit in pair]
        text = f"{ends[0].text} to {ends[1].text}"
        faded = interpolation(ends[0].objective, ends[1].objective, lower)
        request = setting.request(Target(text, faded))
        request = replace(
            request,
            recipe=request.recipe.replace(parameterization=space),
            rows=FRAMES,
            batch=FRAMES_BATCH,
        )
        cells = [
            OptimizedTile(
                request, request.recipe.steps, f"{text}, frame {row + 1} of {FRAMES}", row=row
            )
            for row in range(FRAMES)
        ]
        rows.append(TileRow(text, (), tuple(cells), (k,)))
        values.append(ControlValue(text, k))
    note = (
        f"Frames share coarse images of {', '.join(map(str, space.shared))} pixels and ramps of "
        f"{', '.join(map(str, space.ramps))}; neighbours are aligned at {' and '.join(lower)} with "
        "weight 0.1. The article gives neither layers nor weight."
    )
    heads = tuple(f"{1 - k / (FRAMES - 1):.0%} / {k / (FRAMES - 1):.0%}" for k in range(FRAMES))
    initial = min(1, len(rows) - 1)
    return tuple(rows), heads, (Control("unit", "Pair", tuple(values), initial),), [note]


def _sweep(setting: FigureContext) -> Table:
    """Snapshots of one run in every row; units and settings are the reader's choice."""
    factor, recipe = setting.order.penalty_factor, setting.order.recipe
    figure = weighted(setting.figure, factor)
    steps = moments(figure.steps, min(recipe.steps, figure.steps[-1]))
    chosen = _chosen(setting)[: 1 if setting.order.quick else None]
    controls = [c for c in figure.controls if c.kind != "unit"]
    rows = []
    for k, (tap, unit) in enumerate(chosen):
        for each in settings_of(figure, initial_only=setting.order.quick):
            target = channel_target(tap, unit.number)
            own, objective = swept(recipe, target.objective, numbers_of(figure, each))
            labels = [c.values[i].label for c, i in zip(controls, each, strict=True)]
            words = ", ".join(
                f"{c.title} {label}" for c, label in zip(controls, labels, strict=True)
            )
            text = f"{target.text} with {words}"
            request = replace(
                setting.request(Target(text, objective), steps[:-1], steps[-1]),
                recipe=own.replace(steps=steps[-1]),
            )
            cells = tuple(OptimizedTile(request, step, f"{text}, step {step}") for step in steps)
            rows.append(TileRow(f"{target.text}: {words}", (tap,), cells, (k, *each)))
    values = tuple(ControlValue(f"{tap}:{unit.number}", k) for k, (tap, unit) in enumerate(chosen))
    notes = weight_note(figure, factor)
    if setting.order.quick:
        notes.append(
            "Reduced: one unit, and settings in which one control at most differs from its first "
            "value, or switches do."
        )
    heads = tuple(f"Step {step}" for step in steps)
    return tuple(rows), heads, (Control("unit", "Unit", values), *controls), notes


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
