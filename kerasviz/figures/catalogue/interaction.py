"""Figures of the article's section on the interaction between neurons, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import Control, Figure, one_group, units_of_layers

RANDOM_DIRECTIONS = Figure(
    slug="random-directions",
    title="Random directions",
    caption=(
        "Optimized pictures for random directions in the space of activations. Random directions "
        "often seem interpretable too, though less often than single neurons."
    ),
    layout="table",
    groups=one_group(mixed3a=1, mixed4c=1, mixed4d=1, mixed5a=1),
    # The article's vectors were picked by hand and are not published: these are the first four.
    seeds=True,
)

_FIRST = (
    ("mixed4b", 111),
    ("mixed3a", 139),
    ("mixed3b", 81),
    ("mixed4a", 97),
    ("mixed4a", 41),
    ("mixed4a", 479),
)
_SECOND = (
    ("mixed4a", 476),
    ("mixed4b", 360),
    ("mixed4b", 482),
    ("mixed4c", 440),
    ("mixed4d", 479),
    ("mixed4e", 718),
)

NEURON_ARITHMETIC = Figure(
    slug="neuron-arithmetic",
    title="Neuron arithmetic",
    caption=(
        "Sums of two units as the objective, with equal weights. Each of six units is combined "
        "with each of six others."
    ),
    layout="sums",
    groups=one_group(mixed3a=1, mixed3b=1, mixed4a=4, mixed4b=3, mixed4c=1, mixed4d=1, mixed4e=1),
    controls=(Control("unit", "First unit", (), 4), Control("unit", "Second unit")),
    pairs=tuple(zip(_FIRST, _SECOND, strict=True)),
    units=units_of_layers(
        mixed3a={139: "pointillist"},
        mixed3b={81: "brush strokes"},
        mixed4a={97: "wavy", 41: "frames", 479: "black and white", 476: "art"},
        mixed4b={111: "large fluffy", 360: "lattices", 482: "arcs"},
        mixed4c={440: "small fluffy"},
        mixed4d={479: "bird beaks"},
        mixed4e={718: "shoulders"},
    ),
    source="the twelve units of the authors' notebook; the article does not name its own",
)

INTERPOLATION = Figure(
    slug="interpolation",
    title="Interpolation between units",
    caption=(
        "Objectives between two units, in equal steps. The pictures are optimized together and "
        "share a part of their parameterization, so that features keep their place."
    ),
    layout="table",
    # Neighbours are aligned at mixed3b.
    groups=one_group(mixed3b=0, mixed4a=4, mixed4b=1, mixed4c=1, mixed4d=1, mixed5a=3),
    pairs=(
        (("mixed4a", 476), ("mixed4a", 455)),
        (("mixed4a", 476), ("mixed4a", 460)),
        (("mixed4a", 460), ("mixed4a", 501)),
        (("mixed4b", 475), ("mixed4a", 476)),
        (("mixed4c", 369), ("mixed4a", 476)),
        (("mixed4d", 503), ("mixed5a", 791)),
        (("mixed4d", 503), ("mixed5a", 810)),
        (("mixed5a", 810), ("mixed5a", 200)),
        (("mixed5a", 810), ("mixed5a", 791)),
    ),
    units=units_of_layers(
        mixed4a=(476, 455, 460, 501),
        mixed4b=(475,),
        mixed4c=(369,),
        mixed4d=(503,),
        mixed5a=(791, 810, 200),
    ),
    source="as in the article",
)
