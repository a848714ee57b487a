"""Running tasks: who is at which, when each should end, and which is overdue."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """A task, by its number, on a worker; ``compiles`` says that its group is new to the worker.

    ``began`` and the expected ``end`` are seconds of the schedule's clock.
    """

    number: int
    began: float
    end: float
    compiles: bool


class RunningTasks:
    """The attempts of all workers, each with one at most.

    ``groups`` are those of all tasks. A task is overdue after ``overdue`` times its expected
    seconds, and no less than ``slack`` seconds late. Each call takes logarithmic time.
    """

    def __init__(self, groups: Sequence[str], overdue: float, slack: float):
        self._groups, self._overdue, self._slack = groups, overdue, slack
        self._attempts: dict[str, Attempt] = {}
        self._runners: list[list[str]] = [[] for _ in groups]
        # An entry of these heaps ends with a version, and holds while it is that of the task.
        self._versions = [0] * len(groups)
        self._latest: list[tuple[float, int, int]] = []
        self._due: list[tuple[float, int, int]] = []
        self._ends: dict[str, list[tuple[float, str, int]]] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def of(self, worker: str) -> Attempt | None:
        """Return the attempt that a worker is at."""
        return self._attempts.get(worker)

    def runners(self, number: int) -> tuple[str, ...]:
        """Return the workers that are at a task: none, one or two."""
        return tuple(self._runners[number])

    def start(self, worker: str, attempt: Attempt) -> None:
        """Add an attempt of an idle worker."""
        self._attempts[worker] = attempt
        self._runners[attempt.number].append(worker)
        ends = self._ends.setdefault(self._groups[attempt.number], [])
        heapq.heappush(ends, (attempt.end, worker, attempt.number))
        self._watch(attempt.number)

    def leave(self, worker: str) -> Attempt:
        """Remove the attempt of a worker and return it."""
        attempt = self._attempts.pop(worker)
        self._runners[attempt.number].remove(worker)
        self._watch(attempt.number)
        return attempt

    def settle(self, number: int) -> None:
        """Note that a task has ended: a worker that is still at it needs no copy."""
        self._versions[number] += 1

    def soonest(self, group: str) -> float | None:
        """Return when the first of the workers that are at a group should end."""
        ends = self._ends.get(group, [])
        while ends:
            end, worker, number = ends[0]
            attempt = self._attempts.get(worker)
            if attempt is not None and (attempt.number, attempt.end) == (number, end):
                return end
            heapq.heappop(ends)
        return None

    def next_overdue(self) -> float | None:
        """Return when the next task without a copy is overdue."""
        return self._due[0][0] if self._clean(self._due) else None

    def overdue(self, now: float, allowed: Callable[[int], bool]) -> int | None:
        """Return the task without a copy that is overdue for the longest time, of those allowed."""
        skipped, number = [], None
        while number is None and self._clean(self._due) and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)
            if allowed(entry[1]):
                number = entry[1]
            else:
                skipped.append(entry)
        for entry in skipped:
            heapq.heappush(self._due, entry)
        return number

    def latest(self) -> tuple[float, int] | None:
        """Return the end and the number of the task without a copy that should end last."""
        if not self._clean(self._latest):
            return None
        end, number, _ = self._latest[0]
        return -end, number

    def _watch(self, number: int) -> None:
        """Note when a task should end and when it is overdue, if one worker is at it."""
        self._versions[number] += 1
        if len(self._runners[number]) == 1:
            attempt = self._attempts[self._runners[number][0]]
            seconds = attempt.end - attempt.began
            due = attempt.end + max((self._overdue - 1) * seconds, self._slack)
            heapq.heappush(self._latest, (-attempt.end, number, self._versions[number]))
            heapq.heappush(self._due, (due, number, self._versions[number]))

    def _clean(self, heap: list[tuple[float, int, int]]) -> bool:
        """Drop entries that no longer hold from the front of a heap; return whether one is left."""
        while heap and heap[0][2] != self._versions[heap[0][1]]:
            heapq.heappop(heap)
        return bool(heap)
