"""The HTML pages of figures: one for each, and one with all of them, as an article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup

from kerasviz.figures.catalogue.articles import ARTICLES, article_of
from kerasviz.figures.catalogue.figure import Column, Figure
from kerasviz.figures.catalogue.gradient_figures import WEAK
from kerasviz.figures.catalogue.sections import Section
from kerasviz.figures.drawing.drawing import layers_line, spans
from kerasviz.figures.drawing.icons import icon, svg
from kerasviz.figures.layout.tiles import FigureLayout, Tile
from kerasviz.figures.site.controls import controls_of, rows_of
from kerasviz.rendering.pages import PIXEL_ART, render_page

#: The comments around a figure on its page; the page of the set copies what is between.
BEGIN, END = Markup("<!-- figure -->"), Markup("<!-- end of figure -->")


@dataclass(frozen=True)
class Fact:
    """State score, steps and seed of a picture in one line, and its command, or ""."""

    line: str
    command: str = ""


@dataclass(frozen=True)
class PictureFacts:
    """Hold the facts of a figure's pictures, and the command that makes the figure again, or ""."""

    facts: Mapping[Tile, Fact] = field(default_factory=dict)
    command: str = ""


NOTHING_KNOWN = PictureFacts()


def figure_page(
    layout: FigureLayout,
    links: Mapping[Tile, str],
    sizes: Mapping[Tile, tuple[int, int]],
    pools: Mapping[Tile, str] = MappingProxyType({}),
    origins: PictureFacts = NOTHING_KNOWN,
) -> str:
    """Write the page of a figure.

    ``links`` are its picture files relative to the page, ``sizes`` their (width, height) in
    pixels. After ``pools`` the maps become smaller, by a ``pool`` or a ``stride``.
    """
    icons = {c.kind: svg(icon(c.kind), f"What is optimized: {c.title}") for c in _columns(layout)}
    rows, initial = rows_of(layout)
    controls = controls_of(layout)
    steps = bool(layout.figure.steps and controls)
    body = render_page(
        "figure_body.html",
        layout=layout,
        figure=layout.figure,
        links=links,
        facts=origins.facts,
        command=origins.command,
        pools=pools,
        icons=icons,
        brackets=[layers_line(block) for block in layout.blocks],
        sizes=sizes,
        smallest=PIXEL_ART,
        blocks=rows,
        initial=initial,
        controls=controls,
        steps=steps,
        columns=max((len(block.places) for block in layout.blocks), default=0),
        sided=not controls and any(block.title for block in layout.blocks),
        zero="Slightly negative" in layout.column_titles,
        weak=WEAK,
        spans=spans(layout.column_titles),
    )
    return render_page(
        "figure.html",
        layout=layout,
        figure=layout.figure,
        article=article_of(layout.figure.slug),
        body=Markup(body),
        begin=BEGIN,
        end=END,
    )


def _columns(layout: FigureLayout) -> list[Column]:
    return [tile.column for tile in layout.optimized if tile.column is not None]


@dataclass(frozen=True)
class _PageEntry:
    """Hold a figure on the page of the set: its body, or ``None`` for a link to its page."""

    figure: Figure
    body: Markup | None


def set_page(network: str, figures: Sequence[Figure], out: Path, pictures: str) -> str:
    """Write the page of a set: every figure with its caption, in sections.

    ``out`` is the folder with the pages of the figures; ``pictures`` is the folder of single
    pictures in it.
    """
    entries = {figure.slug: _PageEntry(figure, _held(out, figure)) for figure in figures}
    articles = [a for a in ARTICLES.values() if any(slug in a.figures for slug in entries)]
    of_articles = [section for article in articles for section in article.sections]
    known = [slug for section in of_articles for slug in section.slugs]
    others = Section("others", "More figures", "", tuple(s for s in entries if s not in known))
    sections = [
        (section, [entries[slug] for slug in section.slugs if slug in entries])
        for section in (*of_articles, others)
    ]
    return render_page(
        "figures.html",
        network=network,
        articles=articles,
        sections=[(section, found) for section, found in sections if found],
        pictures=pictures,
    )


def _held(out: Path, figure: Figure) -> Markup | None:
    """Return the body of a figure's page, which an earlier run may have written."""
    page = (out / f"{figure.slug}.html").read_text(encoding="utf-8")
    _, found, rest = page.partition(BEGIN)
    body, ended, _ = rest.partition(END)
    return Markup(body) if found and ended else None
