"""A crew: the workers of any engine, from their start to their end, with replacements."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kerasviz.atlas.engines.protocol import Done, Failed, Job, Joined, Lost, Report, Task
from kerasviz.atlas.engines.slots import WorkerSlots
from kerasviz.atlas.engines.worker import Answer
from kerasviz.errors import KerasvizError

__all__ = ["Answered", "Ended", "Signal", "Starter", "WorkerPool"]


@dataclass(frozen=True)
class Answered:
    """A worker's answer: to the job first, then to each task."""

    worker: str
    answer: Answer


@dataclass(frozen=True)
class Ended:
    """A worker's process is gone; ``trace`` is what it wrote last, where that is known."""

    worker: str
    reason: str
    trace: str = ""


Signal = Answered | Ended


class Starter(Protocol):
    """What differs between engines: how a process starts, hears, speaks and ends."""

    def open(self, job: Job) -> None:
        """Get ready to start workers with this job."""
        ...

    def wanted(self) -> int:
        """How many workers there should be now."""
        ...

    def launch(self, worker: str, place: int) -> None:
        """Start a process, which answers to the job; a failure may come as :class:`Ended`."""
        ...

    def send(self, worker: str, payload: str) -> None:
        """Give a worker a task; it may be dead."""
        ...

    def wait(self, timeout: float) -> Sequence[Signal]:
        """The next signals, in their order for each worker; none after ``timeout`` seconds."""
        ...

    def end(self, worker: str) -> None:
        """Kill a worker and forget it, if it is not dead already."""
        ...

    def close(self) -> None:
        """Kill all workers and clean up; also more than once."""
        ...


@dataclass
class _Member:
    place: int
    began: float
    ready: bool = False
    task: Task | None = None


class WorkerPool:
    """An engine from what starts its processes; see ``Engine``."""

    def __init__(self, starter: Starter, clock: Callable[[], float] = time.monotonic):
        self.starter, self._clock = starter, clock
        self._places = WorkerSlots()
        self._members: dict[str, _Member] = {}
        self._last = "no worker was asked for"

    def start(self, job: Job) -> None:
        """Start the workers, without waiting for them."""
        self._places, self._members = WorkerSlots(), {}
        self.starter.open(job)
        self._fill()

    @property
    def idle(self) -> Sequence[str]:
        """The workers that are ready and have no task."""
        return [name for name, m in self._members.items() if m.ready and m.task is None]

    @property
    def alive(self) -> int:
        """How many workers are ready, with a task or without."""
        return sum(member.ready for member in self._members.values())

    def submit(self, worker: str, task: Task) -> None:
        """Give an idle worker a task."""
        member = self._members[worker]
        if not member.ready or member.task is not None:
            raise ValueError(f"worker {worker!r} is not idle")
        member.task = task
        self.starter.send(worker, task.payload)

    def poll(self, timeout: float) -> Sequence[Report]:
        """Wait for news, and replace who is lost."""
        latest = self._clock() + timeout
        reports: list[Report] = []
        while True:
            self._fill()
            if not self._members and self._places.next is None:
                raise KerasvizError(f"no worker can be started; the last one said: {self._last}")
            now = self._clock()
            due = self._places.next
            until = latest if due is None else min(latest, due)
            for signal in self.starter.wait(max(0.0, until - now)):
                reports += self._heard(signal)
            if reports or self._clock() >= latest:
                self._fill()
                return reports

    def stop(self) -> None:
        """End all workers now."""
        self._members.clear()
        self.starter.close()

    def _fill(self) -> None:
        self._places.want(self.starter.wanted())
        for place in self._places.take(self._clock()):
            name = self._places.name(place)
            self._members[name] = _Member(place, self._clock())
            self.starter.launch(name, place)

    def _heard(self, signal: Signal) -> list[Report]:
        member = self._members.get(signal.worker)
        if member is None:  # it was ended here
            return []
        if isinstance(signal, Ended):
            return [self._lost(signal.worker, signal.reason, signal.trace, said=False)]
        answer = signal.answer
        if not member.ready:
            if answer.reason:
                self.starter.end(signal.worker)
                return [self._lost(signal.worker, answer.reason, answer.trace, said=True)]
            member.ready = True
            self._places.joined(member.place)
            return [Joined(signal.worker, self._clock() - member.began)]
        task, member.task = member.task, None
        if task is None:
            raise ValueError(f"worker {signal.worker!r} answered without a task")
        if answer.reason:
            words = (answer.reason, answer.trace, answer.seconds)
            return [Failed(signal.worker, task, *words)]
        return [Done(signal.worker, task, answer.result, answer.seconds)]

    def _lost(self, worker: str, reason: str, trace: str, *, said: bool) -> Lost:
        member = self._members.pop(worker)
        self._last = reason
        now = self._clock()
        again = self._places.left(member.place, joined=member.ready, said=said, now=now)
        return Lost(worker, member.task, reason, trace, again)
