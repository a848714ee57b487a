from __future__ import annotations

from kerasviz.atlas.engines.running_tasks import Attempt, RunningTasks


def running() -> RunningTasks:
    """Two tasks of a group and one of another, the first and the last of which run."""
    tasks = RunningTasks(["a", "a", "b"], overdue=1.5, slack=2.0)
    tasks.start("w0", Attempt(0, began=0.0, end=10.0, compiles=True))
    tasks.start("w1", Attempt(2, began=0.0, end=1.0, compiles=False))
    return tasks


def test_the_first_to_end_and_the_last_are_known() -> None:
    tasks = running()
    assert (tasks.soonest("a"), tasks.soonest("b")) == (10.0, 1.0)
    assert tasks.latest() == (10.0, 0)
    assert tasks.leave("w0") == Attempt(0, 0.0, 10.0, True)
    assert (tasks.of("w0"), tasks.soonest("a"), tasks.latest()) == (None, None, (1.0, 2))
    assert len(tasks) == 1


def test_a_task_is_overdue_once_until_it_has_a_copy() -> None:
    tasks = running()
    assert tasks.next_overdue() == 3.0, "two seconds late at least"
    assert tasks.overdue(2.9, lambda _: True) is None
    assert tasks.overdue(20.0, lambda number: number == 0) == 0
    assert tasks.overdue(20.0, lambda _: True) == 2, "one that was not allowed stays"
    tasks = running()
    tasks.start("w2", Attempt(2, began=4.0, end=5.0, compiles=False))
    assert tasks.runners(2) == ("w1", "w2")
    assert tasks.next_overdue() == 15.0
    tasks.leave("w1")
    assert tasks.next_overdue() == 7.0, "the copy goes on alone"
    tasks.settle(2)
    assert tasks.next_overdue() == 15.0
