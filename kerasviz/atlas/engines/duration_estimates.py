"""Durations: how long tasks take, expected at first and corrected by measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kerasviz.atlas.engines.protocol import Task


@dataclass
class _Sums:
    """The measured and the expected seconds of tasks, and their number."""

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

    A task's cost is multiplied by the measured ratio of its group, or by that of all groups until
    the group was measured. ``compiling`` has the expected seconds to compile a group; for others
    it is the mean of what was measured, or ``guess``. The first task of a group on a worker
    contains the compilation, all others tell the ratio.
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
        """Learn from a finished task; ``first`` says that the worker had to compile its group."""
        group = task.group
        expected = task.cost * self.ratio(group) + (self.compiling(group) if first else 0.0)
        self._workers.setdefault(worker, _Sums()).add(seconds, expected)
        sums = (self._cold if first else self._warm).setdefault(group, _Sums())
        sums.add(seconds, task.cost)
        if first:
            rest = seconds - task.cost * self.ratio(group)
            if group in self._warm:
                self._compiled.add(max(0.0, rest), 1.0)
        else:
            self._all.add(seconds, task.cost)

    def forget(self, worker: str) -> None:
        """Forget a worker that is lost."""
        self._workers.pop(worker, None)

    def ratio(self, group: str) -> float:
        """Return measured over expected seconds of a group's tasks, without compiling."""
        warm, cold = self._warm.get(group), self._cold.get(group)
        if warm is not None and warm.ratio is not None:
            return warm.ratio
        overall = self._all.ratio
        if overall is not None or cold is None or cold.ratio is None:
            return overall or 1.0
        compiling = cold.count * self.compiling(group)
        return (cold.seconds - compiling) / cold.expected if compiling < cold.seconds else 1.0

    def compiling(self, group: str) -> float:
        """Return the seconds to compile a group, the first time on a worker."""
        warm, cold = self._warm.get(group), self._cold.get(group)
        if warm is not None and cold is not None and warm.ratio is not None:
            return max(0.0, cold.seconds - cold.expected * warm.ratio) / cold.count
        return self._compiling.get(group, self._mean())

    def _mean(self) -> float:
        return self._guess if self._compiled.ratio is None else self._compiled.ratio

    def slowness(self, worker: str) -> float:
        """Return how many times as long as expected a worker takes; 1 until it is known.

        It is not below 1: a task that was done at once says nothing about the next.
        """
        sums = self._workers.get(worker)
        return max(1.0, sums.ratio or 1.0) if sums is not None else 1.0
