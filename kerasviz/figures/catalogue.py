"""The article's figures as data: what they show, in which order, and from which layers.

Layer names and unit numbers are those of the article's own network (Olah, Mordvintsev, Schubert,
"Feature Visualization", Distill 2017); :mod:`kerasviz.figures.choice` finds the like in others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["ARTICLE_LAYERS", "CATALOGUE", "Column", "Figure", "Group", "Place", "Unit"]

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
class Place:
    """A layer of the article's network, and how many of its units a figure shows."""

    layer: str
    tiles: int


@dataclass(frozen=True)
class Group:
    """Pictures that stand together under one title."""

    title: str
    places: tuple[Place, ...]


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
class Figure:
    """A figure: ``layout`` is ``blocks``, ``sequence``, ``columns`` or ``rows``.

    ``steps`` are the moments that a sequence shows, ``columns`` the objectives side by side,
    ``legend`` explains their letters. ``units`` are the units for the article's own network;
    ``source`` says where they come from.
    """

    slug: str
    title: str
    caption: str
    layout: str
    groups: tuple[Group, ...]
    steps: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    units: Mapping[str, tuple[Unit, ...]] = field(default_factory=dict, hash=False)
    source: str = ""

    @property
    def places(self) -> tuple[Place, ...]:
        """The layers of all groups, in order."""
        return tuple(place for group in self.groups for place in group.places)


def _units(**layers: tuple[int, ...] | dict[int, str]) -> Mapping[str, tuple[Unit, ...]]:
    return MappingProxyType(
        {
            layer: tuple(
                Unit(n, units[n] if isinstance(units, dict) else "")  # a tuple has no labels
                for n in units
            )
            for layer, units in layers.items()
        }
    )


HERO = Figure(
    slug="hero",
    title="From edges to objects",
    caption=(
        "What single channels respond to, from the first layers to the late ones: edges, then "
        "textures, patterns, parts of things and whole things. Every picture was optimized from "
        "noise until one channel was as active as possible."
    ),
    layout="blocks",
    groups=(
        Group("Edges", (Place("conv2d0", 6),)),
        Group("Textures", (Place("mixed3a", 6),)),
        Group("Patterns", (Place("mixed4a", 6),)),
        Group("Parts", (Place("mixed4b", 3), Place("mixed4c", 3))),
        Group("Objects", (Place("mixed4d", 3), Place("mixed4e", 3))),
    ),
    # The article's own thirty are not recorded anywhere: these are units that it names elsewhere.
    units=_units(
        mixed3a=(43, 61, 139, 230, 239),
        mixed4a=(6, 41, 97, 143, 476, 492),
        mixed4b=(465, 475, 504),
        mixed4c=(211, 449, 450),
        mixed4d=(28, 229, 516),
        mixed4e=(167, 547, 815),
    ),
    source="our choice from the units that the article, its appendix and its notebooks name",
)

OPTIMIZATION_PROGRESS = Figure(
    slug="optimization-progress",
    title="From noise to a picture",
    caption=(
        "One optimization at four moments. It starts from random noise and takes small steps "
        "towards whatever makes the channel more active."
    ),
    layout="sequence",
    groups=(Group("", (Place("mixed4a", 1),)),),
    steps=(0, 4, 48, 2048),
    units=_units(mixed4a=(11,)),
    source="as in the article",
)

OBJECTIVES = Figure(
    slug="objectives",
    title="What is made large",
    caption=(
        "The same procedure answers different questions, depending on which numbers inside the "
        "network it makes large: one neuron, a channel at all positions, all of a layer, or a "
        "class before or after the softmax."
    ),
    layout="columns",
    # Our choice: a layer that sees less than the picture, so that neuron and channel differ.
    groups=(Group("", (Place("mixed3b", 1),)),),
    columns=(
        Column("neuron", "Neuron", "layer_n[x,y,z]"),
        Column("channel", "Channel", "layer_n[:,:,z]"),
        Column("layer", "Layer / DeepDream", "layer_n[:,:,:]^2"),
        Column("logit", "Class logits", "pre_softmax[k]"),
        Column("probability", "Class probability", "softmax[k]"),
    ),
    legend=(
        ("n", "layer index"),
        ("x,y", "spatial position"),
        ("z", "channel index"),
        ("k", "class index"),
    ),
    units=_units(mixed3b=(81,)),
    source="our choice; the article does not say which unit it shows",
)

APPENDIX_OVERVIEW = Figure(
    slug="appendix-overview",
    title="Four channels of every layer",
    caption=(
        "A walk through the network, one row for each layer, early layers first. Pictures of late "
        "layers mix more and more things: a channel is seldom about one of them."
    ),
    layout="rows",
    groups=tuple(Group(layer[5:], (Place(layer, 4),)) for layer in ARTICLE_LAYERS[3:]),
    units=_units(
        mixed3a=(43, 61, 230, 239),
        mixed3b=(7, 462, 470, 472),
        mixed4a={500: "bookshelves", 501: "dog eyes", 503: "text, rivets", 505: "birds"},
        mixed4b={4: "architecture", 9: "fluffy rope", 465: "trees", 504: "billiard balls"},
        mixed4c={211: "palm trees", 449: "wheels", 484: "dogs on leash", 509: "houses"},
        mixed4d={28: "dog snouts", 146: "primates", 229: "snake heads", 516: "restaurant dishes"},
        mixed4e={
            167: "turtle shells",
            547: "ice cream & bread",
            809: "cat fur",
            815: "sombreros",
        },
        mixed5a={4: "candles", 9: "balls", 132: "brass instruments", 557: "traffic lights"},
        mixed5b=(17, 23, 357, 806),
    ),
    source="the units and labels of the article's appendix",
)

#: All figures by slug, in the article's order.
CATALOGUE: Mapping[str, Figure] = MappingProxyType(
    {f.slug: f for f in (HERO, OPTIMIZATION_PROGRESS, OBJECTIVES, APPENDIX_OVERVIEW)}
)
