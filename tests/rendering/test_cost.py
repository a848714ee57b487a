"""What pictures cost: counted in the graph, timed in a few steps."""

from __future__ import annotations

import numpy as np
import pytest
from support import tiny
from support.inception5h import CHANNELS

from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.figures.layout.article_outline import article_outline
from kerasviz.optvis.objectives.objective import channel, diversity, layer, logit
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import cost
from kerasviz.rendering.batching import CANONICAL, make_batches
from kerasviz.rendering.cost import OPERATION, SHALLOW, Clock, StepCost, pictures_of, work_of
from kerasviz.rendering.request import Request

NET = tiny.network()
SHORT = recipe("fast").replace(steps=10, size=(17, 23))
#: The positions of every layer of a picture of 17 x 23 pixels: 3 x 3 without padding, every second.
POSITIONS = 8 * 11


def requests(*objectives: object) -> list[Request]:
    return [Request(f"{i}", o, SHORT) for i, o in enumerate(objectives)]  # type: ignore[arg-type]


def test_multiplications_are_those_of_the_layers_that_are_needed() -> None:
    first, both, last = make_batches(NET, requests(channel("conv1", 1), layer("joined"), logit(0)))
    works = work_of(NET, [first, both, last])
    conv1 = POSITIONS * 6 * 3 * 9
    sides = POSITIONS * (5 * 6 * 9 + 4 * 6)
    assert works[first].multiplications == conv1
    assert works[both].multiplications == conv1 + sides
    assert works[last].multiplications == conv1 + sides + 9 * len(tiny.LABELS)
    operations = [works[p].operations for p in (first, both, last)]
    assert operations == sorted(operations) and operations[0] < operations[2]
    assert works[both].pixels == 17 * 23
    assert works[first].density == conv1 / (17 * 23) + OPERATION * operations[0]


def test_an_estimate_is_steps_by_rows_and_one_start_for_a_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = [Request(f"{u}", channel("joined", u), SHORT, batch=4) for u in range(8)]
    plans = make_batches(NET, units)
    work = StepCost(391 * 50.0, 5, 391)
    monkeypatch.setattr(cost, "work_of", lambda net, plans: dict.fromkeys(plans, work))
    clock = Clock(NET, (1e-6, 2e-8), 3.0, 10, ("joined",), 1.0)
    row = 391 * (1e-6 + 2e-8 * (50 + OPERATION * 5))
    steps = 2 * 10 * 4 * CANONICAL[4] * row
    assert len(plans) == 2 and pictures_of(plans) == 8
    assert np.isclose(clock.estimate(plans), steps + 3.0 * (SHALLOW + (1 - SHALLOW) / 2))


def test_the_clock_times_the_least_and_the_most_and_leaves_no_trace() -> None:
    together = channel("joined", 2) + diversity("joined", 0.1)
    wanted = requests(channel("relu1", 1), logit(0))
    wanted.append(Request("facets", together, SHORT, rows=6, snapshots=(0, 5)))
    plans = make_batches(NET, wanted)
    clock = Clock.of(NET, plans)
    assert set(clock.timed) <= {"conv1", "joined", "left", "right", "logits"}
    assert clock.step[0] >= 0 and clock.step[1] >= 0 and sum(clock.step) > 0
    one = clock.estimate(plans[:1])
    assert 0 < one < clock.estimate(plans)


def test_the_outline_has_the_layers_of_the_article_s_network() -> None:
    net = article_outline()
    assert {name: net.taps[name].channels for name in ARTICLE_LAYERS} == {
        name: CHANNELS[name] for name in ARTICLE_LAYERS
    }
    assert net.taps["mixed4a"].pre_activation == "mixed4a_pre_relu"
    assert net.require_logits().channels == 1008
