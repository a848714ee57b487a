"""A run: tasks by a schedule on the workers of an engine, told as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

from kerasviz.atlas.engines.protocol import (
    Began,
    Done,
    Engine,
    Event,
    Failed,
    Job,
    Joined,
    Lost,
    Report,
    Task,
    TaskAbandoned,
)
from kerasviz.atlas.engines.schedule import Policy, Schedule
from kerasviz.errors import KerasvizError

__all__ = ["run"]

#: Seconds between two looks at the schedule where nothing happens.
PAUSE = 1.0
#: Workers that may die one after the other while no task is done: so many, and so many for each
#: worker. A task alone kills fewer before it is given up.
DEATHS, EACH = 40, 10


def run(
    tasks: Iterable[Task],
    engine: Engine,
    job: Job,
    *,
    policy: Policy | None = None,
    compiling: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Event, None, None]:
    """Do all tasks, and yield what happens.

    Every task ends by one ``Done``, or by ``TaskAbandoned`` with its last error. Close the
    iterator (``contextlib.closing``) to stop the workers early; they are stopped at its end, and
    after any exception. ``compiling`` are the seconds to compile each kind, where they are known.
    Raises :class:`KerasvizError` where no worker can be started, or workers only die.
    """
    schedule = Schedule(tasks, compiling, policy)
    deaths, most, told = 0, 0, 0
    if schedule.done:
        return
    try:
        engine.start(job)
        while True:
            most = max(most, engine.alive)
            yield from _hand_out(schedule, engine, clock)
            for report in engine.poll(_pause(schedule, clock())):
                if not _note(schedule, report, clock()):
                    continue
                yield report
                if isinstance(report, Done | Failed):
                    deaths = 0
                elif isinstance(report, Lost) and report.task is not None:
                    deaths += 1
                    if deaths > max(DEATHS, EACH * most):
                        words = f"{deaths} workers died one after the other at their tasks"
                        raise KerasvizError(f"{words}; the last: {report.reason}")
            for given in schedule.exhausted[told:]:
                yield TaskAbandoned(given.task, given.reason)
            told = len(schedule.exhausted)
            if schedule.done:
                return
    finally:
        engine.stop()


def _hand_out(schedule: Schedule, engine: Engine, clock: Callable[[], float]) -> Iterator[Began]:
    for worker in engine.idle:
        task = schedule.next(worker, clock())
        if task is not None:
            engine.submit(worker, task)
            yield Began(worker, task, copy=len(schedule.runners(task)) > 1)


def _pause(schedule: Schedule, now: float) -> float:
    wake = schedule.wake(now)
    return PAUSE if wake is None else min(PAUSE, wake - now)


def _note(schedule: Schedule, report: Report, now: float) -> bool:
    """Tell the schedule; False for the answer of a copy whose other was faster."""
    if isinstance(report, Joined):
        schedule.joined(report.worker)
    elif isinstance(report, Done):
        return schedule.finished(report.worker, report.task, now, report.share)
    elif isinstance(report, Failed):
        schedule.failed(report.worker, report.task, report.reason, now)
    elif report.worker in schedule.workers:
        schedule.lost(report.worker, now, report.reason)
    return True
