"""Figures of the thread "Circuits" as data.

Unit numbers are those of the articles' own network, InceptionV1 (Cammarata et al., "Circuits",
Distill 2020-21); in other networks units are found by how they are tuned.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kerasviz.figures.catalogue.figure import Figure, LayerUnits, PlaceGroup, one_group
from kerasviz.figures.catalogue.figure import units_of_layers as _units
from kerasviz.figures.catalogue.sections import Section

EARLY_VISION = Figure(
    slug="early-vision",
    title="Early vision, layer by layer",
    caption=(
        "What units of the first layers respond to. Early layers have edges, colours and "
        "gratings; lines, curves and boundaries of textures follow."
    ),
    layout="blocks",
    groups=(
        PlaceGroup("First layer", (LayerUnits("conv2d0", 10),)),
        PlaceGroup("Second layer", (LayerUnits("conv2d1", 10),)),
        PlaceGroup("Third layer", (LayerUnits("conv2d2", 10),)),
        PlaceGroup("Fourth layer", (LayerUnits("mixed3a", 10),)),
        PlaceGroup("Fifth layer", (LayerUnits("mixed3b", 10),)),
    ),
    units=_units(
        conv2d1=(30, 41, 55, 51, 16, 4, 46, 1, 33, 29),
        conv2d2=(180, 63, 39, 130, 182, 117, 171, 111, 119, 102),
        mixed3a=(104, 92, 145, 95, 163, 180, 153, 106, 214, 208),
        mixed3b=(379, 406, 385, 324, 340, 330, 349, 388, 342, 343),
    ),
    source="units that the articles on circuits name",
)

CURVE_DETECTORS = Figure(
    slug="curve-detectors",
    title="Curve detectors",
    caption=(
        "Units that respond to curves, in the order of the direction to which the curve bulges: 0° "
        "is to the right, 90° up. Those of the article's network cover all directions."
    ),
    layout="rows",
    groups=one_group(mixed3b=10),
    stimuli="curve",
    units=_units(
        mixed3b={
            343: "358°",
            342: "22.5°",
            388: "66.5°",
            324: "91.5°",
            340: "110°",
            330: "145°",
            349: "181°",
            379: "243°",
            406: "268.5°",
            385: "290°",
        }
    ),
    source="the curve detectors of the article, in the order of its directions",
)

HIGH_LOW = Figure(
    slug="high-low-frequency",
    title="High-low frequency detectors",
    caption=(
        "Units that respond where fine stripes on one side of a line meet coarse ones on the other "
        "side. The angle is that of the coarse side: 0° is to the right, 90° up."
    ),
    layout="rows",
    groups=one_group(mixed3a=10),
    stimuli="boundary",
    units=_units(mixed3a=(180, 153, 106, 112, 186, 132, 136, 117, 113, 108)),
    source="units of the article, in its order of weights",
)

ABLATED_CURVES = Figure(
    slug="ablated-curves",
    title="Curve detectors without their inputs",
    caption=(
        "How curve detectors respond to curves in all directions: as they are, without the units "
        "of the layer before that they are built from, and without as many others."
    ),
    layout="panels",
    groups=one_group(mixed3b=4),
    stimuli="curve",
    units=_units(mixed3b=(342, 340, 349, 379)),
    source="four of the article's curve detectors",
)

WEIGHT_BANDING = Figure(
    slug="weight-banding",
    title="Weight banding",
    caption=(
        "Where the weights of units lie. In the last layer of networks that average its map, the "
        "article found horizontal bands; a layer in the middle is the comparison."
    ),
    layout="panels",
    groups=(),
)

#: All figures by slug, in the order of the articles.
CIRCUITS: Mapping[str, Figure] = MappingProxyType(
    {
        figure.slug: figure
        for figure in (EARLY_VISION, CURVE_DETECTORS, HIGH_LOW, ABLATED_CURVES, WEIGHT_BANDING)
    }
)

#: The sections of the page of a set.
CIRCUITS_SECTIONS = (
    Section(
        "early-vision-section",
        "Early vision",
        "The units of early layers fall into a small number of families.",
        ("early-vision",),
    ),
    Section(
        "detectors",
        "Detectors and their directions",
        "Some families have the same detector in all directions. Where the network is not the "
        "articles' own, units were found by their responses to stimuli (kerasviz tune).",
        ("curve-detectors", "high-low-frequency", "ablated-curves"),
    ),
    Section(
        "weights-section",
        "Weights",
        "What lies between two layers has a structure of its own.",
        ("weight-banding",),
    ),
)
