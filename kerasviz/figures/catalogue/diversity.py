"""Figures of the article's sections on dataset examples and on diversity, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import Control, Figure, one_group, units_of_layers

DATASET_VS_OPTIMIZATION = Figure(
    slug="dataset-vs-optimization",
    title="What causes a response",
    caption=(
        "Dataset examples above show what each unit responds to in practice. Optimized pictures "
        "below isolate what causes the response."
    ),
    caption_without_examples=(
        "Optimized pictures isolate what causes the response of each unit. They leave out what "
        "merely occurs together with it in photos."
    ),
    layout="table",
    groups=one_group(mixed4a=4),
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
    title="From negative to positive activations",
    caption=(
        "The optimized pictures with the most negative and the most positive activation of a unit, "
        "with dataset examples between them in the order of their activations."
    ),
    caption_without_examples=(
        "For each unit the optimized picture with the most negative activation on the left and "
        "that with the most positive one on the right. What a unit avoids differs in kind from "
        "what it looks for."
    ),
    layout="table",
    groups=one_group(mixed4a=7, mixed4b=1, mixed4d=1, mixed4e=2),
    controls=(Control("unit", "Unit", (), 5),),
    units=units_of_layers(
        mixed4a=(6, 41, 143, 240, 449, 492, 499), mixed4b=(482,), mixed4d=(479,), mixed4e=(718, 819)
    ),
    source="as in the article",
)


def _diversity(slug: str, title: str, layer: str, unit: int, caption: str) -> Figure:
    return Figure(
        slug=slug,
        title=title,
        caption=caption,
        layout="table",
        groups=one_group(**{layer: 1}),
        units=units_of_layers(**{layer: (unit,)}),
        source="as in the article",
    )


DIVERSITY_4A97 = _diversity(
    "diversity-4a97",
    "Diverse pictures of one unit",
    "mixed4a",
    97,
    "Simple optimization shows one facet of a unit. With a diversity term, four pictures that are "
    "optimized together show several.",
)
DIVERSITY_4A143 = _diversity(
    "diversity-4a143",
    "What diverse pictures have in common",
    "mixed4a",
    143,
    "A single picture may mislead. What all diverse pictures share is needed to activate the unit; "
    "what only one of them shows is not.",
)
DIVERSITY_5A9 = _diversity(
    "diversity-5a9",
    "Diverse pictures in a late layer",
    "mixed5a",
    9,
    "In late layers, diverse pictures can show several kinds of an object. The diversity term can "
    "also add details that the unit does not respond to.",
)
DIVERSITY_4E55 = _diversity(
    "diversity-4e55",
    "A unit with several meanings",
    "mixed4e",
    55,
    "A unit may respond to several unrelated things. Single neurons are then not the right units "
    "for understanding the network.",
)
