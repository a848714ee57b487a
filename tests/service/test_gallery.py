"""The pictures of units: the best one is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support import tiny
from support.flat_pictures import fill_store

from kerasviz.optvis.objectives.facets import facet
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.service.gallery import Gallery


def test_a_rough_picture_gives_way_to_a_better_one_of_any_recipe(tmp_path: Path) -> None:
    net = tiny.network()
    store = Store(tmp_path, net)
    command = CommandLine("tiny", (), "fast")

    def rendered(name: str, steps: int, side: int) -> Gallery:
        chosen = recipe(name).replace(steps=steps, size=(side, side))
        render_into(store, [Request("relu1:1", channel("relu1", 1), chosen)])
        return Gallery(tmp_path, net, command)

    rough = rendered("fast", 1, 16).best("relu1", 1, "fast")
    assert rough is not None and rough.steps == 1 and rough.pixels == 256
    good = rendered("fast", 3, 24).best("relu1", 1, "fast")
    assert good is not None and (good.steps, good.pixels) == (3, 576)
    other = rendered("vivid", 2, 24)
    chosen, else_ = other.best("relu1", 1, "vivid"), other.best("relu1", 1, "fast")
    assert chosen is not None and chosen.recipe == "vivid"  # the recipe that is asked for
    assert else_ is not None and else_.steps == 3
    assert [shown.steps for shown in other.of("relu1", 1)] == [1, 2, 3]
    assert other.best("relu1", 2, "fast") is None


def test_classes_are_units_of_the_layers_of_logits_and_probabilities(tmp_path: Path) -> None:
    net = tiny.network()
    chosen = recipe("fast").replace(steps=2, size=(16, 16))
    fill_store(tmp_path, net, ("prob:1", "logit:2", "-prob:3"), chosen)
    gallery = Gallery(tmp_path, net, CommandLine("tiny", (), "fast"))
    shown = {
        (tap, unit): [s.kind for s in gallery.of(tap, unit)]
        for tap, unit in [("prob", 1), ("logits", 2), ("prob", 3), ("prob", 2)]
    }
    assert list(shown.values()) == [["channel"], ["channel"], ["negative"], []]


def test_a_picture_has_its_earlier_steps_and_those_of_facets_are_told_apart(tmp_path: Path) -> None:
    net = tiny.network()
    chosen = recipe("fast").replace(steps=4, size=(16, 16))
    plain = Request("relu1:1", channel("relu1", 1), chosen, snapshots=(0, 2))
    numbers = np.ones((net.taps["conv1"].channels or 0) + 1, np.float32)
    steering = facet(("conv1",), numbers, 2.0, "grass", [])
    steered = Request("relu1:1, facet grass", channel("relu1", 1) + steering, chosen)
    render_into(Store(tmp_path, net), [plain, steered])
    gallery = Gallery(tmp_path, net, CommandLine("tiny", (), "fast"))
    shown = {one.kind: one for one in gallery.of("relu1", 1)}
    assert set(shown) == {"channel", "facet"}
    assert [entry.step for entry in shown["channel"].snapshots] == [0, 2]
    assert (shown["facet"].facet, shown["facet"].snapshots) == ("grass", ())
    best = gallery.best("relu1", 1, None)
    assert best is not None and best.entry == shown["channel"].entry  # not the steered one
    assert gallery.seconds_of(best.entry) is None
