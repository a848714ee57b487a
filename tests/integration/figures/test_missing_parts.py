"""Networks that cannot have every figure: the others are made, and the reason is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import tiny

from kerasviz.errors import ModelError, UsageError
from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.layout.build import choose, choose_all
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import EmptyTile
from kerasviz.figures.make import figure_options, write_figures
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import run

FAST = recipe("fast").replace(steps=16, size=(24, 40))
NetworkOf = Callable[..., Network]


def failures(net: Network) -> dict[str, str]:
    return choose_all(list(CATALOGUE.values()), FigureOptions(net, FAST, quick=True))[1]


def test_without_layers_that_have_positions(
    tmp_path: Path, drawn: list[str], network_of: NetworkOf
) -> None:
    """Left are the table without pictures and what needs classes only."""
    made = make_figures(network_of({}, classes=7), (), FAST, tmp_path, quick=True)
    left = {"regularization-spectrum", "color-decorrelation", "steepest-descent"}
    assert set(made.failed) == set(CATALOGUE) - left
    assert {path.stem for path in made.paths} == left
    assert set(made.failed.values()) == {
        "outline has no layer with channels and positions; the figures need at least one"
    }
    assert not (tmp_path / "hero.html").exists()


def test_without_classes(network_of: NetworkOf) -> None:
    net = network_of({f"stage{i}": 8 for i in range(5)})
    assert failures(net) == {
        "fv-vs-attribution": "attribution explains the answer of a classifier, and outline has no "
        "class logits"
    }
    objectives = choose(CATALOGUE["objectives"], FigureOptions(net, FAST))
    assert [c.column.kind for c in objectives.optimized if c.column] == [
        "neuron",
        "channel",
        "layer",
    ]
    assert any("their columns are left out" in note for note in objectives.notes)


def test_classes_without_labels_are_numbers(network_of: NetworkOf) -> None:
    net = network_of({"stage0": 8, "stage1": 8}, classes=5)
    assert failures(net) == {}
    cells = choose(CATALOGUE["objectives"], FigureOptions(net, FAST)).optimized
    assert [cell.name for cell in cells][3:] == ["logit:0", "prob:0"]


def test_one_layer_of_two_channels_has_every_figure(network_of: NetworkOf) -> None:
    net = network_of({"conv": 2}, classes=5)
    assert failures(net) == {}
    sums = choose(CATALOGUE["neuron-arithmetic"], FigureOptions(net, FAST)).blocks
    assert [len(block.places) for block in sums] == [3, 3, 3]
    single = EmptyTile("No sum", "one unit at both places")
    assert [[place == single for place in row.places[1:]].count(True) for row in sums] == [0, 1, 1]
    frames = choose(CATALOGUE["interpolation"], FigureOptions(net, FAST)).blocks
    assert sorted(block.title for block in frames) == ["conv:0 to conv:1", "conv:1 to conv:0"]


def test_one_channel_cannot_be_paired(network_of: NetworkOf) -> None:
    assert failures(network_of({"conv": 1}, classes=5)) == {
        "neuron-arithmetic": "sums take two units, and the layers of outline have only conv:0 for "
        "them",
        "interpolation": "an interpolation goes from one unit to another, and the layers of "
        "outline have only conv:0 for them",
    }


def test_grey_images_have_no_colours(network_of: NetworkOf) -> None:
    net = network_of({"stage0": 8, "stage1": 8}, classes=5, channels=1)
    assert failures(net) == {
        "color-decorrelation": "decorrelated colours are 3, and images of outline have 1 channel"
    }


def test_random_directions_are_the_first_seeds_for_every_network(network_of: NetworkOf) -> None:
    for layers in ({f"stage{i}": 8 for i in range(9)}, {"a": 3, "b": 1}, {"conv": 2}):
        choice = choose(CATALOGUE["random-directions"], FigureOptions(network_of(layers), FAST))
        names = [cell.name for cell in choice.optimized]
        assert [name.partition(":random-")[2] for name in names] == ["0", "1", "2", "3"]
        assert any("0 to 3 for every network" in note for note in choice.notes)
        assert not any(note.startswith("Units:") for note in choice.notes)


def test_a_batch_that_the_network_cannot_compute_costs_its_figures_only(
    tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.render_batches

    def failing(net: Network, plans: list[run.Batch], *others: object) -> object:
        for each in plans:
            if any("neuron" in t.kind for r in each.requests for t in r.objective.terms):
                raise ModelError("too small, give a larger --size")
            yield from whole(net, [each])

    monkeypatch.setattr(run, "render_batches", failing)
    slugs = ["objectives", "hero", "color-decorrelation"]
    made = make_figures(tiny.network(), slugs, FAST, tmp_path)
    assert made.failed == {"objectives": "too small, give a larger --size"}
    assert {path.stem for path in made.paths} == {"hero", "color-decorrelation"}
    monkeypatch.setattr(run, "render_batches", whole)
    again = make_figures(tiny.network(), slugs, FAST, tmp_path)
    assert (again.made, dict(again.failed)) == (1, {})


def test_what_is_wrong_with_the_order_is_said_before_anything_starts(
    tmp_path: Path, drawn: list[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        make_figures(tiny.network(), ["hero"], FAST, tmp_path / "out", photos=photos)
    assert not (tmp_path / "out").exists() and drawn == []


def test_begin_is_told_the_batches_and_what_cannot_be_made(
    tmp_path: Path, drawn: list[str], network_of: NetworkOf
) -> None:
    told: list[tuple[int, list[str]]] = []

    def begin(plans: object, failed: object) -> None:
        told.append((sum(p.rows for p in plans), list(failed)))  # type: ignore[attr-defined, call-overload]
        assert drawn == []

    slugs = ["fv-vs-attribution", "objectives"]
    net = network_of({f"stage{i}": 8 for i in range(5)})
    for _ in range(2):
        write_figures(figure_options(net, FAST), slugs, tmp_path, begin=begin)
        drawn.clear()
    assert told == [(3, ["fv-vs-attribution"]), (0, ["fv-vs-attribution"])]
