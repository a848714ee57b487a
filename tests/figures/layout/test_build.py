"""What figures show of networks of different kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import pytest
from support import tiny

from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.figures.layout import units as units_module
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions, moments
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.figures.layout.units import evenly_spaced
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe
from kerasviz.zoo import card

FAST = recipe("fast")
ARTICLE_CHANNELS = (64, 64, 192, 256, 480, 508, 512, 512, 528, 832, 832, 1024)

NetworkOf = Callable[..., Network]


@pytest.fixture
def article(network_of: NetworkOf) -> Network:
    """The outline of the article's own network."""
    own = card("inceptionv1")
    layers = dict(zip(ARTICLE_LAYERS, ARTICLE_CHANNELS, strict=True))
    return network_of(layers, classes=1008, name=own.name, sha256=own.sha256)


def units_of(choice: FigureLayout) -> dict[str, list[int | None]]:
    return {b.layers[0]: [c.unit for c in b.optimized] for b in choice.blocks}


def notes_of(choice: FigureLayout) -> str:
    return " ".join(choice.notes)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 3, 4, 6])
@pytest.mark.parametrize("channels", [1, 2, 5, 6, 7, 64, 1001])
def test_evenly_spaced_units_differ_and_lie_in_equal_parts(
    count: int, channels: int, turn: int
) -> None:
    found = evenly_spaced(count, channels, turn)
    n = min(count, channels)
    assert len(set(found)) == n == len(found)
    offset = (Fraction(1, 2), Fraction(1, 6), Fraction(5, 6))[turn % 3]
    for i, unit in enumerate(found):
        assert unit == math.floor((i + offset) * channels / n)
        assert math.floor(Fraction(i * channels, n)) <= unit < (i + 1) * channels / n


def test_neighbouring_layers_do_not_show_the_same_units(network_of: NetworkOf) -> None:
    """In a residual network a unit shows nearly the same picture in every layer."""
    net = network_of({f"block{i}": 112 for i in range(18)})
    for slug in ("hero", "appendix-overview"):
        terms = [
            c.request.objective.terms[0]
            for c in choose(CATALOGUE[slug], FigureOptions(net, FAST)).optimized
        ]
        shown: dict[str, set[int | None]] = {}
        for term in terms:
            shown.setdefault(term.tap, set()).add(term.unit)
        sets = list(shown.values())
        assert all(not a & b for a, b in pairwise(sets))


def test_the_article_s_network_shows_the_article_s_units(article: Network) -> None:
    rows = choose(CATALOGUE["appendix-overview"], FigureOptions(article, FAST))
    assert units_of(rows) == {
        "mixed3a": [43, 61, 230, 239],
        "mixed3b": [7, 462, 470, 472],
        "mixed4a": [500, 501, 503, 505],
        "mixed4b": [4, 9, 465, 504],
        "mixed4c": [211, 449, 484, 509],
        "mixed4d": [28, 146, 229, 516],
        "mixed4e": [167, 547, 809, 815],
        "mixed5a": [4, 9, 132, 557],
        "mixed5b": [17, 23, 357, 806],
    }
    assert "dog snouts" in [cell.label for cell in rows.optimized]
    assert "article's appendix" in notes_of(rows)
    progress = choose(CATALOGUE["optimization-progress"], FigureOptions(article, FAST))
    assert {c.request.text for c in progress.optimized} == {"mixed4a:11"}


def test_hero_has_five_groups_of_six_in_the_article_s_layers(article: Network) -> None:
    hero = choose(CATALOGUE["hero"], FigureOptions(article, FAST))
    assert [b.title for b in hero.blocks] == ["Edges", "Textures", "Patterns", "Parts", "Objects"]
    assert [b.layers for b in hero.blocks] == [
        ("conv2d0",),
        ("mixed3a",),
        ("mixed4a",),
        ("mixed4b", "mixed4c"),
        ("mixed4d", "mixed4e"),
    ]
    assert [len(b.optimized) for b in hero.blocks] == [6] * 5
    assert len(set(hero.requests)) == 30
    assert "conv2d0 5, 16, 26, 37, 48, 58;" in notes_of(hero)  # by rule: the article names none


def test_another_network_of_that_name_does_not_get_the_article_s_units(
    network_of: NetworkOf,
) -> None:
    layers = dict(zip(ARTICLE_LAYERS, ARTICLE_CHANNELS, strict=True))
    choice = choose(
        CATALOGUE["optimization-progress"],
        FigureOptions(network_of(layers, name="inceptionv1"), FAST),
    )
    assert choice.optimized[0].request.text == "mixed4a:254"
    assert "the middle one" in notes_of(choice)


def test_a_network_of_two_layers(network_of: NetworkOf) -> None:
    net = network_of({"conv": 4, "conv_1": 8}, channels=1)
    hero = choose(CATALOGUE["hero"], FigureOptions(net, FAST))
    assert units_of(hero) == {"conv": [0, 1, 2, 3], "conv_1": [0, 2, 3, 4, 6, 7]}
    assert "only 2 main layers" in notes_of(hero)
    rows = choose(CATALOGUE["appendix-overview"], FigureOptions(net, FAST))
    assert units_of(rows) == {"conv": [0, 1, 2, 3], "conv_1": [1, 3, 5, 7]}


