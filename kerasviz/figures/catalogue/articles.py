"""The articles whose figures are drawn, each with its catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kerasviz.figures.catalogue.activation_atlas import ATLAS_SECTIONS, ATLASES
from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.catalogue.building_blocks import BUILDING_BLOCKS, BUILDING_BLOCKS_SECTIONS
from kerasviz.figures.catalogue.circuits import CIRCUITS, CIRCUITS_SECTIONS
from kerasviz.figures.catalogue.figure import Figure
from kerasviz.figures.catalogue.sections import SECTIONS, Section


@dataclass(frozen=True)
class SourceArticle:
    """Hold an article: its title, authors, address and year, its figures by slug, and sections."""

    title: str
    authors: str
    address: str
    year: str
    figures: Mapping[str, Figure]
    sections: tuple[Section, ...]


#: The articles by name.
ARTICLES: Mapping[str, SourceArticle] = MappingProxyType(
    {
        "feature-visualization": SourceArticle(
            "Feature Visualization",
            "Olah, Mordvintsev and Schubert",
            "https://doi.org/10.23915/distill.00007",
            "2017",
            CATALOGUE,
            SECTIONS,
        ),
        "circuits": SourceArticle(
            "Circuits",
            "Cammarata and others",
            "https://doi.org/10.23915/distill.00024",
            "2020",
            CIRCUITS,
            CIRCUITS_SECTIONS,
        ),
        "building-blocks": SourceArticle(
            "The Building Blocks of Interpretability",
            "Olah and others",
            "https://doi.org/10.23915/distill.00010",
            "2018",
            BUILDING_BLOCKS,
            BUILDING_BLOCKS_SECTIONS,
        ),
        "activation-atlas": SourceArticle(
            "Activation Atlas",
            "Carter and others",
            "https://doi.org/10.23915/distill.00015",
            "2019",
            ATLASES,
            ATLAS_SECTIONS,
        ),
    }
)

#: The figures of all articles by slug.
FIGURES: Mapping[str, Figure] = MappingProxyType(
    {slug: figure for article in ARTICLES.values() for slug, figure in article.figures.items()}
)


def article_of(slug: str) -> SourceArticle:
    """Return the article that a figure is from, the first one for others.

    >>> article_of("curve-detectors").title
    'Circuits'
    """
    first, *_ = ARTICLES.values()
    return next((article for article in ARTICLES.values() if slug in article.figures), first)
