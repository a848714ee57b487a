"""Where the article's layers are found in other networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kerasviz.errors import UsageError
from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.figures.layout.layers import map_layers, place_layers
from kerasviz.network.network import Network

HERO = [place.layer for place in CATALOGUE["hero"].places]
ROWS = [place.layer for place in CATALOGUE["appendix-overview"].places]


@pytest.mark.parametrize("wanted", [HERO, ROWS, ["mixed4a"]])
@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 18, 50])
def test_layers_are_different_taps_in_order(wanted: list[str], count: int) -> None:
    taps = [f"t{i}" for i in range(count)]
    placed = place_layers(wanted, taps)
    assert len(placed) == min(len(wanted), count)
    assert list(placed) == [name for name in wanted if name in placed]
    found = [taps.index(tap) for tap in placed.values()]
    assert found == sorted(set(found))


def test_a_network_of_the_article_s_depth_gets_its_layers() -> None:
    assert place_layers(ROWS, ARTICLE_LAYERS) == {name: name for name in ROWS}


def test_one_layer_lies_at_the_article_s_relative_depth() -> None:
    assert place_layers(["mixed4a"], [f"t{i}" for i in range(23)]) == {"mixed4a": "t10"}


def test_aliases_come_first(network_of: Callable[..., Network]) -> None:
    own = {f"inception_{i}": 16 for i in range(12)}
    aliases = dict(zip(ARTICLE_LAYERS, reversed(own), strict=True))  # not what depth would give
    net = network_of(own, aliases=aliases)
    placed, note = map_layers(["conv2d0", "mixed4a"], net)
    assert placed == {"conv2d0": "inception_11", "mixed4a": "inception_6"}
    assert "conv2d0 is inception_11" in note


def test_an_alias_of_some_layers_only_is_not_enough(network_of: Callable[..., Network]) -> None:
    net = network_of({"a": 4, "b": 4, "c": 4}, aliases={"mixed4a": "a"})
    placed, note = map_layers(HERO, net)
    assert list(placed.values()) == ["a", "b", "c"]
    assert "only 3 main layers" in note


def test_a_network_without_positions_is_one_line(network_of: Callable[..., Network]) -> None:
    net = network_of({}, classes=3)
    with pytest.raises(UsageError, match="no layer with channels and positions"):
        map_layers(HERO, net)


def test_edges_are_not_looked_for_in_a_stem() -> None:
    """A first layer of 3 x 3 pixels shows colours; the layers after it show edges."""
    placed = place_layers(HERO, [f"t{i}" for i in range(18)])
    assert placed["conv2d0"] == "t2"
    assert place_layers(ROWS, [f"t{i}" for i in range(18)])["mixed3a"] == placed["mixed3a"] == "t5"
