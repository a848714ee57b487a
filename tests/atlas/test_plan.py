from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.tiny import network

from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.plan import START, AtlasPlan, WorkerEstimate, largest_gain, plan_atlas
from kerasviz.figures.layout import appendix
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.cost import Clock

LONG = recipe("article").replace(size=(32, 32))


def planned(cores: int = 2, threads: int = 1, fine: bool = False) -> tuple[AtlasPlan, float]:
    """The plan of 15 units with a clock that is not real, and the seconds on one worker."""
    net = network()
    atlas = replace(Atlas.of(net, [], LONG), balanced=fine)
    batches = atlas.batches(net)
    clock = Clock(net, (1e-5, 1e-7), 3.0, 10, ("relu1",), 1.0)
    return plan_atlas(net, batches, clock, cores, threads), clock.estimate(batches)


def test_layers_add_up() -> None:
    found, seconds = planned()
    assert [(e.tap, e.units, e.pictures) for e in found.layers] == [
        ("relu1", 6, 42),
        ("joined", 9, 63),
    ]
    assert sum(each.seconds for each in found.layers) == pytest.approx(seconds)
    assert 105 * 32 * 32 < found.picture_bytes < 105 * 32 * 32 * 5


def test_layers_have_the_names_of_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appendix, "card_of", lambda net: SimpleNamespace(name=net.name))
    # As of a network of many layers, of which the article's figure shows some.
    monkeypatch.setattr(appendix, "map_layers", lambda _, net: ({"mixed4a": net.main_taps[-1]}, ""))
    net = replace(network(), aliases={"block": "relu1"}, main_taps=("block", "joined"))
    atlas = Atlas.of(net, ["block"], LONG)
    clock = Clock(net, (1e-5, 1e-7), 3.0, 10, ("block",), 1.0)
    found = plan_atlas(net, atlas.batches(net), clock, 2, 1)
    assert [each.tap for each in found.layers] == ["block"]
    assert atlas.to_json()["taps"] == ["relu1"]  # as before: it is in the names of pictures


def test_workers_share_the_time_and_machines_the_workers() -> None:
    found, seconds = planned()
    one, two, four, *_ = found.estimates
    assert [(f.engine, f.workers, f.machines) for f in (one, two, four)] == [
        ("local", 1, 1),
        ("local", 2, 1),
        ("ray", 4, 2),
    ]
    assert one.seconds == pytest.approx(seconds + START)
    assert seconds / 2 + START <= two.seconds < one.seconds
    assert four.seconds < two.seconds
    assert four.price(3.0) == pytest.approx(2 * four.seconds / 3600 * 3.0)
    assert 0 < four.efficiency < two.efficiency < one.efficiency < 1


def test_workers_of_many_threads_need_more_machines() -> None:
    found, _ = planned(cores=8, threads=4)
    assert [(f.engine, f.workers) for f in found.estimates[:3]] == [
        ("local", 1),
        ("local", 2),
        ("ray", 4),
    ]
    assert [math.ceil(f.workers / 2) for f in found.estimates] == [
        f.machines for f in found.estimates
    ]


def test_small_batches_at_the_end_are_compared_with_the_same_fleets() -> None:
    usual, _ = planned()
    fine, _ = planned(fine=True)
    assert sum(e.batches for e in fine.layers) > sum(e.batches for e in usual.layers)
    shared = zip(usual.estimates, fine.estimates, strict=False)
    assert all((a.engine, a.workers) == (b.engine, b.workers) for a, b in shared)
    few = [replace(each, estimates=each.estimates[:1]) for each in (usual, fine)]
    assert largest_gain(*few) is None  # one worker only loses by it


def test_hardly_sooner_is_not_worth_a_word() -> None:
    usual = AtlasPlan(
        (), 0, 0, (WorkerEstimate("ray", 4, 2, 100.0, 0.5), WorkerEstimate("ray", 16, 8, 40.0, 0.4))
    )
    other = replace(
        usual, estimates=tuple(replace(f, seconds=0.96 * f.seconds) for f in usual.estimates)
    )
    assert largest_gain(usual, other) is None
    far = replace(other, estimates=(other.estimates[0], replace(other.estimates[1], seconds=30.0)))
    assert largest_gain(usual, far) == (usual.estimates[1], far.estimates[1])
