"""Figures of "Activation Atlas" (Carter et al., Distill 2019) as data, for some photos."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kerasviz.figures.catalogue.figure import Figure
from kerasviz.figures.catalogue.sections import Section

ATLAS_GRIDS = Figure(
    slug="atlas-grids",
    title="An activation atlas, coarse and fine",
    caption=(
        "Activations of many positions, laid out so that like ones are neighbours. An icon shows "
        "what the mean of a cell looks for; its area grows with the number of activations."
    ),
    layout="grids",
    groups=(),
)

ATLAS_OF_A_CLASS = Figure(
    slug="atlas-of-a-class",
    title="The cells of a class",
    caption=(
        "The activations that speak for a class, with a layout of their own: the more a cell "
        "contributes to the logit, the larger its icon. The examples are parts of the photos where "
        "the strongest cells are from."
    ),
    layout="grids",
    groups=(),
)

ATLAS_OF_TWO_CLASSES = Figure(
    slug="atlas-of-two-classes",
    title="What tells two classes apart",
    caption=(
        "Activations that speak for either of two classes, from those that speak for the first to "
        "those that speak for the second."
    ),
    layout="grids",
    groups=(),
)

#: All figures by slug, in the order of the article.
ATLASES: Mapping[str, Figure] = MappingProxyType(
    {figure.slug: figure for figure in (ATLAS_GRIDS, ATLAS_OF_A_CLASS, ATLAS_OF_TWO_CLASSES)}
)

#: The sections of the page of a set.
ATLAS_SECTIONS = (
    Section(
        "atlas-section",
        "Looking at many activations",
        "A layer at many positions of many photos, as one map.",
        ("atlas-grids",),
    ),
    Section(
        "atlas-classes",
        "Classes on the map",
        "What speaks for a class, and what tells it from another.",
        ("atlas-of-a-class", "atlas-of-two-classes"),
    ),
)
