"""Both engines, with real workers: they answer, fail, die and are replaced in the same way."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.engine_jobs import job, task

from kerasviz.atlas.engines import (
    Began,
    Done,
    Engine,
    Event,
    Failed,
    Job,
    Joined,
    Lost,
    Task,
    TaskAbandoned,
    run,
)
from kerasviz.atlas.engines.schedule import Policy
from kerasviz.errors import KerasvizError

MakeEngine = Callable[[int], Engine]
PATIENCE = 120.0
#: Tasks of tests take no time: nothing rests, and what is late is late at once.
QUICK = Policy(rest=0.0, slack=0.1)


def told(tasks: Iterable[Task], engine: Engine, job: Job, policy: Policy = QUICK) -> list[Event]:
    """All that happens in a run."""
    with closing(run(tasks, engine, job, policy=policy)) as events:  # type: ignore[type-var]
        return list(events)


def of(events: Sequence[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def results(events: Sequence[Event]) -> dict[str, Any]:
    done = of(events, Done)
    assert len({d.task.name for d in done}) == len(done), "a task was told done twice"
    return {d.task.name: d.result for d in done}


def until(engine: Engine, kind: type[Any], count: int = 1) -> list[Any]:
    """Ask for news until there were ``count`` of a kind."""
    latest, found = time.monotonic() + PATIENCE, []
    while len(of(found, kind)) < count:
        assert time.monotonic() < latest, found
        found += engine.poll(1.0)
    return of(found, kind)


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until(what: Callable[[], bool]) -> None:
    latest = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < latest, "it did not come about"
        time.sleep(0.02)


def test_every_task_is_done_once_by_workers_that_made_the_job_once(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    words = ["plain", "ünïcode\n", {"deep": [1, 2.5, None]}, "x" * 200_000]
    tasks = [task(f"echo {i}", "echo", words=w) for i, w in enumerate(words)]
    tasks += [task(f"meet {i}", "meet", place=str(tmp_path / "met"), count=2) for i in range(2)]
    tasks += [task(f"sleep {i}", "sleep", seconds=0.3) for i in range(6)]
    tasks += [task("shout", "shout", words="a line for nobody\n"), task("look", "look")]
    events = told(tasks, make_engine(2), job())
    found = results(events)
    assert [found[f"echo {i}"] for i in range(len(words))] == words
    assert found["shout"] == "a line for nobody\n"
    made = Counter(tuple(found[name]) for name in found if name.startswith(("meet", "sleep")))
    assert len(made) == len({pid for pid, _ in made}) == 2, "two processes, each with one job"
    assert not of(events, Failed) and not of(events, Lost)
    joined = of(events, Joined)
    assert len(joined) == 2 and all(j.seconds > 0 for j in joined)
    assert all(d.seconds >= 0.29 for d in of(events, Done) if d.task.name.startswith("sleep"))
    assert len(of(events, Began)) >= len(tasks)
    environment = found["look"]["environment"]
    assert environment["TF_NUM_INTRAOP_THREADS"] == environment["OMP_NUM_THREADS"] == "1"
    assert environment["TF_NUM_INTEROP_THREADS"] == "1"
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1", "no GPU was asked for"


def test_a_task_that_raises_is_tried_elsewhere_and_given_up_with_its_last_error(
    make_engine: MakeEngine,
) -> None:
    tasks = [
        task("bad", "fail", words="too small\nby far"),
        task("leaves", "leave"),
        task("no JSON", "unsayable"),
        *(task(f"good {i}", "echo", words=i) for i in range(4)),
    ]
    events = told(tasks, make_engine(2), job(), replace(QUICK, retries=1))
    assert results(events) == {f"good {i}": i for i in range(4)}
    reasons = {g.task.name: g.reason for g in of(events, TaskAbandoned)}
    assert reasons == {
        "bad": "ValueError: too small",
        "leaves": "SystemExit: it had enough",
        "no JSON": "TypeError: Object of type object is not JSON serializable",
    }
    failed = [f for f in of(events, Failed) if f.task.name == "bad"]
    assert [f.reason for f in failed] == ["ValueError: too small"] * 2
    assert "engine_jobs.py" in failed[0].trace and "by far" in failed[0].trace
    assert not of(events, Lost), "an exception ends no worker"


def test_the_task_of_a_killed_worker_is_done_by_another_and_the_worker_replaced(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    tasks = [
        task("dies", "die_once", cost=9.0, marker=str(tmp_path / "died")),
        *(task(f"meet {i}", "meet", place=str(tmp_path / "met"), count=2) for i in range(2)),
    ]
    events = told(tasks, make_engine(2), job())
    assert results(events)["dies"] == "alive" and len(results(events)) == 3
    (lost,) = of(events, Lost)
    assert lost.task == tasks[0] and lost.replaced
    assert lost.reason.startswith(("killed by signal 9", "the worker was killed"))
    names = [j.worker for j in of(events, Joined)]
    assert len(set(names)) == 3 and names.count(lost.worker) == 1, "a fresh one took its place"
    doer = next(d.worker for d in of(events, Done) if d.task == tasks[0])
    assert doer != lost.worker


def test_a_task_that_kills_all_who_take_it_does_not_end_the_run(make_engine: MakeEngine) -> None:
    tasks = [
        task("poison", "die", cost=9.0),
        *(task(f"good {i}", "sleep", seconds=0.2) for i in range(6)),
    ]
    events = told(tasks, make_engine(2), job(), replace(QUICK, losses=2))
    assert len(results(events)) == 6
    (given,) = of(events, TaskAbandoned)
    assert given.task == tasks[0] and given.reason == of(events, Lost)[-1].reason
    assert len(of(events, Lost)) == 3 and all(e.task == tasks[0] for e in of(events, Lost))


def test_a_straggler_gets_a_copy_and_the_first_to_finish_counts(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    tasks = [task("slow", "hang_once", cost=0.1, marker=str(tmp_path / "hung"))]
    events = told(tasks, make_engine(2), job())
    assert results(events) == {"slow": "quick"}
    assert [b.copy for b in of(events, Began)] == [False, True]
    assert len({b.worker for b in of(events, Began)}) == 2


@pytest.mark.parametrize(
    ("argument", "words"),
    [({"refused": "no such model"}, "no such model"), ({"dies": True}, "")],
    ids=["refuses", "dies"],
)
def test_workers_that_cannot_start_end_the_run_in_a_line(
    make_engine: MakeEngine,
    argument: dict[str, Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kerasviz.atlas.engines import slots

    monkeypatch.setattr(slots, "WAIT", 0.01)
    monkeypatch.setattr(slots, "DIED_STARTS", 2)
    lost: list[Lost] = []
    with pytest.raises(KerasvizError, match="no worker can be started") as raised:
        for event in run([task("any", "echo")], make_engine(1), job(**argument)):
            lost.append(event)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value) and lost[-1].reason in str(raised.value)
    assert len(lost) == (slots.FAILED_STARTS if words else slots.DIED_STARTS)
    assert [e.replaced for e in lost] == [True] * (len(lost) - 1) + [False]
    if words:
        assert all(e.reason == words and "ModelError" in e.trace for e in lost)


def test_a_worker_that_is_killed_while_it_has_nothing_to_do_is_noticed(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine(2)
    try:
        engine.start(job())
        until(engine, Joined, 2)
        first, second = engine.idle
        engine.submit(first, task("look", "look"))
        assert engine.idle == [second] and engine.alive == 2
        (done,) = until(engine, Done)
        os.kill(done.result["pid"], signal.SIGKILL)
        (lost,) = until(engine, Lost)
        assert lost.worker == first and lost.task is None and lost.replaced
        (fresh,) = until(engine, Joined)
        assert fresh.worker not in (first, second) and set(engine.idle) == {second, fresh.worker}
    finally:
        engine.stop()


def test_a_run_that_is_closed_leaves_no_process(make_engine: MakeEngine, tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "other"]
    tasks = [task(file.name, "hang", told=str(file)) for file in files]
    engine = make_engine(2)
    with closing(run(tasks, engine, job())) as events:  # type: ignore[type-var]
        began = 0
        for event in events:
            began += isinstance(event, Began)
            if began == 2:
                wait_until(lambda: all(file.exists() for file in files))
                break
    pids = [int(file.read_text()) for file in files]
    wait_until(lambda: all(gone(pid) for pid in pids))
    assert engine.alive == 0 and not engine.idle
    engine.stop()  # again
