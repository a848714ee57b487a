"""The simulator of an atlas: its tasks against the times that it reads, its logs against runs."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from atlas_simulation import Conditions, simulate

from kerasviz.atlas.plan import START, makespan

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_atlas.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate_atlas", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def times(script: ModuleType) -> dict:
    return json.loads(script.TIMES.read_text())


MIXED = [f"mixed{n}" for n in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]


def test_a_cut_makes_every_picture_once_in_the_shares_that_it_says(
    script: ModuleType, times: dict
) -> None:
    whole = script.workload(times, script.WHOLE, MIXED, 0.05)
    largest = [loop for loop in times["loops"] if loop["batch"] == 16]
    pictures = {loop["kind"]: loop["pictures"] for loop in largest}
    pictures = {kind: n for kind, n in pictures.items() if kind.split()[0] in MIXED}
    assert sum(pictures.values()) == 5484 * 7
    assert len(whole.tasks) == sum(math.ceil(n / 16) for n in pictures.values())
    assert math.isclose(whole.work, sum(task.cost for task in whole.tasks))
    cut = script.workload(times, script.TAPERED, MIXED, 0.05)
    assert math.isclose(cut.work, whole.work)
    made = dict.fromkeys(pictures, 0)
    cost = dict.fromkeys((16, 8, 4), 0.0)
    for task in cut.tasks:
        kind, _, batch = task.group.rpartition(" x ")
        made[kind] += int(batch)
        cost[int(batch)] += task.cost
    assert all(0 <= made[kind] - n < 16 for kind, n in pictures.items())
    shares = [cost[batch] / sum(cost.values()) for batch in (16, 8, 4)]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.02)
    longest = [task.cost for task in cut.tasks if task.group.endswith("x 4")]
    assert max(longest) < min(t.cost for t in cut.tasks if t.group.endswith("x 16"))


def test_a_thousand_workers_keep_ninety_percent_also_where_some_are_slow_and_die(
    script: ModuleType, times: dict
) -> None:
    load = script.workload(times, script.TAPERED, MIXED, 0.05)
    wanted = script.parse([])
    calm, slow, dying = script.scenarios(wanted, times["start"]).values()
    for conditions in (calm, slow):
        for seed in range(3):
            assert simulate(load, replace(conditions, workers=1000, seed=seed)).efficiency > 0.9
    outs = [simulate(load, replace(dying, workers=1000, seed=seed)) for seed in range(8)]
    assert all(out.deaths > 0 and out.abandoned == 0 for out in outs)
    assert sum(out.efficiency for out in outs) / len(outs) > 0.9
    whole = script.workload(times, script.WHOLE, MIXED, 0.05)
    assert simulate(whole, replace(calm, workers=1000)).efficiency < 0.9, "whole batches do not"


def test_the_plan_of_an_atlas_knows_what_its_workers_take_where_none_fails(
    script: ModuleType, times: dict
) -> None:
    for cut in (script.WHOLE, script.TAPERED):
        load = script.workload(times, cut, MIXED, 0.05)
        for workers in (1, 10, 100, 1000):
            out = simulate(load, Conditions(workers, start=START))
            found = makespan(load.tasks, load.compiling, workers)
            assert found == pytest.approx(out.makespan, rel=0.01)


def log_of(workers: int) -> list[dict]:
    """What a run would log: 6 kinds of 5 tasks, 2 s a task that cost 1, 3 s to compile."""
    events = [
        {"at": 9.0, "event": "joined", "worker": f"w{i}", "seconds": 8.0} for i in range(workers)
    ]
    at = [9.0] * workers
    for number in range(30):
        kind, worker = f"k{number // 5}", number // 5 % workers
        taken = 2.0 + (3.0 if number % 5 == 0 else 0.0)
        about = {"worker": f"w{worker}", "task": f"t{number}", "kind": kind, "cost": 1.0}
        events.append({"at": at[worker], "event": "began", **about})
        at[worker] += taken
        events.append({"at": at[worker], "event": "done", **about, "seconds": taken})
    return sorted(events, key=lambda event: event["at"])


def write(path: Path, events: list[dict]) -> Path:
    lines = [{"run": "r", "began": "2026-01-01T00:00:00Z"}, *events]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_log_of_one_worker_predicts_what_two_take(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(tmp_path / "one.jsonl", log_of(1))
    two = write(tmp_path / "two.jsonl", log_of(2))
    assert script.measured(script.read_log(one)) == (8.0 + 6 * 13, 1)
    assert script.measured(script.read_log(two)) == (8.0 + 3 * 13, 2)
    load, start = script.workload_of(script.read_log(one))
    assert start == 8.0
    assert sorted({task.cost for task in load.tasks}) == [2.0]
    assert load.compiling == {f"k{i}": 3.0 for i in range(6)}
    assert simulate(load, Conditions(2, start=start)).makespan == pytest.approx(8 + 3 * 13)
    script.main(["--log", str(one), "--against", str(two), "--workers", "1", "2"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [["1", "86.0", "86.0", "+0.0%", "1.00"], ["2", "47.0", "47.0", "+0.0%", "1.83"]]


def test_tables_are_printed_for_each_scenario(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    script.main(["--workers", "50", "--cut", "8:1", "--seeds", "1", "--layers", "mixed3a"])
    out = capsys.readouterr().out
    assert out.count("efficiency") == 3
    assert "no failures" in out and "each dies once in 24 h" in out
    assert "layers mixed3a: " in out
    with pytest.raises(SystemExit, match="sum is 1"):
        script.main(["--cut", "8:0.5"])
    with pytest.raises(SystemExit, match="batch size 2 was not timed"):
        script.main(["--cut", "2:1"])
