"""Figures of the article's sections on examples and on diversity, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import (
    Control,
    Figure,
    LayerUnits,
    PlaceGroup,
    units_of_layers,
)

__all__ = [
    "ACTIVATION_SPECTRUM",
    "DATASET_VS_OPTIMIZATION",
    "DIVERSITY_4A97",
    "DIVERSITY_4A143",
    "DIVERSITY_4E55",
    "DIVERSITY_5A9",
]

DATASET_VS_OPTIMIZATION = Figure(
    slug="dataset-vs-optimization",
    title="Examples and causes",
    caption=(
        "Examples from a dataset show what units respond to in practice. Optimization keeps what "
        "causes the response apart from what only comes with it."
    ),
    layout="table",
    groups=(PlaceGroup("", (LayerUnits("mixed4a", 4),)),),
    units=units_of_layers(
        mixed4a={
            6: "baseball, or stripes?",
            240: "animal faces, or snouts?",
            453: "clouds, or fluffiness?",
            492: "buildings, or sky?",
        }
    ),
    source="as in the article",
)

ACTIVATION_SPECTRUM = Figure(
    slug="activation-spectrum",
    title="From the lowest to the highest activation",
    caption=(
        "What makes a unit as negative as possible, and what makes it as positive as possible, "
        "with examples from a dataset between them."
    ),
    layout="table",
    groups=(
        PlaceGroup(
            "",
            (
                LayerUnits("mixed4a", 7),
                LayerUnits("mixed4b", 1),
                LayerUnits("mixed4d", 1),
                LayerUnits("mixed4e", 2),
            ),
        ),
    ),
    controls=(Control("unit", "Unit", (), 5),),
    units=units_of_layers(
        mixed4a=(6, 41, 143, 240, 449, 492, 499), mixed4b=(482,), mixed4d=(479,), mixed4e=(718, 819)
    ),
    source="as in the article",
)


def _diversity(slug: str, number: str, layer: str, unit: int, caption: str) -> Figure:
    return Figure(
        slug=slug,
        title=f"Facets of a unit, {number} example",
        caption=caption,
        layout="table",
        groups=(PlaceGroup("", (LayerUnits(layer, 1),)),),
        units=units_of_layers(**{layer: (unit,)}),
        source="as in the article",
    )


DIVERSITY_4A97 = _diversity(
    "diversity-4a97",
    "first",
    "mixed4a",
    97,
    "One optimization shows one facet of a unit. Four that are optimized together and pushed apart "
    "show several.",
)
DIVERSITY_4A143 = _diversity(
    "diversity-4a143",
    "second",
    "mixed4a",
    143,
    "What a single picture suggests may be only one case: pictures that are pushed apart keep what "
    "the unit needs, and let go of what it does not need.",
)
DIVERSITY_5A9 = _diversity(
    "diversity-5a9",
    "third",
    "mixed5a",
    9,
    "In late layers the facets are kinds of a thing. The push to differ can also add what has "
    "nothing to do with the unit.",
)
DIVERSITY_4E55 = _diversity(
    "diversity-4e55",
    "fourth",
    "mixed4e",
    55,
    "A unit may respond to several things that have nothing in common: it need not be the right "
    "part to look at by itself.",
)