def test_networks_without_logits_lose_two_columns(network_of: NetworkOf) -> None:
    choice = choose(CATALOGUE["objectives"], FigureOptions(network_of({"conv": 4}), FAST))
    assert [c.column.kind for c in choice.optimized if c.column] == ["neuron", "channel", "layer"]
    assert "no class logits" in notes_of(choice)
    assert [letter for letter, _ in choice.legend] == ["n", "x,y", "z"]


@pytest.mark.parametrize(
    ("classes", "labels", "wanted"),
    [
        (1000, (), "logit:130"),
        (10, (), "logit:0"),
        (3, ("a", "b", "greater flamingo, flamingo"), "logit:2"),
        (1000, ("tench", "goldfish"), "logit:130"),
    ],
)
def test_the_class_is_one_that_the_network_has(
    network_of: NetworkOf, classes: int, labels: tuple[str, ...], wanted: str
) -> None:
    net = network_of({"conv": 4}, classes=classes, labels=labels)
    cells = choose(CATALOGUE["objectives"], FigureOptions(net, FAST)).optimized
    assert [c.request.text for c in cells][3:] == [wanted, wanted.replace("logit", "prob")]
    kinds = [c.request.objective.terms[0].kind for c in cells]
    assert kinds == ["neuron", "channel", "layer", "logit", "probability"]
    assert cells[0].unit == cells[1].unit


def test_the_units_of_a_model_card_win(
    network_of: NetworkOf, article: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_figures(**figures: Any) -> None:
        own = replace(card("inceptionv1"), figures=MappingProxyType(figures))
        monkeypatch.setattr(units_module, "cards", lambda: {own.name: own})

    hero = CATALOGUE["hero"]
    with_figures(mixed3a=[3, 1, 2, 9, 8, 7, 5], hero={"mixed4a": [10, 11, 12, 13, 14, 15]})
    found = units_of(choose(hero, FigureOptions(article, FAST)))
    assert found["mixed3a"] == [3, 1, 2, 9, 8, 7]
    assert found["mixed4a"] == [10, 11, 12, 13, 14, 15]
    progress = choose(CATALOGUE["optimization-progress"], FigureOptions(article, FAST))
    assert progress.optimized[0].unit == 11  # the list of hero is not for other figures
    with_figures(mixed3b=[77], **{"class": 5})
    objectives = choose(CATALOGUE["objectives"], FigureOptions(article, FAST))
    assert [c.unit for c in objectives.optimized] == [77, 77, None, 5, 5]
    assert "by eye" in notes_of(objectives) and "Class: 5, named in" in notes_of(objectives)
    # Too few and impossible units are filled up by the rule, and none comes twice.
    with_figures(mixed3a=[999, 21])
    found = units_of(choose(hero, FigureOptions(article, FAST)))["mixed3a"]
    assert found[0] == 21 and len(set(found)) == 6 and 999 not in found


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 47, 95, 96, 2047, 2048, 4000])
def test_moments_begin_with_the_noise_and_end_with_the_run(steps: int) -> None:
    found = moments((0, 4, 48, 2048), steps)
    assert found[0] == 0 and found[-1] == min(steps, 2048)
    assert list(found) == sorted(set(found))
    assert len(found) == 4 or steps < 5


def test_the_progress_is_one_run_and_says_which_steps(network_of: NetworkOf) -> None:
    net = network_of({"conv": 4})
    figure = CATALOGUE["optimization-progress"]
    long = choose(figure, FigureOptions(net, recipe("article")))
    assert long.requests[0].recipe.steps == 2048 and len(long.requests) == 1
    assert long.requests[0].snapshots == (0, 4, 48)
    assert "Steps" not in notes_of(long)
    short = choose(figure, FigureOptions(net, FAST.replace(steps=24)))
    assert [c.step for c in short.optimized] == [0, 3, 8, 24]
    assert "this run has 24 steps" in notes_of(short)


def test_channels_of_the_first_relu_are_optimized_after_it() -> None:
    """Before it their mean is linear in the picture, and the picture would be flat."""
    net = tiny.network()
    for slug in ("hero", "appendix-overview", "objectives"):
        choice = choose(CATALOGUE[slug], FigureOptions(net, FAST))
        for cell in choice.optimized:
            term = cell.request.objective.terms[0]
            first = (term.kind, term.tap) == ("channel", "relu1")
            assert cell.request.recipe.pre_activation == (not first)
            assert (cell.request.recipe.redirect_steps > 0) == first
        assert "relu1 are optimized after its ReLU" in notes_of(choice)
    lucid = choose(CATALOGUE["hero"], FigureOptions(net, recipe("lucid")))
    assert {cell.request.recipe for cell in lucid.optimized} == {recipe("lucid")}
