"""The layer whose units the appendix shows."""

from __future__ import annotations

from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS, Figure, LayerUnits, PlaceGroup

__all__ = ["APPENDIX_LAYER"]


APPENDIX_LAYER = Figure(
    slug="appendix-layer",
    title="Every unit of a layer",
    caption=(
        "One row for each unit: what makes a single neuron active, what makes the channel active "
        "at all positions, four facets of it that are optimized together, and what makes the "
        "channel as negative as possible."
    ),
    layout="layer",
    groups=(PlaceGroup("", tuple(LayerUnits(layer, 0) for layer in ARTICLE_LAYERS[3:])),),
    source="all units of a layer, as in the article's appendix",
)
