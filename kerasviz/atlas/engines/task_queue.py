"""Waiting tasks by group: the longest of each, and the groups in two orders."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kerasviz.atlas.engines.protocol import Task

#: An order key, the place of the group among all, its version, and its name.
_Entry = tuple[float, int, int, str]


@dataclass
class TaskGroup:
    """The waiting tasks of a group, and the number of workers that are at its tasks.

    ``cost`` is the sum of the waiting costs; ``version`` changes with every change.
    """

    name: str
    heap: list[tuple[float, int]] = field(default_factory=list)
    cost: float = 0.0
    running: int = 0
    version: int = 0

    @property
    def longest(self) -> float:
        """The cost of its longest waiting task; 0 if none waits."""
        return -self.heap[0][0] if self.heap else 0.0


class TaskQueue:
    """Tasks that wait; each call takes logarithmic time, except for tasks that are not allowed.

    ``scale`` returns the seconds of a unit of cost in a group.
    """

    def __init__(self, tasks: list[Task], scale: Callable[[str], float]):
        self._tasks = tasks
        self._scale = scale
        self.groups: dict[str, TaskGroup] = {}
        self.open: dict[str, TaskGroup] = {}  # those that have waiting tasks
        self.count = 0
        self.cost = 0.0
        self._order: dict[str, int] = {}
        self._by_longest: list[_Entry] = []
        self._by_share: list[_Entry] = []
        for number, task in enumerate(tasks):
            self._order.setdefault(task.group, len(self._order))
            group = self.groups.setdefault(task.group, TaskGroup(task.group))
            group.heap.append((-task.cost, number))
            group.cost += task.cost
        for group in self.groups.values():
            heapq.heapify(group.heap)
        self.rank()
        self.count = len(tasks)

    def rank(self) -> None:
        """Sort the groups again, after the scale of their costs has changed."""
        self._by_longest, self._by_share = [], []
        self.cost = 0.0
        for group in self.groups.values():
            self.cost += group.cost * self._scale(group.name)
            self._push(group)

    def _push(self, group: TaskGroup) -> None:
        group.version += 1
        if not group.heap:
            self.open.pop(group.name, None)
        else:
            self.open[group.name] = group
            scale, order = self._scale(group.name), self._order[group.name]
            entry = (order, group.version, group.name)
            heapq.heappush(self._by_longest, (-group.longest * scale, *entry))
            share = group.cost * scale / (group.running + 1)
            heapq.heappush(self._by_share, (-share, *entry))

    def add(self, number: int) -> None:
        """Let a task wait again."""
        task = self._tasks[number]
        group = self.groups[task.group]
        heapq.heappush(group.heap, (-task.cost, number))
        group.cost += task.cost
        self.cost += task.cost * self._scale(group.name)
        self.count += 1
        self._push(group)

    def take(self, group: TaskGroup, allowed: Callable[[int], bool]) -> int | None:
        """Remove the longest allowed task of a group and return its number."""
        skipped = []
        number = None
        while group.heap and number is None:
            entry = heapq.heappop(group.heap)
            if allowed(entry[1]):
                number = entry[1]
            else:
                skipped.append(entry)
        for entry in skipped:
            heapq.heappush(group.heap, entry)
        if number is not None:
            cost = self._tasks[number].cost
            group.cost = group.cost - cost if group.heap else 0.0
            self.cost -= cost * self._scale(group.name)
            self.count -= 1
            self._push(group)
        return number

    def runs(self, name: str, change: int) -> None:
        """Count one worker more (1) or less (-1) at the tasks of a group."""
        group = self.groups[name]
        group.running += change
        self._push(group)

    @contextmanager
    def by_longest(self) -> Iterator[Iterator[TaskGroup]]:
        """Give the groups with waiting tasks, the one with the longest task first."""
        with self._sorted(self._by_longest) as groups:
            yield groups

    @contextmanager
    def by_share(self) -> Iterator[Iterator[TaskGroup]]:
        """Give the groups with waiting tasks, the most work for each worker and one more first."""
        with self._sorted(self._by_share) as groups:
            yield groups

    @contextmanager
    def _sorted(self, heap: list[_Entry]) -> Iterator[Iterator[TaskGroup]]:
        seen: list[_Entry] = []

        def groups() -> Iterator[TaskGroup]:
            while heap:
                entry = heapq.heappop(heap)
                group = self.groups[entry[3]]
                if entry[2] == group.version and group.heap:
                    seen.append(entry)
                    yield group

        yield groups()
        for entry in seen:
            heapq.heappush(heap, entry)
