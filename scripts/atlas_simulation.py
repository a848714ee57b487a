"""Simulate how long tasks take on many workers that die and are slow.

The ``Schedule`` of a real run hands out the tasks; only the clock and the workers are not real.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kerasviz.atlas.engines.protocol import Task
from kerasviz.atlas.engines.schedule import Policy, Schedule

__all__ = ["Conditions", "Outcome", "Workload", "simulate"]

#: A run that takes this many events for each task and worker does not end.
EVENTS = 400
#: After this many idle workers got no task, the others are not asked.
REFUSED = 20


@dataclass(frozen=True)
class Workload:
    """Tasks, whose costs are their seconds on a worker of usual speed.

    ``compiling`` has the seconds to compile each group. ``useful`` are the seconds of useful work:
    by default those of every task once, less where smaller batches cost more.
    """

    tasks: tuple[Task, ...]
    compiling: Mapping[str, float] = field(default_factory=dict)
    useful: float | None = None

    @property
    def work(self) -> float:
        """The seconds of useful work."""
        return sum(task.cost for task in self.tasks) if self.useful is None else self.useful


@dataclass(frozen=True)
class Conditions:
    """The workers and their troubles; all times are seconds.

    start
        The time from asking for a worker until it is ready, without its downloads.
    fetch, shared
        The time to download the network for one worker alone, and the time of each worker on a link
        that all share: workers that start together wait for one another.
    lifetime
        The mean time until a worker dies (exponentially distributed), also while it starts.
    notice, restart
        The time from a death until it is noticed, and then until a new worker is asked for.
    slow_share, slow
        The share of workers that take ``slow`` times as long.
    spread
        The standard deviation of the logarithm of a task's seconds.
    error
        The same for the error of the costs that the schedule is told, for each group.
    saves
        The time between two checkpoints of a task, from which another worker can go on; infinite
        without checkpoints.
    saving
        The time to save a checkpoint.
    """

    workers: int
    start: float = 0.0
    fetch: float = 0.0
    shared: float = 0.0
    lifetime: float = math.inf
    notice: float = 5.0
    restart: float = 30.0
    slow_share: float = 0.0
    slow: float = 1.0
    spread: float = 0.0
    error: float = 0.0
    saves: float = math.inf
    saving: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """The seconds of a simulated run, and counts of its failures.

    ``makespan`` is the time from asking for the first worker to the last finished task. The others
    are sums over the workers: ``useful`` work, ``busy`` at tasks, ``compiling`` as a part of it,
    ``copied`` in attempts that came too late, ``lost`` in attempts that died (without what they had
    saved), and ``starting``.
    """

    workers: int
    makespan: float
    useful: float
    busy: float
    compiling: float
    copied: float
    lost: float
    starting: float
    copies: int
    retries: int
    deaths: int
    abandoned: int

    @property
    def efficiency(self) -> float:
        """Useful work over workers times makespan."""
        return self.useful / (self.workers * self.makespan) if self.makespan else 1.0


@dataclass
class _SimulatedWorker:
    slow: float
    asked: float
    dies: float
    ready: bool = False
    task: Task | None = None
    began: float = 0.0
    compiled: set[str] = field(default_factory=set)
    first: float = 0.0  # seconds to compile
    pace: float = 1.0  # seconds for each of a task's on a usual worker
    had: float = 0.0  # seconds of the task, on a usual worker, that were saved before

    def saved(self, now: float, on: Conditions) -> float:
        """Return the seconds of its task, on a usual worker, that have been saved."""
        if math.isinf(on.saves):
            return self.had
        turns = (now - self.began - self.first) // (on.saves + on.saving)
        return self.had + max(0.0, turns) * on.saves / self.pace


def simulate(workload: Workload, conditions: Conditions, policy: Policy | None = None) -> Outcome:
    """Run a workload under conditions; the same seed has the same outcome."""
    return _SimulatedRun(workload, conditions, policy).outcome()


class _SimulatedRun:
    """Events in the order of time: a worker is ready, ends a task, dies, is noticed to be dead."""

    def __init__(self, workload: Workload, conditions: Conditions, policy: Policy | None):
        self.load, self.on = workload, conditions
        self.rng = np.random.default_rng(conditions.seed)
        groups = sorted({task.group for task in workload.tasks})
        told = dict(zip(groups, self._factors(conditions.error, len(groups)), strict=True))
        self.true = {task.name: task for task in workload.tasks}
        tasks = [Task(t.name, t.payload, t.cost * told[t.group], t.group) for t in workload.tasks]
        self.schedule = Schedule(tasks, workload.compiling, policy)
        self.workers: dict[str, _SimulatedWorker] = {}
        self.idle: dict[str, None] = {}
        self.saved: dict[str, float] = {}
        self.events: list[tuple[float, int, str, str]] = []
        self.made = self.numbered = 0
        self.link = 0.0
        self.wakes = math.inf
        self.sums = dict.fromkeys(("busy", "compiling", "copied", "lost", "starting"), 0.0)
        self.deaths = self.handed = self.copies = 0

    def _factors(self, sigma: float, count: int) -> list[float]:
        """Factors around 1, whose mean is 1."""
        normal = self.rng.standard_normal(count)
        return [float(f) for f in np.exp(sigma * normal - sigma**2 / 2)]

    def _at(self, time: float, what: str, worker: str = "") -> None:
        self.numbered += 1
        heapq.heappush(self.events, (time, self.numbered, what, worker))

    def _ask(self, now: float) -> None:
        """Ask for a worker, which starts, and dies at some time."""
        on, name = self.on, f"worker {self.made}"
        self.made += 1
        slow = on.slow if self.rng.random() < on.slow_share else 1.0
        alive = float(self.rng.exponential(on.lifetime)) if math.isfinite(on.lifetime) else math.inf
        began = now + on.start * slow
        self.link = max(self.link, began) + on.shared
        ready = max(self.link, began + on.fetch)
        self.workers[name] = _SimulatedWorker(slow, now, now + alive)
        if now + alive <= ready:
            self._at(now + alive, "dead", name)
        else:
            self._at(ready, "ready", name)

    def outcome(self) -> Outcome:
        for _ in range(self.on.workers):
            self._ask(0.0)
        now, most = 0.0, EVENTS * (len(self.load.tasks) + self.on.workers)
        while not self.schedule.done:
            now, free, woken = self.events[0][0], [], False
            while self.events and self.events[0][0] == now:
                _, number, what, worker = heapq.heappop(self.events)
                if number > most:
                    raise RuntimeError(f"the simulated run does not end: {most} events")
                getattr(self, f"_{what}")(worker, now)
                woken = woken or what == "wake"
                if worker in self.idle:
                    free.append(worker)
            self._hand_out(free, now, woken)
        for own in self.workers.values():
            self._stop(own, now, "copied")  # all that runs has been done by another
        schedule = self.schedule
        return Outcome(
            workers=self.on.workers,
            makespan=now,
            useful=self.load.work,
            copies=self.copies,
            retries=self.handed - self.copies - len(self.load.tasks),
            deaths=self.deaths,
            abandoned=len(schedule.abandoned),
            **self.sums,
        )

    # -- events ----------------------------------------------------------------------------

    def _ready(self, worker: str, now: float) -> None:
        self.schedule.joined(worker)
        self.idle[worker] = None
        own = self.workers[worker]
        own.ready = True
        self.sums["starting"] += now - own.asked
        if math.isfinite(own.dies):
            self._at(own.dies, "dead", worker)

    def _ended(self, worker: str, now: float) -> None:
        own = self.workers[worker]
        if own.dies <= now or own.task is None:
            return
        task = own.task
        share = 1 - own.had / self.true[task.name].cost if own.had else 1.0
        won = self.schedule.finished(worker, task, now, share)
        own.compiled.add(task.group)
        self._leave(own, now, "" if won else "copied")
        self.idle[worker] = None

    def _dead(self, worker: str, now: float) -> None:
        self.deaths += 1
        self.idle.pop(worker, None)
        own = self.workers[worker]
        if own.task is not None:
            saved = own.saved(now, self.on)
            self.saved[own.task.name] = max(saved, self.saved.get(own.task.name, 0.0))
            self.sums["lost"] -= (saved - own.had) * own.pace
        self._stop(own, now, "lost")
        self._at(now + self.on.notice, "noticed", worker)

    def _noticed(self, worker: str, now: float) -> None:
        del self.workers[worker]
        if worker in self.schedule.workers:
            self.schedule.lost(worker, now)
        self._at(now + self.on.restart, "asked")

    def _asked(self, worker: str, now: float) -> None:
        self._ask(now)

    def _wake(self, worker: str, now: float) -> None:
        self.wakes = math.inf

    # -- work --------------------------------------------------------------------------------

    def _stop(self, own: _SimulatedWorker, now: float, why: str) -> None:
        if own.task is not None:
            self._leave(own, now, why)
        elif not own.ready:
            own.ready = True
            self.sums["starting"] += now - own.asked

    def _leave(self, own: _SimulatedWorker, now: float, why: str) -> None:
        seconds = now - own.began
        self.sums["busy"] += seconds
        self.sums["compiling"] += min(seconds, own.first)
        if why:
            self.sums[why] += seconds
        own.task = None

    def _hand_out(self, free: list[str], now: float, woken: bool) -> None:
        """Give tasks to newly free workers, then to idle ones, until many get none."""
        given = [worker for worker in free if worker in self.idle and self._give(worker, now)]
        refused = len(free) - len(given)
        for worker in list(self.idle) if self.schedule.waiting or woken else ():
            if refused >= REFUSED:
                break
            if not self._give(worker, now):
                refused += 1
                self.idle[worker] = self.idle.pop(worker)  # others are asked for first, next time
        if self.idle and not self.schedule.done:
            wake = self.schedule.wake(now)
            if wake is not None and wake < self.wakes:
                self.wakes = wake
                self._at(wake, "wake")

    def _give(self, worker: str, now: float) -> bool:
        task = self.schedule.next(worker, now)
        if task is None:
            return False
        del self.idle[worker]
        own, true = self.workers[worker], self.true[task.name]
        compiling = self.load.compiling.get(task.group, 0.0)
        cold = 0.0 if task.group in own.compiled else compiling
        factors = self._factors(self.on.spread, 2)
        others = [self.workers[name] for name in self.schedule.runners(task) if name != worker]
        saved = [other.saved(now, self.on) for other in others if other.dies > now]
        own.first, own.pace = cold * factors[0] * own.slow, factors[1] * own.slow
        own.task, own.began = task, now
        own.had = max([self.saved.get(task.name, 0.0), *saved])
        self.handed += 1
        self.copies += bool(others)
        seconds = (true.cost - own.had) * own.pace
        end = now + own.first + seconds + self.on.saving * (seconds // self.on.saves)
        if end < own.dies:
            self._at(end, "ended", worker)
        return True
