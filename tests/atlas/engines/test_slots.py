"""Places of workers: how often and when they are filled again."""

from __future__ import annotations

from kerasviz.atlas.engines.slots import DIED_STARTS, FAILED_STARTS, WAIT, WorkerSlots


def test_a_start_that_fails_is_tried_again_later_each_time_and_not_for_ever() -> None:
    for explained, limit in ((True, FAILED_STARTS), (False, DIED_STARTS)):
        slots, now, waits = WorkerSlots(), 0.0, []
        slots.want(1)
        assert slots.take(now) == [0] and slots.take(now) == []
        while slots.left(0, joined=False, explained=explained, now=now):
            due = slots.next
            assert due is not None and slots.take(due - 0.01) == [] and slots.take(due) == [0]
            waits.append(due - now)
            now = due
        assert waits == [WAIT * 2**i for i in range(limit - 1)]
        assert slots.next is None and slots.take(now + 1e9) == []


def test_who_has_joined_is_replaced_at_once_and_makes_the_failures_forgotten() -> None:
    slots = WorkerSlots()
    slots.want(1)
    slots.take(0.0)
    for _ in range(3 * DIED_STARTS):
        assert slots.left(0, joined=False, explained=True, now=1.0)
        assert slots.take(1.0 + WAIT) == [0]
        slots.joined(0)
        assert slots.left(0, joined=True, explained=False, now=2.0)
        assert slots.take(2.0) == [0]


def test_slots_are_added_and_names_never_used_again() -> None:
    slots = WorkerSlots()
    slots.want(2)
    assert slots.take(0.0) == [0, 1]
    slots.want(1)
    assert slots.next is None, "there are never fewer"
    slots.want(3)
    assert slots.take(0.0) == [2]
    names = [slots.name(slot) for slot in (0, 1, 2, 0, 0, 1)]
    assert names == ["1", "2", "3", "1.2", "1.3", "2.2"]
