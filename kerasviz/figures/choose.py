"""The choice of layers, units and classes for a figure of a given network."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.batches import plan
from kerasviz.errors import ModelError, UsageError
from kerasviz.figures.appendix import APPENDIX
from kerasviz.figures.arrangements import columns, groups, sequence
from kerasviz.figures.choice import Choice
from kerasviz.figures.figure import Control, Figure
from kerasviz.figures.gradient_tables import GRADIENT_TABLES
from kerasviz.figures.setting import Order, settle
from kerasviz.figures.tables import TABLES

__all__ = ["choose", "choose_all"]


def choose(figure: Figure, order: Order) -> Choice:
    """Choose layers and units for a figure and say how they were chosen.

    Layers are found by name or alias, else by depth. Units are the article's for the article's own
    network, else those that the model card lists, else evenly spaced over the channels. Raises
    :class:`UsageError` where the network has no layer with positions.
    """
    setting = settle(figure, order)
    heads: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    build = {**TABLES, **GRADIENT_TABLES, **APPENDIX}.get(figure.slug)
    if build is not None:
        blocks, heads, controls, more = build(setting)
    elif figure.columns:
        blocks, more = columns(setting)
    elif figure.steps:
        blocks, more = sequence(setting)
    else:
        blocks, more = groups(setting)
    return Choice(
        figure,
        order.net.name,
        order.recipe.size,
        blocks,
        (*setting.notes, *more),
        heads,
        controls,
    )


def choose_all(figures: Sequence[Figure], order: Order) -> tuple[list[Choice], dict[str, str]]:
    """Choose for figure after figure: those that the network can have, and why not the others."""
    choices: list[Choice] = []
    failed: dict[str, str] = {}
    for figure in figures:
        try:
            choice = choose(figure, order)
            plan(order.net, choice.requests)
        except (ModelError, UsageError) as error:
            failed[figure.slug] = str(error)
        else:
            choices.append(choice)
    return choices, failed
