"""Slots of workers: which to fill and when, and which have failed too often."""

from __future__ import annotations

#: Starts in a row that may fail where the worker gave a reason, which the next is likely to have.
FAILED_STARTS = 3
#: Starts in a row that may fail where the worker died without a reason.
DIED_STARTS = 6
#: Seconds until a start that failed is tried again, doubled for each in a row.
WAIT = 0.5


class WorkerSlots:
    """A state machine, without a clock, that says when the worker of each slot is started.

    A worker that has joined and dies later is replaced at once. A start that fails is tried again
    after a while, and after some failures in a row no more.

    >>> slots = WorkerSlots()
    >>> slots.want(2)
    >>> slots.take(now=0.0)
    [0, 1]
    >>> slots.left(1, joined=False, explained=True, now=10.0), slots.next
    (True, 10.5)
    >>> slots.take(now=10.0), slots.take(now=10.5)
    ([], [1])
    """

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._starts: dict[int, int] = {}

    def want(self, count: int) -> None:
        """Set the number of slots. It never decreases."""
        for slot in range(len(self._starts), count):
            self._starts[slot] = 0
            self._due[slot] = float("-inf")

    @property
    def next(self) -> float | None:
        """When the next slot is to be filled, if any is."""
        return min(self._due.values(), default=None)

    def take(self, now: float) -> list[int]:
        """Return the slots to be filled now."""
        slots = sorted(slot for slot, due in self._due.items() if due <= now)
        for slot in slots:
            del self._due[slot]
        return slots

    def name(self, slot: int) -> str:
        """Name the next worker of a slot: ``"3"``, then ``"3.2"``, ``"3.3"``..."""
        self._starts[slot] += 1
        number = self._starts[slot]
        return f"{slot + 1}" if number == 1 else f"{slot + 1}.{number}"

    def joined(self, slot: int) -> None:
        """Note that the worker of a slot is ready."""
        self._failures.pop(slot, None)

    def left(self, slot: int, *, joined: bool, explained: bool, now: float) -> bool:
        """Note that the worker of a slot is gone; return whether there will be another.

        ``explained`` says that the worker gave a reason.
        """
        if joined:
            self._due[slot] = now
            return True
        failures = self._failures[slot] = self._failures.get(slot, 0) + 1
        if failures >= (FAILED_STARTS if explained else DIED_STARTS):
            return False
        self._due[slot] = now + WAIT * 2 ** (failures - 1)
        return True
