"""Places of workers: how often and when they are filled again."""

from __future__ import annotations

from kerasviz.atlas.engines.slots import DIED, SAID, WAIT, WorkerSlots


def test_a_start_that_fails_is_tried_again_later_each_time_and_not_for_ever() -> None:
    for said, limit in ((True, SAID), (False, DIED)):
        places, now, waits = WorkerSlots(), 0.0, []
        places.want(1)
        assert places.take(now) == [0] and places.take(now) == []
        while places.left(0, joined=False, said=said, now=now):
            due = places.next
            assert due is not None and places.take(due - 0.01) == [] and places.take(due) == [0]
            waits.append(due - now)
            now = due
        assert waits == [WAIT * 2**i for i in range(limit - 1)]
        assert places.next is None and places.take(now + 1e9) == []


def test_who_has_joined_is_replaced_at_once_and_makes_the_failures_forgotten() -> None:
    places = WorkerSlots()
    places.want(1)
    places.take(0.0)
    for _ in range(3 * DIED):
        assert places.left(0, joined=False, said=True, now=1.0)
        assert places.take(1.0 + WAIT) == [0]
        places.joined(0)
        assert places.left(0, joined=True, said=False, now=2.0)
        assert places.take(2.0) == [0]


def test_places_are_added_and_names_never_used_again() -> None:
    places = WorkerSlots()
    places.want(2)
    assert places.take(0.0) == [0, 1]
    places.want(1)
    assert places.next is None, "there are never fewer"
    places.want(3)
    assert places.take(0.0) == [2]
    names = [places.name(place) for place in (0, 1, 2, 0, 0, 1)]
    assert names == ["1", "2", "3", "1.2", "1.3", "2.2"]
