"""The layout of a figure for a network: tiles, rows and notes, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kerasviz.figures.catalogue.figure import Column, Control, Figure
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.rendering.photos import Photo
from kerasviz.rendering.request import Request


@dataclass(frozen=True)
class OptimizedTile:
    """Describe an optimized picture of a figure: its request, step and texts.

    ``name`` is the layer and unit; ``label`` says what it shows, or is "". ``column`` says
    which objective it is in the figure ``objectives``; ``row`` counts the pictures of a request.
    ``share`` is its side in a grid, as a share of that of a cell.
    """

    request: Request
    step: int
    name: str
    label: str = ""
    column: Column | None = None
    row: int = 0
    share: float = 1.0

    @property
    def sharp(self) -> bool:
        """Return whether its pixels stay sharp: those that were optimized one by one."""
        return isinstance(self.request.recipe.parameterization, Pixel)

    @property
    def unit(self) -> int | None:
        """Return the channel or class that was optimized, or the row of a direction in its file."""
        term = self.request.objective.terms[0]
        return term.unit if term.unit is not None or term.source is None else term.source.row

    @property
    def words(self) -> str:
        """Return name and label in one line."""
        return f"{self.name}: {self.label}" if self.label else self.name


#: The kinds of computed pictures that have no pixels to be looked at.
SMOOTH = ("photo", "attribution", "overlay", "tint", "marked", "cut", "lines")


@dataclass(frozen=True)
class GradientTile:
    """Describe a picture that is computed from photos, see :mod:`kerasviz.figures.computed`.

    ``file`` is the name of its file without an ending, ``name`` its text. ``kind`` is ``photo``,
    ``attribution``, ``magnitude``, ``grid``, ``colours``, a metric of ``gradients``, or one of
    :mod:`kerasviz.rendering.number_pictures`, which draws ``numbers``; ``goal`` has the objective
    that is differentiated, ``taps`` are all whose gradients are taken at once. ``pool`` says that a
    pooling layer follows, ``label`` what the picture shows, or what was found when it was computed.
    """

    file: str
    name: str
    kind: str
    photos: tuple[Photo, ...]
    size: tuple[int, int]
    goal: Request | None = None
    tap: str = ""
    taps: tuple[str, ...] = ()
    pool: bool = False
    numbers: tuple[Any, ...] = ()
    label: str = ""
    share: ClassVar[float] = 1.0

    @property
    def sharp(self) -> bool:
        """Return whether its pixels stay sharp, however large it is shown."""
        return self.kind not in SMOOTH

    @property
    def words(self) -> str:
        """Return its description in one line."""
        return f"{self.name}: {self.label}" if self.label else self.name

    def to_json(self) -> dict[str, Any]:
        """Return everything that decides the picture, except its photos."""
        goal = self.goal
        return {
            "kind": self.kind,
            "size": list(self.size),
            "objective": None if goal is None else goal.objective.to_json(),
            "pre_activation": goal is not None and goal.recipe.pre_activation,
            "tap": self.tap,
            "taps": list(self.taps),
            **({"numbers": list(self.numbers)} if self.numbers else {}),
        }


@dataclass(frozen=True)
class ExamplesTile:
    """Describe a panel of dataset examples of a unit, see ``example_panels``.

    ``bucket`` is the kind of examples, ``facts`` their range of activations as text.
    """

    tap: str
    unit: int
    bucket: str
    facts: str
    label: ClassVar[str] = ""
    #: Photos are smoothed, even where the optimized pictures beside them are not.
    sharp: ClassVar[bool] = False
    smooth: ClassVar[bool] = True
    share: ClassVar[float] = 1.0

    @property
    def name(self) -> str:
        """Return the layer and unit."""
        return f"{self.tap}:{self.unit}"

    @property
    def words(self) -> str:
        """Return its description in one line."""
        return f"Dataset examples of {self.name}, {self.facts}"


#: A picture of a figure.
Tile = OptimizedTile | GradientTile | ExamplesTile


@dataclass(frozen=True)
class EmptyTile:
    """Describe an empty place: what it would show, and why it does not."""

    name: str
    why: str


@dataclass(frozen=True)
class TileRow:
    """Hold a row or group of tiles, with the names of their layers.

    ``setting`` are the values of the figure's controls that show it, counted from 0; it is empty
    for a row that is always shown. ``columns`` are those of a grid.
    """

    title: str
    layers: tuple[str, ...]
    places: tuple[Tile | EmptyTile, ...]
    setting: tuple[int, ...] = ()
    columns: int = 0

    @property
    def optimized(self) -> tuple[OptimizedTile, ...]:
        """Return the optimized pictures of the row."""
        return tuple(place for place in self.places if isinstance(place, OptimizedTile))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Return the pictures of the row."""
        return tuple(place for place in self.places if not isinstance(place, EmptyTile))


@dataclass(frozen=True)
class Page:
    """Describe a page that a figure links to; ``file`` is "" where there is none."""

    words: str
    file: str


@dataclass(frozen=True)
class FigureLayout:
    """Hold the layout of a figure for one network, with notes on how it was chosen.

    ``size`` is the height and width of its pictures in pixels; ``pages`` are those it links to.
    With ``lacks_examples`` places of dataset examples were left out, because there is no dataset.
    """

    figure: Figure
    network: str
    size: tuple[int, int]
    blocks: tuple[TileRow, ...]
    notes: tuple[str, ...]
    column_titles: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    pages: tuple[Page, ...] = ()
    lacks_examples: bool = False

    @property
    def caption(self) -> str:
        """Return the caption; without dataset examples one that does not speak of them."""
        alone = self.figure.caption_without_examples
        return alone if self.lacks_examples and alone else self.figure.caption

    @property
    def initial(self) -> tuple[int, ...]:
        """Return the initial setting of the controls."""
        return tuple(control.initial for control in self.controls)

    @property
    def optimized(self) -> tuple[OptimizedTile, ...]:
        """Return all optimized pictures, in order."""
        return tuple(tile for block in self.blocks for tile in block.optimized)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """Return all pictures, in order."""
        return tuple(tile for block in self.blocks for tile in block.tiles)

    @property
    def computed(self) -> tuple[GradientTile, ...]:
        """Return the pictures that are computed after the optimized ones."""
        return tuple(tile for tile in self.tiles if isinstance(tile, GradientTile))

    @property
    def requests(self) -> tuple[Request, ...]:
        """Return what has to be rendered, each request once."""
        return tuple(dict.fromkeys(tile.request for tile in self.optimized))

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """Return the letters in the shown formulas, with their meanings."""
        formulas = [tile.column.formula for tile in self.optimized if tile.column is not None]
        # "n" and "x,y" and "z" stand in the layers' formulas, "k" in those of the classes.
        return tuple(
            (letter, meaning)
            for letter, meaning in self.figure.legend
            if any(f"[{letter}" in f or f",{letter}]" in f or f"_{letter}[" in f for f in formulas)
        )
