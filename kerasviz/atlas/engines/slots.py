"""Places of workers: which are to be filled and when, and which have failed too often."""

from __future__ import annotations

__all__ = ["WorkerSlots"]

#: Starts in a row that may fail, at most: where the worker said why, and where it only died.
SAID, DIED = 3, 6
#: Seconds until a start that failed is tried again, doubled for each in a row.
WAIT = 0.5


class WorkerSlots:
    """A machine, without a clock, that says when the worker of each place is started.

    A worker that has joined and dies later is replaced at once; one that does not get so far is
    started again after a while, and after some failures in a row no more.

    >>> places = Places()
    >>> places.want(2)
    >>> places.take(now=0.0)
    [0, 1]
    >>> places.left(1, joined=False, said=True, now=10.0), places.next
    (True, 10.5)
    >>> places.take(now=10.0), places.take(now=10.5)
    ([], [1])
    """

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._names: dict[int, int] = {}

    def want(self, count: int) -> None:
        """There shall be so many places; there are never fewer than before."""
        for place in range(len(self._names), count):
            self._names[place] = 0
            self._due[place] = float("-inf")

    @property
    def next(self) -> float | None:
        """When the next place is to be filled, if any is."""
        return min(self._due.values(), default=None)

    def take(self, now: float) -> list[int]:
        """The places to be filled now."""
        found = sorted(place for place, due in self._due.items() if due <= now)
        for place in found:
            del self._due[place]
        return found

    def name(self, place: int) -> str:
        """The name of the next worker of a place: ``"3"``, then ``"3.2"``, ``"3.3"``..."""
        self._names[place] += 1
        number = self._names[place]
        return f"{place + 1}" if number == 1 else f"{place + 1}.{number}"

    def joined(self, place: int) -> None:
        """The worker of a place is ready."""
        self._failures.pop(place, None)

    def left(self, place: int, *, joined: bool, said: bool, now: float) -> bool:
        """The worker of a place is gone; whether there will be another.

        ``said`` tells that it gave a reason, which the next one is likely to have, too.
        """
        if joined:
            self._due[place] = now
            return True
        failures = self._failures[place] = self._failures.get(place, 0) + 1
        if failures >= (SAID if said else DIED):
            return False
        self._due[place] = now + WAIT * 2 ** (failures - 1)
        return True
