"""Waiting tasks, by kind: the longest of each, and the kinds in the order of several urgencies."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kerasviz.atlas.engines.protocol import Task

__all__ = ["TaskGroup", "TaskQueue"]


@dataclass
class TaskGroup:
    """The waiting tasks of a kind, and the workers that are at tasks of it.

    ``cost`` is the sum of the costs that wait; ``version`` changes with every change.
    """

    name: str
    heap: list[tuple[float, int]] = field(default_factory=list)
    cost: float = 0.0
    running: int = 0
    version: int = 0

    @property
    def longest(self) -> float:
        """The cost of its longest waiting task, 0 if none waits."""
        return -self.heap[0][0] if self.heap else 0.0


class TaskQueue:
    """Tasks that wait. Every call takes logarithmic time, but for tasks that are passed over."""

    def __init__(self, tasks: list[Task], scale: Callable[[str], float]):
        self._tasks = tasks
        self._scale = scale
        self.kinds: dict[str, TaskGroup] = {}
        self.open: dict[str, TaskGroup] = {}  # those that have waiting tasks
        self.count = 0
        self.cost = 0.0
        self._order: dict[str, int] = {}
        self._by_longest: list[tuple[float, int, int, str]] = []
        self._by_share: list[tuple[float, int, int, str]] = []
        for number, task in enumerate(tasks):
            self._order.setdefault(task.kind, len(self._order))
            kind = self.kinds.setdefault(task.kind, TaskGroup(task.kind))
            kind.heap.append((-task.cost, number))
            kind.cost += task.cost
        for kind in self.kinds.values():
            heapq.heapify(kind.heap)
        self.rank()
        self.count = len(tasks)

    def rank(self) -> None:
        """Sort the kinds anew: the scale of their costs has changed."""
        self._by_longest, self._by_share = [], []
        self.cost = 0.0
        for kind in self.kinds.values():
            self.cost += kind.cost * self._scale(kind.name)
            self._push(kind)

    def _push(self, kind: TaskGroup) -> None:
        kind.version += 1
        if not kind.heap:
            self.open.pop(kind.name, None)
        else:
            self.open[kind.name] = kind
            scale, order = self._scale(kind.name), self._order[kind.name]
            entry = (order, kind.version, kind.name)
            heapq.heappush(self._by_longest, (-kind.longest * scale, *entry))
            share = kind.cost * scale / (kind.running + 1)
            heapq.heappush(self._by_share, (-share, *entry))

    def add(self, number: int) -> None:
        """A task waits again."""
        task = self._tasks[number]
        kind = self.kinds[task.kind]
        heapq.heappush(kind.heap, (-task.cost, number))
        kind.cost += task.cost
        self.cost += task.cost * self._scale(kind.name)
        self.count += 1
        self._push(kind)

    def take(self, kind: TaskGroup, allowed: Callable[[int], bool]) -> int | None:
        """The longest task of a kind that is allowed; it waits no longer."""
        passed = []
        found = None
        while kind.heap and found is None:
            entry = heapq.heappop(kind.heap)
            if allowed(entry[1]):
                found = entry[1]
            else:
                passed.append(entry)
        for entry in passed:
            heapq.heappush(kind.heap, entry)
        if found is not None:
            cost = self._tasks[found].cost
            kind.cost = kind.cost - cost if kind.heap else 0.0
            self.cost -= cost * self._scale(kind.name)
            self.count -= 1
            self._push(kind)
        return found

    def runs(self, name: str, change: int) -> None:
        """One worker more (1) or less (-1) is at tasks of a kind."""
        kind = self.kinds[name]
        kind.running += change
        self._push(kind)

    @contextmanager
    def by_longest(self) -> Iterator[Iterator[TaskGroup]]:
        """The kinds that have waiting tasks, that with the longest of all first."""
        with self._sorted(self._by_longest) as kinds:
            yield kinds

    @contextmanager
    def by_share(self) -> Iterator[Iterator[TaskGroup]]:
        """The same, first that with the most to do for each worker, were there one more."""
        with self._sorted(self._by_share) as kinds:
            yield kinds

    @contextmanager
    def _sorted(self, heap: list[tuple[float, int, int, str]]) -> Iterator[Iterator[TaskGroup]]:
        seen: list[tuple[float, int, int, str]] = []

        def each() -> Iterator[TaskGroup]:
            while heap:
                entry = heapq.heappop(heap)
                kind = self.kinds[entry[3]]
                if entry[2] == kind.version and kind.heap:
                    seen.append(entry)
                    yield kind

        yield each()
        for entry in seen:
            heapq.heappush(heap, entry)
