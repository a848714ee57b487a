"""The worker pool of any engine: starts, tasks, ends and replacements of its workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kerasviz.atlas.engines.protocol import Done, Failed, Job, Joined, Lost, Report, Task
from kerasviz.atlas.engines.slots import WorkerSlots
from kerasviz.atlas.engines.worker import Answer
from kerasviz.errors import KerasvizError


@dataclass(frozen=True)
class Answered:
    """A worker's answer: to the job first, then to each task."""

    worker: str
    answer: Answer


@dataclass(frozen=True)
class Ended:
    """A worker's process is gone; ``trace`` is the end of its output, where that is known."""

    worker: str
    reason: str
    trace: str = ""


Signal = Answered | Ended


class Starter(Protocol):
    """What differs between engines: how a process starts, receives tasks, answers and ends."""

    def open(self, job: Job) -> None:
        """Prepare to start workers with a job."""
        ...

    def wanted(self) -> int:
        """Return how many workers there should be now."""
        ...

    def launch(self, worker: str, slot: int) -> None:
        """Start a process, which answers when it is ready; :class:`Ended` may tell a failure."""
        ...

    def send(self, worker: str, payload: str) -> None:
        """Give a task to a worker, which may be dead."""
        ...

    def wait(self, timeout: float) -> Sequence[Signal]:
        """Return the next signals, in their order for each worker; none after ``timeout``."""
        ...

    def end(self, worker: str) -> None:
        """Kill a worker, unless it is dead, and forget it."""
        ...

    def close(self) -> None:
        """Kill all workers and clean up; it may be called more than once."""
        ...


@dataclass
class _Member:
    slot: int
    began: float
    ready: bool = False
    task: Task | None = None


class WorkerPool:
    """An engine: workers that each have one job and at most one task at a time.

    ``starter`` starts their processes. The name of a lost worker is not used again: its replacement
    has another.
    """

    def __init__(self, starter: Starter, clock: Callable[[], float] = time.monotonic):
        self.starter, self._clock = starter, clock
        self._slots = WorkerSlots()
        self._members: dict[str, _Member] = {}
        self._last = "no worker was asked for"

    def start(self, job: Job) -> None:
        """Start the workers, without waiting for them; each reports :class:`Joined` when ready."""
        self._slots, self._members = WorkerSlots(), {}
        self.starter.open(job)
        self._fill()

    @property
    def idle(self) -> Sequence[str]:
        """The workers that are ready and have no task."""
        return [name for name, m in self._members.items() if m.ready and m.task is None]

    @property
    def alive(self) -> int:
        """The number of workers that are ready, with a task or without."""
        return sum(member.ready for member in self._members.values())

    def submit(self, worker: str, task: Task) -> None:
        """Give an idle worker a task, which :class:`Done`, :class:`Failed` or :class:`Lost` ends.

        A worker that has died meanwhile is no error here: :meth:`poll` reports it lost.
        """
        member = self._members[worker]
        if not member.ready or member.task is not None:
            raise ValueError(f"worker {worker!r} is not idle")
        member.task = task
        self.starter.send(worker, task.payload)

    def poll(self, timeout: float) -> Sequence[Report]:
        """Wait for events, at most ``timeout`` seconds, and return them in their order.

        A worker whose process ends is :class:`Lost` at once, and replaced. Raises
        :class:`KerasvizError` with the last reason where none can be started.
        """
        latest = self._clock() + timeout
        reports: list[Report] = []
        while True:
            self._fill()
            if not self._members and self._slots.next is None:
                raise KerasvizError(f"no worker can be started; the last one said: {self._last}")
            now = self._clock()
            due = self._slots.next
            until = latest if due is None else min(latest, due)
            for signal in self.starter.wait(max(0.0, until - now)):
                reports += self._reports(signal)
            if reports or self._clock() >= latest:
                self._fill()
                return reports

    def stop(self) -> None:
        """End all workers now; it may be called after an error, and more than once."""
        self._members.clear()
        self.starter.close()

    def _fill(self) -> None:
        self._slots.want(self.starter.wanted())
        for slot in self._slots.take(self._clock()):
            name = self._slots.name(slot)
            self._members[name] = _Member(slot, self._clock())
            self.starter.launch(name, slot)

    def _reports(self, signal: Signal) -> list[Report]:
        member = self._members.get(signal.worker)
        if member is None:  # it was ended here
            return []
        if isinstance(signal, Ended):
            return [self._lost(signal.worker, signal.reason, signal.trace, explained=False)]
        answer = signal.answer
        if not member.ready:
            if answer.reason:
                self.starter.end(signal.worker)
                return [self._lost(signal.worker, answer.reason, answer.trace, explained=True)]
            member.ready = True
            self._slots.joined(member.slot)
            return [Joined(signal.worker, self._clock() - member.began)]
        task, member.task = member.task, None
        if task is None:
            raise ValueError(f"worker {signal.worker!r} answered without a task")
        if answer.reason:
            return [Failed(signal.worker, task, answer.reason, answer.trace, answer.seconds)]
        return [Done(signal.worker, task, answer.result, answer.seconds)]

    def _lost(self, worker: str, reason: str, trace: str, *, explained: bool) -> Lost:
        member = self._members.pop(worker)
        self._last = reason
        now = self._clock()
        replaced = self._slots.left(member.slot, joined=member.ready, explained=explained, now=now)
        return Lost(worker, member.task, reason, trace, replaced)


#: The workers of a run.
Engine = WorkerPool
