"""The simulation: its clock against sums by hand, and its workers against what befalls them."""

from __future__ import annotations

import cProfile
import math
import pstats
import random
from dataclasses import replace

import pytest
from atlas_simulation import Conditions, Outcome, Workload, simulate
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasviz.atlas.engines.protocol import Task
from kerasviz.atlas.plan import START, makespan


def workload(costs: list[float], kinds: int = 1, compiling: float = 0.0) -> Workload:
    tasks = tuple(Task(f"t{i}", "", cost, f"k{i % kinds}") for i, cost in enumerate(costs))
    return Workload(tasks, {f"k{i}": compiling for i in range(kinds)})


def test_one_worker_takes_the_sum_of_all() -> None:
    out = simulate(workload([3.0, 4.0, 5.0], 2, 2.0), Conditions(1, start=7.0, fetch=1.0))
    assert out.makespan == pytest.approx(7 + 1 + 12 + 2 * 2)
    assert out.efficiency == pytest.approx(12 / 24)
    assert (out.busy, out.compiling, out.starting) == pytest.approx((16.0, 4.0, 8.0))
    assert (out.copies, out.retries, out.deaths, out.abandoned) == (0, 0, 0, 0)


def test_longest_first_is_what_two_workers_do() -> None:
    # 7 | 6, then 5 on the second, 4 on the first, 3 on either: 14 | 11 or 11 | 14, not 13.
    out = simulate(workload([3.0, 4.0, 5.0, 6.0, 7.0]), Conditions(2))
    assert out.makespan == pytest.approx(14.0)
    assert out.efficiency == pytest.approx(25 / 28)


def test_each_worker_compiles_a_kind_for_itself_unless_waiting_is_faster() -> None:
    costs = [1.0] * 40
    alone = simulate(workload(costs, 2, 5.0), Conditions(1))
    both = simulate(workload(costs, 2, 5.0), Conditions(2))
    assert alone.makespan == pytest.approx(50.0)
    assert both.makespan == pytest.approx(25.0)
    assert both.compiling == pytest.approx(10.0)


def test_workers_that_start_together_wait_for_the_link_that_they_share() -> None:
    conditions = Conditions(4, start=1.0, fetch=0.5, shared=2.0)
    out = simulate(workload([10.0] * 4), conditions)
    assert out.makespan == pytest.approx(1 + 4 * 2.0 + 10)
    assert out.starting == pytest.approx(3 + 5 + 7 + 9)


def test_slow_workers_take_longer_and_their_tasks_are_copied() -> None:
    slow = Conditions(20, slow_share=0.2, slow=5.0, seed=3)
    out = simulate(workload([10.0] * 60), slow)
    assert out.copies > 0
    assert out.copied > 0.0
    assert out.makespan < 10.0 * 5 * 2, "no slow worker had a second task to itself"
    assert simulate(workload([10.0] * 60), replace(slow, slow_share=0.0)).makespan == 30.0


def test_the_work_of_dead_workers_is_done_by_others() -> None:
    deadly = Conditions(10, lifetime=60.0, notice=2.0, restart=3.0, start=1.0, seed=1)
    out = simulate(workload([10.0] * 200, 3, 1.0), deadly)
    assert out.deaths > 10
    assert out.retries > 5
    assert out.abandoned == 0
    assert out.lost > 0.0
    assert out.efficiency < 0.95
    assert math.isclose(out.efficiency, 2000 / (10 * out.makespan))


def test_what_a_dead_worker_has_saved_is_not_done_again() -> None:
    load = workload([100.0])
    deadly = Conditions(1, lifetime=80.0, notice=2.0, restart=3.0, start=1.0)
    deaths = 0
    for seed in range(10):
        lost = simulate(load, replace(deadly, seed=seed))
        kept = simulate(load, replace(deadly, seed=seed, saves=10.0))
        # Each death costs the seconds since the last save, and those until the next worker.
        assert kept.lost <= kept.deaths * 10.0
        assert 101.0 <= kept.makespan <= 101.0 + kept.deaths * (10.0 + 2.0 + 3.0 + 1.0)
        assert kept.makespan <= lost.makespan
        deaths += kept.deaths
    assert deaths > 5
    assert simulate(workload([99.0]), Conditions(1, saves=10.0, saving=0.5)).makespan == 103.5


