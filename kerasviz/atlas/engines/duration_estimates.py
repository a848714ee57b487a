"""Durations: how long tasks take, expected at first and corrected by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kerasviz.atlas.engines.protocol import Task

__all__ = ["Durations"]


@dataclass
class _Sums:
    """Seconds that tasks took beside the seconds that they should have taken, and their number."""

    seconds: float = 0.0
    expected: float = 0.0
    count: int = 0

    def add(self, seconds: float, expected: float) -> None:
        self.seconds += seconds
        self.expected += expected
        self.count += 1

    @property
    def ratio(self) -> float | None:
        return self.seconds / self.expected if self.expected > 0 else None


class Durations:
    """The expected seconds of tasks on workers.

    A task's cost is multiplied by what the tasks of its kind took of theirs; a kind that has not
    been measured takes the ratio of all kinds. ``compiling`` are the expected seconds to compile a
    kind; those that are not in it take the mean of what was measured, or ``guess``. The first task
    of a kind on a worker holds the compilation, all others tell the ratio.
    """

    def __init__(self, compiling: Mapping[str, float], guess: float = 0.0):
        self._guess = guess
        self._compiling = dict(compiling)
        self._warm: dict[str, _Sums] = {}
        self._cold: dict[str, _Sums] = {}
        self._all = _Sums()
        self._workers: dict[str, _Sums] = {}
        self._compiled = _Sums()

    def measure(self, task: Task, worker: str, seconds: float, first: bool) -> None:
        """A worker has done a task; ``first`` says that it had to compile the task's kind."""
        expected = task.cost * self.ratio(task.kind) + (self.compiling(task.kind) if first else 0.0)
        self._workers.setdefault(worker, _Sums()).add(seconds, expected)
        sums = (self._cold if first else self._warm).setdefault(task.kind, _Sums())
        sums.add(seconds, task.cost)
        if first:
            rest = seconds - task.cost * self.ratio(task.kind)
            if task.kind in self._warm:
                self._compiled.add(max(0.0, rest), 1.0)
        else:
            self._all.add(seconds, task.cost)

    def forget(self, worker: str) -> None:
        """A worker is gone."""
        self._workers.pop(worker, None)

    def ratio(self, kind: str) -> float:
        """Measured over expected seconds of a kind's tasks, without compiling."""
        warm, cold = self._warm.get(kind), self._cold.get(kind)
        if warm is not None and warm.ratio is not None:
            return warm.ratio
        overall = self._all.ratio
        if overall is not None or cold is None or cold.ratio is None:
            return overall or 1.0
        known = cold.count * self.compiling(kind)
        return (cold.seconds - known) / cold.expected if known < cold.seconds else 1.0

    def compiling(self, kind: str) -> float:
        """The seconds to compile a kind, the first time on a worker."""
        warm, cold = self._warm.get(kind), self._cold.get(kind)
        if warm is not None and cold is not None and warm.ratio is not None:
            return max(0.0, cold.seconds - cold.expected * warm.ratio) / cold.count
        return self._compiling.get(kind, self._mean())

    def _mean(self) -> float:
        return self._guess if self._compiled.ratio is None else self._compiled.ratio

    def slowness(self, worker: str) -> float:
        """How many times as long as expected the worker has taken so far; 1 before it is known.

        Not below 1: a task that was done at once says nothing of the next.
        """
        sums = self._workers.get(worker)
        return max(1.0, sums.ratio or 1.0) if sums is not None else 1.0
