"""What a figure shows for a network: pictures, places and words, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerasviz.figures.catalogue.figure import Column, Control, Figure
from kerasviz.rendering.photos import Photo
from kerasviz.rendering.request import Request

__all__ = [
    "EmptyTile",
    "ExamplesTile",
    "FigureLayout",
    "GradientTile",
    "OptimizedTile",
    "Page",
    "Tile",
    "TileRow",
]


@dataclass(frozen=True)
class OptimizedTile:
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
class GradientTile:
    """One picture of a figure that is computed from photos, see :mod:`kerasviz.figures.computed`.

    ``file`` is the name of its file without an ending, ``name`` its words. ``kind`` is ``photo``,
    ``attribution``, ``magnitude``, ``colours`` or a metric of ``gradients``; ``goal``
    has the objective that is differentiated, ``taps`` are all whose gradients are taken at once.
    ``pool`` says that a pooling layer follows.
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
            "taps": list(self.taps),
        }


@dataclass(frozen=True)
class ExamplesTile:
    """Examples of a unit from a data set, several in one picture.

    See ``example_panels``. ``bucket`` is the kind of examples, ``facts`` their
    activations in words.
    """

    tap: str
    unit: int
    bucket: str
    facts: str

    @property
    def sharp(self) -> bool:
        """Photos are smooth, however large they are shown."""
        return False

    @property
    def smooth(self) -> bool:
        """Also where the optimized pictures beside them are not."""
        return True

    @property
    def name(self) -> str:
        """The layer and unit."""
        return f"{self.tap}:{self.unit}"

    @property
    def label(self) -> str:
        """Examples have no second word."""
        return ""

    @property
    def words(self) -> str:
        """What it is, in one line."""
        return f"Dataset examples of {self.name}, {self.facts}"


#: A picture of a figure.
Tile = OptimizedTile | GradientTile | ExamplesTile


@dataclass(frozen=True)
class EmptyTile:
    """A place for a picture that is not there, with what it would be and why it is empty."""

    name: str
    why: str


@dataclass(frozen=True)
class TileRow:
    """Pictures that stand together, with the names of their layers.

    In a table it is a row; ``setting`` are the values of the figure's controls that show it,
    counted from 0, and empty where it is always shown.
    """

    title: str
    layers: tuple[str, ...]
    places: tuple[Tile | EmptyTile, ...]
    setting: tuple[int, ...] = ()

    @property
    def optimized(self) -> tuple[OptimizedTile, ...]:
        """The optimized pictures that are there."""
        return tuple(place for place in self.places if isinstance(place, OptimizedTile))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The pictures that are there."""
        return tuple(place for place in self.places if not isinstance(place, EmptyTile))


@dataclass(frozen=True)
class Page:
    """A page that a figure leads to: its words and its file, which is "" where it is not there."""

    words: str
    file: str


@dataclass(frozen=True)
class FigureLayout:
    """A figure for one network: its pictures, and the notes on how they were chosen.

    ``size`` is the height and width of its pictures in pixels. ``heads`` are the words over the
    columns of a table, ``controls`` what its reader sets, ``pages`` what it leads to.
    """

    figure: Figure
    network: str
    size: tuple[int, int]
    blocks: tuple[TileRow, ...]
    notes: tuple[str, ...]
    column_titles: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    pages: tuple[Page, ...] = ()

    @property
    def initial(self) -> tuple[int, ...]:
        """The setting of the controls that is shown first."""
        return tuple(control.initial for control in self.controls)

    @property
    def optimized(self) -> tuple[OptimizedTile, ...]:
        """All optimized pictures, in order."""
        return tuple(tile for block in self.blocks for tile in block.optimized)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All pictures, in order."""
        return tuple(tile for block in self.blocks for tile in block.tiles)

    @property
    def computed(self) -> tuple[GradientTile, ...]:
        """The pictures that are computed after the optimized ones."""
        return tuple(tile for tile in self.tiles if isinstance(tile, GradientTile))

    @property
    def requests(self) -> tuple[Request, ...]:
        """What has to be rendered, each once."""
        sources = [photo.request for made in self.computed for photo in made.photos]
        needed = [request for request in sources if request is not None]
        return tuple(dict.fromkeys([*(tile.request for tile in self.optimized), *needed]))

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """The letters of the formulas that are shown, with their meanings."""
        formulas = [tile.column.formula for tile in self.optimized if tile.column is not None]
        # "n" and "x,y" and "z" stand in the layers' formulas, "k" in those of the classes.
        return tuple(
            (letter, meaning)
            for letter, meaning in self.figure.legend
            if any(f"[{letter}" in f or f",{letter}]" in f or f"_{letter}[" in f for f in formulas)
        )
