"""The units that the article names, in its own network with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import inception5h
from support.inception5h import CHANNELS

import kerasviz
from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions, resolve
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe

#: Where the article names fewer units than there are pictures: how many it names.
FEWER = {("hero", "conv2d0"): 0, ("hero", "mixed3a"): 5}
#: Figures whose numbers are the seeds of random directions, no units.
SEEDS = {"random-directions"}


@pytest.fixture(scope="module")
def order(inception5h_file: Path) -> FigureOptions:
    """The network itself, no outline; it is not run."""
    with inception5h.known(inception5h.known_card(), inception5h_file.parents[2]):
        net: Network = kerasviz.load("inceptionv1")
    return FigureOptions(net, recipe("fast"))


@pytest.fixture(autouse=True)
def _known(inceptionv1: str) -> None:
    """Figures look its card up."""


@pytest.mark.parametrize("slug", [slug for slug in CATALOGUE if slug not in SEEDS])
def test_every_unit_exists_and_is_the_one_that_is_chosen(slug: str, order: FigureOptions) -> None:
    figure = CATALOGUE[slug]
    numbers = {layer: [u.number for u in units] for layer, units in figure.units.items()}
    for layer, found in numbers.items():
        assert order.net.taps[layer].channels == CHANNELS[layer]
        assert len(set(found)) == len(found)
        assert all(0 <= number < CHANNELS[layer] for number in found), layer
    for pair in figure.pairs:
        assert all(number in numbers[layer] for layer, number in pair)
    setting = resolve(figure, order)
    shown = [place for place in figure.places if place.tiles]
    assert list(setting.units) == [place.layer for place in shown]
    for place in shown:
        chosen = setting.units[place.layer]
        assert setting.taps[place.layer] == place.layer
        assert len(chosen.units) == place.tiles
        named = FEWER.get((slug, place.layer), place.tiles)
        assert chosen.units[:named] == figure.units.get(place.layer, ())
        origins = (
            {"article"} if named == place.tiles else {"article", "rule"} if named else {"rule"}
        )
        assert chosen.sources == origins


@pytest.mark.parametrize("slug", [slug for slug in CATALOGUE if slug not in SEEDS])
def test_pictures_are_of_the_units_of_the_article(slug: str, order: FigureOptions) -> None:
    figure = CATALOGUE[slug]
    named = {(layer, u.number) for layer, units in figure.units.items() for u in units}
    cells = choose(figure, order).optimized
    terms = {term for cell in cells for term in cell.request.objective.terms}
    drawn = {(t.tap, t.unit) for t in terms if t.kind == "channel"}
    assert named <= drawn
    if slug == "hero":
        assert len(drawn - named) == 6 + 1
    elif figure.units:
        assert drawn == named


def test_the_class_is_found_by_its_label(order: FigureOptions) -> None:
    cells = choose(CATALOGUE["objectives"], order).optimized
    assert [cell.request.text for cell in cells][3:] == ["logit:97", "prob:97"]
