"""Figures of "The Building Blocks of Interpretability" (Olah et al., Distill 2018) as data.

The article's interfaces are about one photo; here they are about the first of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kerasviz.figures.catalogue.figure import Figure, one_group
from kerasviz.figures.catalogue.sections import Section

SEMANTIC_DICTIONARY = Figure(
    slug="semantic-dictionary",
    title="A semantic dictionary",
    caption=(
        "A position of a layer is a vector of numbers, one for each unit. The pictures of the "
        "units that are most active there say what the numbers mean."
    ),
    layout="panels",
    groups=(),
)

ACTIVATION_GRID = Figure(
    slug="activation-grid",
    title="What the network sees at each position",
    caption=(
        "Each cell shows what the activations of a position look for together, all units at once "
        "and as strongly as they are active."
    ),
    layout="grids",
    groups=(),
)

GRIDS_OF_LAYERS = Figure(
    slug="activation-grid-layers",
    title="What the network sees, layer by layer",
    caption=(
        "Activation grids of several layers. The side of an icon is the length of the activation "
        "vector, as a share of the longest one of the layer."
    ),
    layout="grids",
    groups=one_group(mixed3b=0, mixed4b=0, mixed4d=0, mixed5a=0),
)

SPATIAL_ATTRIBUTION = Figure(
    slug="spatial-attribution",
    title="Which positions speak for a class",
    caption=(
        "What the positions of layers contribute to the logits of two classes: orange raises a "
        "logit, blue lowers it."
    ),
    layout="panels",
    groups=one_group(mixed3b=0, mixed4b=0, mixed4d=0, mixed5a=0),
)

CHANNEL_ATTRIBUTION = Figure(
    slug="channel-attribution",
    title="Which units speak for a class, and against it",
    caption=(
        "The units of a layer that raise the logits of two classes most, and those that lower them "
        "most, with what they contribute."
    ),
    layout="panels",
    groups=(),
)

NEURON_GROUPS = Figure(
    slug="neuron-groups",
    title="Groups of units that act together",
    caption=(
        "The activations of a layer as a sum of few groups, each with a place in the photo and a "
        "picture, and with what the group contributes to the class that the network sees."
    ),
    layout="panels",
    groups=one_group(mixed4d=0, mixed5a=0),
)

#: All figures by slug, in the order of the article.
BUILDING_BLOCKS: Mapping[str, Figure] = MappingProxyType(
    {
        figure.slug: figure
        for figure in (
            SEMANTIC_DICTIONARY,
            ACTIVATION_GRID,
            GRIDS_OF_LAYERS,
            SPATIAL_ATTRIBUTION,
            CHANNEL_ATTRIBUTION,
            NEURON_GROUPS,
        )
    }
)

#: The sections of the page of a set.
BUILDING_BLOCKS_SECTIONS = (
    Section(
        "dictionaries",
        "Making sense of hidden layers",
        "Pictures of units stand in the place of their numbers.",
        ("semantic-dictionary", "activation-grid", "activation-grid-layers"),
    ),
    Section(
        "attribution-section",
        "What decides",
        "A logit is attributed to positions and to units of earlier layers.",
        ("spatial-attribution", "channel-attribution"),
    ),
    Section(
        "groups-section",
        "A human scale",
        "Few groups stand for hundreds of units.",
        ("neuron-groups",),
    ),
)
