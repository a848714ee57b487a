"""The figure of all units of a layer, as data."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS, Figure, LayerUnits, PlaceGroup

APPENDIX_LAYER = Figure(
    slug="appendix-layer",
    title="Units of a layer",
    caption=(
        "Each row shows one unit: its neuron objective, its channel objective, four diverse "
        "visualizations of the channel that were optimized together, and the negative channel "
        "objective."
    ),
    layout="layer",
    groups=(PlaceGroup("", tuple(LayerUnits(layer, 0) for layer in ARTICLE_LAYERS[3:])),),
    source="all units of a layer, as in the article's appendix",
)
