"""A run between a schedule and an engine whose workers do as they are told, without a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from kerasviz.atlas.engines import Began, Done, Failed, Job, Joined, Lost, Task, TaskAbandoned, run
from kerasviz.atlas.engines.protocol import Report
from kerasviz.atlas.engines.run import DEATHS
from kerasviz.atlas.engines.schedule import Policy, Schedule
from kerasviz.errors import KerasvizError


class Played:
    """An engine that answers every task at once, as ``answer`` says."""

    def __init__(self, answer: Callable[[str, Task], Sequence[Report]], workers: int = 2):
        self.answer, self.idle, self.stopped = answer, [], 0
        self.now = 0.0
        self._news: list[Report] = []
        self._names = iter(range(1, 10**6))
        self._workers = workers

    def start(self, job: Job) -> None:
        for _ in range(self._workers):
            self._join()

    def _join(self) -> None:
        self._news.append(Joined(str(next(self._names)), 0.5))

    @property
    def alive(self) -> int:
        return self._workers

    def submit(self, worker: str, task: Task) -> None:
        self.idle.remove(worker)
        self._news += self.answer(worker, task)

    def poll(self, timeout: float) -> Sequence[Report]:
        self.now += 0.1 if self._news else timeout
        news, self._news = self._news, []
        for report in news:
            if isinstance(report, Lost):
                self._join()
            else:
                self.idle.append(report.worker)
        return news

    def stop(self) -> None:
        self.stopped += 1


def told(engine: Played, tasks: Sequence[Task], policy: Policy | None = None) -> list[object]:
    return list(run(tasks, engine, Job("no:job"), policy=policy, clock=lambda: engine.now))


def tasks(count: int) -> list[Task]:
    return [Task(f"task {i}", "") for i in range(count)]


def test_all_is_told_in_its_order_and_the_engine_stopped() -> None:
    engine = Played(lambda worker, task: [Done(worker, task, task.name, 0.1)], workers=1)
    events = told(engine, tasks(2))
    assert [type(e) for e in events] == [Joined, Began, Done, Began, Done]
    assert engine.stopped == 1


def test_a_job_may_say_how_much_of_a_task_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    finished = Schedule.finished

    def note(self: Schedule, worker: str, task: Task, now: float, share: float = 1.0) -> bool:
        seen.append(share)
        return finished(self, worker, task, now, share)

    monkeypatch.setattr(Schedule, "finished", note)
    results = iter([{"share": 0.25}, {"state": "made"}, "text", None, 3])
    engine = Played(lambda worker, task: [Done(worker, task, next(results), 0.1)], workers=1)
    told(engine, tasks(5))
    assert seen == [0.25, 1.0, 1.0, 1.0, 1.0]


def test_nothing_to_do_starts_nothing() -> None:
    engine = Played(lambda worker, task: [])
    assert told(engine, []) == [] and engine.stopped == 0


def test_workers_that_only_die_end_the_run_with_the_last_reason() -> None:
    engine = Played(lambda worker, task: [Lost(worker, task, "killed by signal 4 (SIGILL)")])
    with pytest.raises(KerasvizError, match=r"41 workers died .* the last: killed by signal 4"):
        told(engine, tasks(100))
    assert DEATHS == 40 and engine.stopped == 1


def test_a_few_deadly_tasks_do_not_end_the_run() -> None:
    def answer(worker: str, task: Task) -> list[Report]:
        if int(task.name.split()[1]) % 10 == 0:
            return [Lost(worker, task, "out of memory")]
        return [Done(worker, task, None, 0.1)]

    events = told(Played(answer), tasks(100), Policy(losses=2))
    given = [e.task.name for e in events if isinstance(e, TaskAbandoned)]
    assert sorted(given) == sorted(f"task {i}" for i in range(0, 100, 10))
    assert sum(isinstance(e, Done) for e in events) == 90
    assert sum(isinstance(e, Lost) for e in events) == 30


def test_what_fails_always_is_given_up_once_each_with_its_last_error() -> None:
    counted: dict[str, int] = {}

    def answer(worker: str, task: Task) -> list[Report]:
        counted[task.name] = counted.get(task.name, 0) + 1
        return [Failed(worker, task, f"ValueError: try {counted[task.name]}", "trace", 0.1)]

    events = told(Played(answer), tasks(3), Policy(retries=2))
    given = {e.task.name: e.reason for e in events if isinstance(e, TaskAbandoned)}
    assert given == {f"task {i}": "ValueError: try 3" for i in range(3)}
    assert sum(isinstance(e, TaskAbandoned) for e in events) == 3


def test_an_exception_of_the_one_who_listens_stops_the_engine() -> None:
    engine = Played(lambda worker, task: [Done(worker, task, None, 0.1)])
    events = run(tasks(5), engine, Job("no:job"), clock=lambda: engine.now)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert engine.stopped == 1