def test_a_copy_goes_on_from_what_the_original_has_saved() -> None:
    # Four workers are slow; copies of what they began at first are made after 300 s.
    slow = Conditions(20, slow_share=0.2, slow=5.0, seed=3)
    alone = simulate(workload([100.0] * 52), slow)
    saved = simulate(workload([100.0] * 52), replace(slow, saves=5.0))
    assert (alone.copies, alone.makespan) == (4, 400.0)
    assert (saved.copies, saved.makespan) == (4, 340.0)


def test_what_is_useful_may_be_less_than_what_is_done() -> None:
    whole = workload([4.0] * 4)
    out = simulate(replace(whole, useful=8.0), Conditions(2))
    assert (out.makespan, out.efficiency) == (8.0, 0.5)


@given(
    costs=st.lists(st.floats(0.5, 50.0), min_size=1, max_size=40),
    kinds=st.integers(1, 4),
    workers=st.integers(1, 12),
    saves=st.sampled_from([math.inf, 20.0, 1.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_no_run_is_faster_than_its_work_and_all_seconds_are_accounted_for(
    costs: list[float], kinds: int, workers: int, saves: float, seed: int
) -> None:
    load = workload(costs, kinds, 1.0)
    calm = simulate(load, Conditions(workers, start=2.0))
    assert calm.makespan >= 2.0 + max(1.0 + max(costs), sum(costs) / workers) - 1e-6
    # Graham's bound for any list schedule, with the compilation of every kind on every worker.
    assert calm.makespan <= 2.0 + sum(costs) / workers + max(costs) + 2 * kinds + 1e-6
    wild = Conditions(
        workers,
        start=2.0,
        lifetime=200.0,
        slow_share=0.3,
        slow=2.0,
        spread=0.2,
        error=0.3,
        saves=saves,
        saving=0.25,
        seed=seed,
    )
    out = simulate(load, wild)
    assert out.abandoned == 0
    assert out.busy + out.starting <= workers * out.makespan + 1e-6
    assert out.busy + 1e-6 >= max(out.compiling, out.lost + out.copied)
    assert out == simulate(load, wild), "the same seed has the same outcome"


@pytest.mark.parametrize("compiling", [0.5, 3.0, 15.0])
@pytest.mark.parametrize("workers", [1, 2, 4, 16, 64, 256])
def test_the_plan_of_an_atlas_knows_what_healthy_workers_take(
    compiling: float, workers: int
) -> None:
    draw = random.Random(workers)
    for kinds in (3, 20, 60):
        costs = {f"k{kind}": draw.uniform(0.5, 10.0) for kind in range(kinds)}
        tasks = [
            Task(f"{kind} {number}", "", cost, kind)
            for kind, cost in costs.items()
            for number in range(draw.randint(1, 40))
        ]
        seconds = {kind: compiling * draw.uniform(0.4, 1.0) for kind in costs}
        out = simulate(Workload(tuple(tasks), seconds), Conditions(workers, start=START))
        assert makespan(tasks, seconds, workers) == pytest.approx(out.makespan, rel=0.05)


def calls(workers: int, tasks: int) -> tuple[int, Outcome]:
    profile = cProfile.Profile()
    load = workload([100.0 + i % 7 for i in range(tasks)], 9, 5.0)
    trouble = Conditions(
        workers, start=3.0, lifetime=1e4, slow_share=0.02, slow=1.5, spread=0.05, error=0.2
    )
    out = profile.runcall(simulate, load, trouble)
    return pstats.Stats(profile).total_calls, out  # type: ignore[attr-defined]


def test_ten_times_the_workers_and_tasks_cost_little_more_for_each() -> None:
    few, _ = calls(100, 300)
    many, out = calls(1000, 3000)
    assert out.abandoned == 0
    assert many < 10 * few * 1.6, "a scan of all workers or tasks would be ten times as much"
