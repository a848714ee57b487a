"""What a figure of the article is: layers, units, layout and words, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = [
    "ARTICLE_LAYERS",
    "Column",
    "Control",
    "ControlValue",
    "Figure",
    "LayerUnits",
    "PlaceGroup",
    "PriorWork",
    "Unit",
    "units_of_layers",
]

#: The trunk of the article's network, first layer first.
ARTICLE_LAYERS = (
    "conv2d0",
    "conv2d1",
    "conv2d2",
    "mixed3a",
    "mixed3b",
    "mixed4a",
    "mixed4b",
    "mixed4c",
    "mixed4d",
    "mixed4e",
    "mixed5a",
    "mixed5b",
)


@dataclass(frozen=True)
class LayerUnits:
    """A layer of the article's network, and how many of its units a figure shows."""

    layer: str
    tiles: int


@dataclass(frozen=True)
class PlaceGroup:
    """Pictures that stand together under one title."""

    title: str
    places: tuple[LayerUnits, ...]


@dataclass(frozen=True)
class Column:
    """An objective of the figure ``objectives``: its kind, title and formula."""

    kind: str
    title: str
    formula: str


@dataclass(frozen=True)
class Unit:
    """A channel of the article's network, with the article's word for what it shows."""

    number: int
    label: str = ""


@dataclass(frozen=True)
class ControlValue:
    """A value of a control: how it is shown, and the number that stands for it."""

    label: str
    number: float


@dataclass(frozen=True)
class Control:
    """Something that a reader sets; ``initial`` counts the values from 0.

    Its ``kind`` says what a value changes: ``unit`` or a setting of
    :mod:`kerasviz.figures.layout.sweeps`.
    """

    kind: str
    title: str
    values: tuple[ControlValue, ...] = ()
    initial: int = 0


@dataclass(frozen=True)
class PriorWork:
    """A row of the table of works: its name, the columns that are marked, a word on it."""

    name: str
    marks: tuple[int, ...]
    gist: str


@dataclass(frozen=True)
class Figure:
    """A figure.

    Its ``layout`` is ``blocks``, ``sequence``, ``columns``, ``rows``, ``table``, ``sums``,
    ``halves``, ``marks`` or ``layer``.

    ``steps`` are the moments that a sequence shows, ``columns`` the objectives side by side,
    ``legend`` explains their letters. ``controls`` are what the reader sets, ``pairs`` are two
    units each, (layer, number), that are shown together. With ``bars`` there is one between
    neighbours, ``works`` are the rows of a table without pictures. With ``seeds`` it shows random
    directions, whose numbers are seeds and not units. ``units`` are the units for the
    article's own network; ``source`` says where they come from.
    """

    slug: str
    title: str
    caption: str
    layout: str
    groups: tuple[PlaceGroup, ...]
    steps: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    controls: tuple[Control, ...] = ()
    pairs: tuple[tuple[tuple[str, int], tuple[str, int]], ...] = ()
    bars: bool = False
    works: tuple[PriorWork, ...] = ()
    seeds: bool = False
    units: Mapping[str, tuple[Unit, ...]] = field(default_factory=dict, hash=False)
    source: str = ""

    @property
    def places(self) -> tuple[LayerUnits, ...]:
        """The layers of all groups, in order."""
        return tuple(place for group in self.groups for place in group.places)


def units_of_layers(**layers: tuple[int, ...] | dict[int, str]) -> Mapping[str, tuple[Unit, ...]]:
    """The units of layers, with their labels where they have some."""
    return MappingProxyType(
        {
            layer: tuple(
                Unit(n, units[n] if isinstance(units, dict) else "")  # a tuple has no labels
                for n in units
            )
            for layer, units in layers.items()
        }
    )
