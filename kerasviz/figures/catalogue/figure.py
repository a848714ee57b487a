"""The data types of figures: layers, units, layout and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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
    """Name a layer of the article's network and the number of its units in a figure."""

    layer: str
    tiles: int


@dataclass(frozen=True)
class PlaceGroup:
    """Group pictures under one title."""

    title: str
    places: tuple[LayerUnits, ...]


@dataclass(frozen=True)
class Column:
    """Describe an objective of the figure ``objectives``: its kind, title and formula."""

    kind: str
    title: str
    formula: str


@dataclass(frozen=True)
class Unit:
    """Name a channel of the article's network, with the article's label."""

    number: int
    label: str = ""


@dataclass(frozen=True)
class ControlValue:
    """Hold a value of a control: its label and its number."""

    label: str
    number: float


@dataclass(frozen=True)
class Control:
    """Describe a control that a reader sets; ``initial`` counts its values from 0.

    Its ``kind`` says what a value changes: ``unit`` or a setting of
    :mod:`kerasviz.figures.layout.sweeps`.
    """

    kind: str
    title: str
    values: tuple[ControlValue, ...] = ()
    initial: int = 0


@dataclass(frozen=True)
class PriorWork:
    """Hold a row of the table of earlier work: name, marked columns, remark."""

    name: str
    marks: tuple[int, ...]
    gist: str


@dataclass(frozen=True)
class Figure:
    """Describe a figure of the article.

    Its ``layout`` is ``blocks``, ``sequence``, ``columns``, ``rows``, ``table``, ``sums``,
    ``halves``, ``marks``, ``layer``, ``panels`` or ``grids``.

    ``steps`` are the steps that a sequence shows, ``columns`` the objectives side by side,
    ``legend`` explains their letters. ``controls`` are set by the reader, ``pairs`` are two
    units each, (layer, number), that are shown together. With ``bars`` there is a bar between
    neighbours, ``works`` are the rows of a table without pictures. With ``seeds`` it shows random
    directions, whose numbers are seeds and not units. In other networks than the article's its
    units are those that prefer the kind of ``stimuli``, if it names one. ``units`` are the units
    for the article's own network; ``source`` says where they come from. Without a dataset the
    caption is ``caption_without_examples``, if there is one.
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
    stimuli: str = ""
    units: Mapping[str, tuple[Unit, ...]] = field(default_factory=dict, hash=False)
    source: str = ""
    caption_without_examples: str = ""

    @property
    def places(self) -> tuple[LayerUnits, ...]:
        """Return the layers of all groups, in order."""
        return tuple(place for group in self.groups for place in group.places)


def one_group(**tiles: int) -> tuple[PlaceGroup]:
    """Make the only group of a figure, without a title, from the number of units of each layer."""
    return (PlaceGroup("", tuple(LayerUnits(layer, count) for layer, count in tiles.items())),)


def units_of_layers(**layers: tuple[int, ...] | dict[int, str]) -> Mapping[str, tuple[Unit, ...]]:
    """Make the units of layers, with labels where the layer has a dictionary."""
    return MappingProxyType(
        {
            layer: tuple(
                Unit(n, units[n] if isinstance(units, dict) else "")  # a tuple has no labels
                for n in units
            )
            for layer, units in layers.items()
        }
    )
