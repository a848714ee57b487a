"""The choice of layers, units and classes for a figure of a given network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.figures.figure import Column, Control, Figure, Group, Unit
from kerasviz.figures.layers import Placing, map_layers
from kerasviz.figures.photos import Photo
from kerasviz.figures.units import Units, class_words, pick_class, pick_units
from kerasviz.network import Network
from kerasviz.objectives import channel, layer, logit, neuron, probability
from kerasviz.recipes import Recipe
from kerasviz.rendering import Request, fitting, linear_tap
from kerasviz.targets import Target

if TYPE_CHECKING:
    from kerasviz.figures.tables import Table

__all__ = [
    "Block",
    "Cell",
    "Choice",
    "Made",
    "Panel",
    "Setting",
    "Tile",
    "channel_target",
    "choose",
    "moments",
]


@dataclass(frozen=True)
class Cell:
    """One picture of a figure: what was optimized, after which step it is shown, its words.

    ``name`` is the layer and unit; ``label`` a word for what it shows, or "". ``column`` says
    which objective it is in the figure ``objectives``; ``row`` counts the pictures of a request.
    """

    request: Request
    step: int
    name: str
    label: str = ""
    column: Column | None = None
    row: int = 0

    @property
    def sharp(self) -> bool:
        """Whether its single pixels are to be seen, however large it is shown."""
        return False

    @property
    def unit(self) -> int | None:
        """The channel or class that was optimized."""
        return self.request.objective.terms[0].unit

    @property
    def words(self) -> str:
        """Name and label in one line."""
        return f"{self.name}: {self.label}" if self.label else self.name


@dataclass(frozen=True)
class Made:
    """One picture of a figure that is computed from photos, see :mod:`kerasviz.figures.computed`.

    ``file`` is the name of its file without an ending, ``name`` its words. ``kind`` is ``photo``,
    ``attribution``, ``magnitude``, ``colours`` or a metric of :mod:`kerasviz.gradients`; ``goal``
    has the objective that is differentiated. ``pool`` says that a pooling layer follows.
    """

    file: str
    name: str
    kind: str
    photos: tuple[Photo, ...]
    size: tuple[int, int]
    goal: Request | None = None
    tap: str = ""
    pool: bool = False

    @property
    def sharp(self) -> bool:
        """Whether its single pixels are to be seen."""
        return self.kind not in ("photo", "attribution")

    @property
    def label(self) -> str:
        """Computed pictures have no second word."""
        return ""

    @property
    def words(self) -> str:
        """What it is, in one line."""
        return self.name

    def to_json(self) -> dict[str, Any]:
        """All that decides the picture but the photos, as plain data."""
        goal = self.goal
        return {
            "kind": self.kind,
            "size": list(self.size),
            "objective": None if goal is None else goal.objective.to_json(),
            "pre_activation": goal is not None and goal.recipe.pre_activation,
            "tap": self.tap,
        }


#: A picture of a figure.
Tile = Cell | Made


@dataclass(frozen=True)
class Panel:
    """A place for a picture that is not there, with what it would be and why it is empty."""

    name: str
    why: str


@dataclass(frozen=True)
class Block:
    """Pictures that stand together, with the names of their layers.

    In a table it is a row; ``setting`` are the values of the figure's controls that show it,
    counted from 0, and empty where it is always shown.
    """

    title: str
    layers: tuple[str, ...]
    places: tuple[Tile | Panel, ...]
    setting: tuple[int, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The optimized pictures that are there."""
        return tuple(place for place in self.places if isinstance(place, Cell))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The pictures that are there."""
        return tuple(place for place in self.places if not isinstance(place, Panel))


@dataclass(frozen=True)
class Choice:
    """A figure for one network: its pictures, and the notes on how they were chosen.

    ``size`` is the height and width of its pictures in pixels. ``heads`` are the words over the
    columns of a table, ``controls`` what its reader sets.
    """

    figure: Figure
    network: str
    size: tuple[int, int]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]
    heads: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()

    @property
    def initial(self) -> tuple[int, ...]:
        """The setting of the controls that is shown first."""
        return tuple(control.initial for control in self.controls)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All optimized pictures, in order."""
        return tuple(cell for block in self.blocks for cell in block.cells)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All pictures, in order."""
        return tuple(tile for block in self.blocks for tile in block.tiles)

    @property
    def computed(self) -> tuple[Made, ...]:
        """The pictures that are computed after the optimized ones."""
        return tuple(tile for tile in self.tiles if isinstance(tile, Made))

    @property
    def requests(self) -> tuple[Request, ...]:
        """What has to be rendered, each once."""
        sources = [photo.request for made in self.computed for photo in made.photos]
        needed = [request for request in sources if request is not None]
        return tuple(dict.fromkeys([*(cell.request for cell in self.cells), *needed]))

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """The letters of the formulas that are shown, with their meanings."""
        formulas = [cell.column.formula for cell in self.cells if cell.column is not None]
        # "n" and "x,y" and "z" stand in the layers' formulas, "k" in those of the classes.
        return tuple(
            (letter, meaning)
            for letter, meaning in self.figure.legend
            if any(f"[{letter}" in f or f",{letter}]" in f or f"_{letter}[" in f for f in formulas)
        )


@dataclass(frozen=True)
class Setting:
    """What all pictures of a figure share, and what was found for its layers."""

    figure: Figure
    net: Network
    recipe: Recipe
    seed: int
    taps: Mapping[str, str]
    units: Mapping[str, Units]
    quick: bool = False
    photos: tuple[Path, ...] = ()

    def request(
        self, target: Target, snapshots: Sequence[int] = (), steps: int | None = None
    ) -> Request:
        recipe = fitting(self.recipe, target.objective, self.net)
        recipe = recipe.replace(steps=steps or recipe.steps)
        return Request(target.text, target.objective, recipe, self.seed, tuple(snapshots))

    @property
    def linear(self) -> tuple[str, ...]:
        """Its taps whose channels are optimized after the ReLU, see :func:`fitting`."""
        first = linear_tap(self.net) if self.recipe.pre_activation and self.units else None
        return (first,) if first is not None and first in self.taps.values() else ()

    @property
    def only(self) -> tuple[str, Unit]:
        """Tap and unit of a figure that shows a single one."""
        name = self.figure.places[0].layer
        return self.taps[name], self.units[name].units[0]


def channel_target(tap: str, unit: int) -> Target:
    """A channel with the words that name it."""
    return Target(f"{tap}:{unit}", channel(tap, unit))


def choose(
    figure: Figure,
    net: Network,
    recipe: Recipe,
    seed: int = 0,
    *,
    quick: bool = False,
    photos: Sequence[Path] = (),
) -> Choice:
    """Choose layers and units for a figure and say how they were chosen.

    With ``quick`` a figure of many settings shows fewer of them. ``photos`` are files for the
    figures of gradients; without any these take a picture that is optimized for another figure.

    Layers are found by name or alias, else by depth. Units are the article's for the article's own
    network, else those that the model card lists, else evenly spaced over the channels. Raises
    :class:`UsageError` where the network has no layer with positions.
    """
    taps, note = ({}, "") if not figure.places else _layers(figure, net)
    shares = {name: n for group in figure.groups for name, n in _shares(group, taps).items()}
    units = {
        name: pick_units(figure, name, taps[name], count, net)
        for name, count in shares.items()
        if count
    }
    setting = Setting(figure, net, recipe, seed, taps, units, quick, tuple(photos))
    heads: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    build = _builder(figure)
    if build is not None:
        blocks, heads, controls, more = build(setting)
    elif figure.columns:
        blocks, more = _columns(setting)
    elif figure.steps:
        blocks, more = _sequence(setting)
    else:
        blocks, more = _groups(setting)
    linear = [
        f"Channels of {tap} are optimized after its ReLU, because before it a flat colour is best."
        for tap in setting.linear
    ]
    first = [note] if note else []
    unit_notes = [_unit_note(setting)] if units else []
    notes = (*first, *unit_notes, *linear, *more)
    return Choice(figure, net.name, recipe.size, blocks, notes, heads, controls)


def _layers(figure: Figure, net: Network) -> Placing:
    return map_layers([place.layer for place in figure.places], net)


def _builder(figure: Figure) -> Callable[[Setting], Table] | None:
    """What makes the rows of a figure that is a table, or of gradients."""
    # These take cells and blocks from here.
    from kerasviz.figures.gradient_tables import GRADIENT_TABLES
    from kerasviz.figures.tables import TABLES

    return TABLES.get(figure.slug) or GRADIENT_TABLES.get(figure.slug)


def _shares(group: Group, taps: Mapping[str, str]) -> dict[str, int]:
    """The number of tiles for each layer of a group that the network has; their sum is kept."""
    there = [place.layer for place in group.places if place.layer in taps]
    total = sum(place.tiles for place in group.places)
    if len(there) == len(group.places):
        return {place.layer: place.tiles for place in group.places}
    return {name: total // len(there) for name in there}


def _groups(setting: Setting) -> tuple[tuple[Block, ...], list[str]]:
    """Sets of channels, each under its title."""
    blocks, listed = [], []
    for group in setting.figure.groups:
        names = [place.layer for place in group.places if place.layer in setting.taps]
        cells: list[Cell] = []
        for tap, found in ((setting.taps[name], setting.units[name]) for name in names):
            for unit in found.units:
                target = channel_target(tap, unit.number)
                request = setting.request(target)
                cells.append(Cell(request, request.recipe.steps, target.text, unit.label))
            listed.append(f"{tap} {', '.join(str(unit.number) for unit in found.units)}")
        if cells:
            taps = tuple(setting.taps[name] for name in names)
            blocks.append(Block(group.title, taps, tuple(cells)))
    # Where every tile has its own caption, the list would only repeat them.
    notes = [f"Shown, row by row: {'; '.join(listed)}."] if blocks[0].title else []
    return tuple(blocks), notes if setting.figure.layout == "blocks" else []


def _sequence(setting: Setting) -> tuple[tuple[Block, ...], list[str]]:
    """One channel at several steps of one run."""
    tap, unit = setting.only
    steps = moments(setting.figure.steps, setting.recipe.steps)
    target = channel_target(tap, unit.number)
    request = setting.request(target, steps[:-1], steps[-1])
    cells = tuple(Cell(request, step, target.text, f"Step {step}") for step in steps)
    notes = []
    if steps != setting.figure.steps:
        theirs = ", ".join(map(str, setting.figure.steps))
        notes.append(
            f"Steps: {', '.join(map(str, steps))}, because this run has {setting.recipe.steps} "
            f"steps; the article shows {theirs}."
        )
    return (Block(target.text, (tap,), cells),), notes


def _columns(setting: Setting) -> tuple[tuple[Block, ...], list[str]]:
    """One picture for each objective, at one layer and unit and one class."""
    tap, unit = setting.only
    u = unit.number
    targets = {
        "neuron": Target(f"{tap}:{u}@center", neuron(tap, u)),
        "channel": channel_target(tap, u),
        "layer": Target(tap, layer(tap)),
    }
    k, note = pick_class(setting.net)
    if k is not None:
        targets["logit"] = Target(f"logit:{k}", logit(k))
        targets["probability"] = Target(f"prob:{k}", probability(k))
    cells = []
    for column in setting.figure.columns:
        if column.kind in targets:
            target = targets[column.kind]
            name = target.text
            if k is not None and column.kind in ("logit", "probability"):
                name = f"{name.partition(':')[0]}:{class_words(setting.net, k)}"
            request = setting.request(target)
            cells.append(Cell(request, request.recipe.steps, name, "", column))
    return (Block("", (tap,), tuple(cells)),), [note]


def moments(wanted: Sequence[int], steps: int) -> tuple[int, ...]:
    """The steps that a run of ``steps`` steps can show in place of the ``wanted`` ones.

    The article's steps as they are, as far as the run goes; its last step stands for the last. A
    run that is too short for that shows steps that are equally far apart on a logarithmic scale.

    >>> moments((0, 4, 48, 2048), 2560), moments((0, 4, 48, 2048), 128)
    ((0, 4, 48, 2048), (0, 4, 48, 128))
    >>> moments((0, 4, 48, 2048), 24)
    (0, 3, 8, 24)
    """
    last = min(wanted[-1], steps)
    if last >= 2 * wanted[-2]:
        return (*wanted[:-1], last)
    between = len(wanted) - 1
    spread = [round(last ** (i / between)) for i in range(1, between)]
    return tuple(sorted({wanted[0], *spread, last}))


def _unit_note(setting: Setting) -> str:
    """How the units were found, in one line."""
    sources = {source for found in setting.units.values() for source in found.sources}
    rule = (
        "evenly spaced over the C channels of a layer, floor((i + f) C / n) for tile i of n, "
        "where f is 1/2, 1/6 and 5/6 in turn from layer to layer"
    )
    words = {
        "article": setting.figure.source,
        "card": "chosen by eye for this network, from its model card",
        "rule": f"{rule}. The article's numbers hold for its own network only",
    }
    if (setting.figure.columns or setting.figure.steps) and setting.figure.layout != "table":
        tap, unit = setting.only
        words["rule"] = "the middle one of the layer; the article's is one of its own network"
        return f"Unit: {tap}:{unit.number}, {words[next(iter(sources))]}."
    if len(sources) == 1:
        return f"Units: {words[next(iter(sources))]}."
    return f"Units: {words[min(sources)]}; where these do not suffice, {rule}."
