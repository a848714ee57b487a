"""Layouts: choose layers, units and classes for figures of a network."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.errors import ModelError, UsageError
from kerasviz.figures.catalogue.figure import Control, Figure
from kerasviz.figures.layout.ablated_tuning import ablated
from kerasviz.figures.layout.appendix import APPENDIX
from kerasviz.figures.layout.arrangements import columns, groups, sequence
from kerasviz.figures.layout.building_blocks import BUILDING_BLOCKS_TABLES
from kerasviz.figures.layout.context import FigureOptions, resolve
from kerasviz.figures.layout.example_panels import leave_out_empty, without_examples
from kerasviz.figures.layout.gradient_tables import GRADIENT_TABLES
from kerasviz.figures.layout.small_atlases import ATLAS_TABLES
from kerasviz.figures.layout.tables import TABLES
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.figures.layout.tuned_units import TUNED
from kerasviz.figures.layout.weight_bands import bands
from kerasviz.rendering.batching import make_batches

_BUILDERS = {
    **TABLES,
    **GRADIENT_TABLES,
    **APPENDIX,
    **TUNED,
    **BUILDING_BLOCKS_TABLES,
    "weight-banding": bands,
    "ablated-curves": ablated,
    **ATLAS_TABLES,
}


def choose(figure: Figure, options: FigureOptions) -> FigureLayout:
    """Choose layers and units for a figure and say how they were chosen.

    Layers are found by name or alias, else by depth. Units are the article's for the article's own
    network, else those that the model card lists, else evenly spaced over the channels. Raises
    :class:`UsageError` where the network has no layer with positions.
    """
    context = resolve(figure, options)
    column_titles: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    build = _BUILDERS.get(figure.slug)
    if build is not None:
        blocks, column_titles, controls, more = build(context)
    elif figure.columns:
        blocks, more = columns(context)
    elif figure.steps:
        blocks, more = sequence(context)
    else:
        blocks, more = groups(context)
    lacking = without_examples(options.net, blocks)
    if not any(block.columns for block in blocks):  # in a grid, places count
        blocks, column_titles = leave_out_empty(blocks, column_titles)
    return FigureLayout(
        figure,
        options.net.name,
        options.recipe.size,
        blocks,
        (*context.notes, *more, *lacking),
        column_titles,
        controls,
        lacks_examples=bool(lacking),
    )


def choose_all(
    figures: Sequence[Figure], options: FigureOptions
) -> tuple[list[FigureLayout], dict[str, str]]:
    """Lay out the figures that the network can have; return why it cannot have the others."""
    layouts: list[FigureLayout] = []
    failed: dict[str, str] = {}
    for figure in figures:
        try:
            layout = choose(figure, options)
            make_batches(options.net, layout.requests)
        except (ModelError, UsageError) as error:
            failed[figure.slug] = str(error)
        else:
            layouts.append(layout)
    return layouts, failed
