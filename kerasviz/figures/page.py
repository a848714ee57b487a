"""The HTML pages of figures: one for each, and one that leads to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from kerasviz.figures.choice import Choice, Made, Tile
from kerasviz.figures.drawing import layers_line, spans
from kerasviz.figures.figure import Column, Figure
from kerasviz.figures.gradient_figures import WEAK
from kerasviz.figures.icons import icon, svg
from kerasviz.pages import PIXEL_ART, render_page

__all__ = ["figure_page", "set_page"]


def figure_page(choice: Choice, links: Mapping[Tile, str], pools: Set[Made] = frozenset()) -> str:
    """The page of a figure; ``links`` are its picture files as seen from the page.

    After ``pools`` the bar to the next picture is orange.
    """
    icons = {c.kind: svg(icon(c.kind), f"What is optimized: {c.title}") for c in _columns(choice)}
    height, width = choice.size
    return render_page(
        "figure.html",
        choice=choice,
        figure=choice.figure,
        links=links,
        pools=pools,
        icons=icons,
        brackets=[layers_line(block) for block in choice.blocks],
        size=(width, height),
        pixels=width < PIXEL_ART,
        columns=max((len(block.places) for block in choice.blocks), default=0),
        weak=WEAK,
        spans=spans(choice.heads),
    )


def _columns(choice: Choice) -> list[Column]:
    return [cell.column for cell in choice.cells if cell.column is not None]


def set_page(network: str, figures: Sequence[Figure], pictures: str) -> str:
    """The page that leads to the figures of a folder; ``pictures`` is the folder beside it."""
    return render_page("figures.html", network=network, figures=figures, pictures=pictures)
