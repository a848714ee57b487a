"""Catalogues of several articles."""

from __future__ import annotations

import pytest

from kerasviz.figures import CATALOGUE, FIGURES
from kerasviz.figures.catalogue.articles import ARTICLES, article_of
from kerasviz.types import ArticleName


def test_every_figure_is_in_one_article_and_in_one_of_its_sections():
    assert len(FIGURES) == sum(len(article.figures) for article in ARTICLES.values())
    for article in ARTICLES.values():
        assert [slug for s in article.sections for slug in s.slugs] == list(article.figures)
    assert set(ARTICLES) == set(ArticleName.__args__)
    assert set(CATALOGUE) == set(ARTICLES["feature-visualization"].figures)


@pytest.mark.parametrize("slug", ["hero", "early-vision"])
def test_the_article_of_a_figure(slug):
    assert slug in article_of(slug).figures


def test_units_of_the_articles_network_are_those_of_their_layers():
    widths = {"conv2d1": 64, "conv2d2": 192, "mixed3a": 256, "mixed3b": 480}
    for figure in ARTICLES["circuits"].figures.values():
        tiles = {place.layer: place.tiles for place in figure.places}
        for layer, units in figure.units.items():
            assert len({unit.number for unit in units}) == tiles[layer] == len(units)
            assert all(unit.number < widths[layer] for unit in units)
