"""Runs: the tasks of a schedule on the workers of an engine, as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

from kerasviz.atlas.engines.protocol import (
    Began,
    Done,
    Event,
    Failed,
    Job,
    Joined,
    Lost,
    Report,
    Task,
)
from kerasviz.atlas.engines.schedule import Policy, Schedule
from kerasviz.atlas.engines.worker_pool import Engine
from kerasviz.errors import KerasvizError

#: Seconds after which the schedule is asked again where nothing happens.
PAUSE = 1.0
#: Workers that may die at their tasks, one after the other, while no task is done. It is more than
#: a single task kills before it is abandoned.
DEATHS = 40
#: The same for each worker, where there are many.
DEATHS_EACH = 10


def run(
    tasks: Iterable[Task],
    engine: Engine,
    job: Job,
    *,
    policy: Policy | None = None,
    compiling: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Event, None, None]:
    """Do all tasks, and yield the events.

    Every task ends by one ``Done`` or ``TaskAbandoned``. Close the iterator
    (``contextlib.closing``) to stop the workers early; its end and exceptions stop them, too.
    ``compiling`` has the known seconds to compile groups. Raises :class:`KerasvizError` where no
    worker can be started, or workers only die.
    """
    schedule = Schedule(tasks, compiling, policy)
    deaths, most, abandoned = 0, 0, 0
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
                    if deaths > max(DEATHS, DEATHS_EACH * most):
                        raise KerasvizError(
                            f"{deaths} workers died one after the other at their tasks; the last: "
                            f"{report.reason}"
                        )
            yield from schedule.abandoned[abandoned:]
            abandoned = len(schedule.abandoned)
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
    """Tell the schedule of a report; return False if another worker had done the task before."""
    if isinstance(report, Joined):
        schedule.joined(report.worker)
    elif isinstance(report, Done):
        return schedule.finished(report.worker, report.task, now, report.share)
    elif isinstance(report, Failed):
        schedule.failed(report.worker, report.task, report.reason, now)
    elif report.worker in schedule.workers:
        schedule.lost(report.worker, now, report.reason)
    return True
