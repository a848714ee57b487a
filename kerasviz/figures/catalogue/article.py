"""The article's figures as data, in the article's order.

Layer names and unit numbers are those of the article's own network (Olah, Mordvintsev, Schubert,
"Feature Visualization", Distill 2017); ``kerasviz.figures.layout`` finds their counterparts in
other networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.catalogue.diversity import (
    ACTIVATION_SPECTRUM,
    DATASET_VS_OPTIMIZATION,
    DIVERSITY_4A97,
    DIVERSITY_4A143,
    DIVERSITY_4E55,
    DIVERSITY_5A9,
)
from kerasviz.figures.catalogue.figure import (
    ARTICLE_LAYERS,
    Column,
    Figure,
    LayerUnits,
    PlaceGroup,
    one_group,
)
from kerasviz.figures.catalogue.figure import units_of_layers as _units
from kerasviz.figures.catalogue.gradient_figures import (
    COLOR_DECORRELATION,
    FV_VS_ATTRIBUTION,
    GRADIENT_ARTIFACTS,
    REGULARIZATION_SPECTRUM,
    STEEPEST_DESCENT,
)
from kerasviz.figures.catalogue.interaction import (
    INTERPOLATION,
    NEURON_ARITHMETIC,
    RANDOM_DIRECTIONS,
)
from kerasviz.figures.catalogue.regularization import (
    FREQUENCY_PENALIZATION,
    NAIVE_NOISE,
    PRECONDITIONING,
    TRANSFORMATION_ROBUSTNESS,
)

HERO = Figure(
    slug="hero",
    title="From edges to objects",
    caption=(
        "What single channels respond to, from early layers to late ones: edges, textures, "
        "patterns, parts and objects. Each picture was optimized from random noise to activate "
        "one channel."
    ),
    layout="blocks",
    groups=(
        PlaceGroup("Edges", (LayerUnits("conv2d0", 6),)),
        PlaceGroup("Textures", (LayerUnits("mixed3a", 6),)),
        PlaceGroup("Patterns", (LayerUnits("mixed4a", 6),)),
        PlaceGroup("Parts", (LayerUnits("mixed4b", 3), LayerUnits("mixed4c", 3))),
        PlaceGroup("Objects", (LayerUnits("mixed4d", 3), LayerUnits("mixed4e", 3))),
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
    title="Progress of an optimization",
    caption=(
        "One optimization at four of its steps. It starts from random noise and follows the "
        "gradient of the channel objective."
    ),
    layout="sequence",
    groups=one_group(mixed4a=1),
    steps=(0, 4, 48, 2048),
    units=_units(mixed4a=(11,)),
    source="as in the article",
)

OBJECTIVES = Figure(
    slug="objectives",
    title="Neuron, channel, layer and class",
    caption=(
        "Different objectives show what different parts of the network look for: one neuron, a "
        "channel at all positions, a whole layer, or a class before or after the softmax."
    ),
    layout="columns",
    # Our choice: a layer that sees less than the picture, so that neuron and channel differ.
    groups=one_group(mixed3b=1),
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
    title="Channels of every layer",
    caption=(
        "Four channels of each layer, early layers first. Channels of late layers often respond "
        "to more than one kind of object."
    ),
    layout="rows",
    groups=tuple(PlaceGroup(layer[5:], (LayerUnits(layer, 4),)) for layer in ARTICLE_LAYERS[3:]),
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
    {
        figure.slug: figure
        for figure in (
            HERO,
            FV_VS_ATTRIBUTION,
            OPTIMIZATION_PROGRESS,
            OBJECTIVES,
            DATASET_VS_OPTIMIZATION,
            ACTIVATION_SPECTRUM,
            DIVERSITY_4A97,
            DIVERSITY_4A143,
            DIVERSITY_5A9,
            DIVERSITY_4E55,
            RANDOM_DIRECTIONS,
            NEURON_ARITHMETIC,
            INTERPOLATION,
            NAIVE_NOISE,
            GRADIENT_ARTIFACTS,
            REGULARIZATION_SPECTRUM,
            FREQUENCY_PENALIZATION,
            TRANSFORMATION_ROBUSTNESS,
            COLOR_DECORRELATION,
            STEEPEST_DESCENT,
            PRECONDITIONING,
            APPENDIX_OVERVIEW,
            APPENDIX_LAYER,
        )
    }
)
