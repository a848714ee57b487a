"""The schedule: every task is finished once or given up, whatever workers do."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasviz.atlas.engines.protocol import Task
from kerasviz.atlas.engines.schedule import Policy, Schedule


def tasks_of(costs: list[float], kinds: int = 1) -> list[Task]:
    return [Task(f"t{i}", "", cost, f"k{i % kinds}") for i, cost in enumerate(costs)]


def begin(tasks: list[Task], workers: int, **policy: Any) -> Schedule:
    schedule = Schedule(tasks, policy=Policy(**{"compiling": 0.0, **policy}))
    for number in range(workers):
        schedule.joined(f"w{number}")
    return schedule


def names(schedule: Schedule, worker: str) -> list[str]:
    """What one worker is given, one after the other, each taking what it should."""
    found, now = [], 0.0
    while (task := schedule.next(worker, now)) is not None:
        now += schedule.expected(task, worker)
        schedule.finished(worker, task, now)
        found.append(task.name)
    return found


def test_the_longest_is_first() -> None:
    schedule = begin(tasks_of([3, 1, 4, 1.5, 9], kinds=3), 1)
    assert names(schedule, "w0") == ["t4", "t2", "t0", "t3", "t1"]
    assert schedule.done
    assert schedule.abandoned == []


def test_a_worker_stays_with_its_kind_while_there_is_ample_work() -> None:
    tasks = tasks_of([3.0, 2.9] * 20, kinds=2)
    schedule = Schedule(tasks, {"k0": 10.0, "k1": 10.0})
    for worker in ("w0", "w1"):
        schedule.joined(worker)
    kinds = defaultdict(list)
    now = dict.fromkeys(("w0", "w1"), 0.0)
    while not schedule.done:
        worker = min(now, key=lambda w: (now[w], w))
        task = schedule.next(worker, now[worker])
        if task is None:  # not worth compiling the other's kind for what is left of it
            now[worker] += 1.0
            continue
        now[worker] += schedule.expected(task, worker)
        schedule.finished(worker, task, now[worker])
        kinds[worker].append(task.group)
    assert {worker: set(own) for worker, own in kinds.items()} == {"w0": {"k0"}, "w1": {"k1"}}


def test_measured_durations_correct_the_costs_of_their_kind() -> None:
    tasks = [*tasks_of([4.0] * 4), *(Task(f"u{i}", "", 3.0, "other") for i in range(4))]
    schedule = begin(tasks, 1)
    other = tasks[-1]
    assert schedule.expected(other, "w0") == pytest.approx(3.0)
    first = schedule.next("w0", 0.0)
    assert first is not None and first.group == "k0"
    schedule.finished("w0", first, 2.0)
    second = schedule.next("w0", 2.0)
    assert second is not None
    schedule.finished("w0", second, 3.0)  # a quarter of its cost
    assert schedule.expected(tasks[2], "w0") < 3.0


def test_what_was_done_in_part_teaches_nothing_of_the_whole() -> None:
    tasks = tasks_of([4.0] * 5)
    schedule = Schedule(tasks, {"k0": 8.0})
    schedule.joined("w0")
    now = 0.0
    for share, compiled in ((0.0, False), (0.25, True)):
        task = schedule.next("w0", now)
        assert task is not None
        now += 0.1 + share
        schedule.finished("w0", task, now, share)
        assert schedule.expected(tasks[4], "w0") == pytest.approx(4.0 if compiled else 12.0)
    task = schedule.next("w0", now)
    assert task is not None
    schedule.finished("w0", task, now + 2.0)
    assert schedule.expected(tasks[4], "w0") == pytest.approx(2.0)


def test_a_failed_task_goes_to_another_worker_and_is_given_up_with_its_last_error() -> None:
    schedule = begin(tasks_of([1.0]), 2, retries=2, rest=0.0)
    for number, worker in enumerate(["w0", "w1", "w0"]):
        other = {"w0": "w1", "w1": "w0"}[worker]
        task = schedule.next(worker, float(number))
        assert task is not None
        schedule.failed(worker, task, f"error {number}", float(number))
        if number == 0:
            assert schedule.next(worker, 0.5) is None, "the other has not failed it"
        assert schedule.workers == ("w0", "w1") and other in schedule.workers
    assert schedule.done
    (given_up,) = schedule.abandoned
    assert (given_up.task.name, given_up.reason) == ("t0", "error 2")


def test_the_task_of_a_dead_worker_goes_back_and_one_that_kills_all_is_given_up() -> None:
    schedule = begin(tasks_of([1.0]), 1, losses=2)
    for number in range(3):
        task = schedule.next(f"w{number}", 0.0)
        assert task is not None
        schedule.lost(f"w{number}", 1.0, "killed by signal 9")
        schedule.joined(f"w{number + 1}")
    assert schedule.done
    assert schedule.abandoned[0].workers == ("w0", "w1", "w2")


def test_a_worker_that_fails_everything_rests_so_that_others_do_the_work() -> None:
    schedule = begin(tasks_of([1.0] * 50), 5)
    ended, now = [], 0.0
    while not schedule.done:
        for worker in schedule.workers:
            task = schedule.task_of(worker) or schedule.next(worker, now)
            if task is not None and worker != "w0":  # four fail all at once, one works
                schedule.failed(worker, task, "disk full", now)
            elif task is not None and schedule.task_of(worker) and now == int(now):
                schedule.finished(worker, task, now + 1.0)
                ended.append(task.name)
        now += 1.0
    assert schedule.abandoned == []
    assert sorted(ended) == sorted(t.name for t in tasks_of([1.0] * 50))


def test_what_is_overdue_gets_one_copy_and_the_first_to_finish_counts() -> None:
    schedule = begin(tasks_of([10.0]), 3)
    task = schedule.next("w0", 0.0)
    assert task is not None
    assert schedule.next("w1", 14.9) is None
    assert schedule.wake(1.0) == pytest.approx(15.0)
    assert schedule.next("w1", 15.0) is task
    assert schedule.next("w2", 100.0) is None, "there is a copy"
    assert schedule.runners(task) == ("w0", "w1")
    assert schedule.finished("w1", task, 25.0)
    assert schedule.done
    assert schedule.runners(task) == ("w0",)
    assert not schedule.finished("w0", task, 26.0)
    assert schedule.finished_tasks == {"t0": "w1"}


def test_a_slow_worker_s_task_is_copied_as_soon_as_a_fast_one_would_end_before() -> None:
    schedule = begin(tasks_of([10.0, 10.0, 10.0, 10.0]), 2)
    slow, fast = schedule.next("w0", 0.0), schedule.next("w1", 0.0)
    assert slow is not None and fast is not None
    schedule.finished("w1", fast, 10.0)
    fast = schedule.next("w1", 10.0)
    assert fast is not None
    schedule.finished("w1", fast, 20.0)
    schedule.finished("w0", slow, 40.0)
    assert schedule.next("w0", 40.0) is None, "another would end it before, if there is one"
    assert schedule.wake(40.0) == pytest.approx(70.0)
    last = schedule.next("w0", 70.0)
    assert last is not None
    assert schedule.next("w1", 71.0) is last, "40 seconds there, 10 here"


def test_a_copy_goes_on_alone_when_the_original_is_lost() -> None:
    schedule = begin(tasks_of([10.0]), 3)
    task = schedule.next("w0", 0.0)
    assert task is not None and schedule.next("w1", 20.0) is task
    schedule.lost("w0", 21.0)
    assert schedule.waiting == 0
    assert schedule.next("w2", 22.0) is None
    schedule.failed("w1", task, "no", 23.0)
    assert schedule.next("w1", 26.0) is None, "the other has not failed it"
    assert schedule.next("w2", 26.0) is task


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (lambda s: s.joined("w0"), "worker 'w0' exists already"),
        (lambda s: s.next("w9", 0.0), "worker 'w9' has not joined, or is lost"),
        (lambda s: s.next("w0", 0.0), "worker 'w0' is at 't0'"),
        (lambda s: s.finished("w1", Task("t0", "", 1.0), 0.0), "'w1' is not at the task 't0'"),
        (lambda s: Schedule(tasks_of([1.0]) * 2), "task 't0' is there more than once"),
    ],
)
def test_wrong_use_is_told(act, line: str) -> None:  # type: ignore[no-untyped-def]
    schedule = begin(tasks_of([1.0]), 2)
    schedule.next("w0", 0.0)
    with pytest.raises(ValueError, match=line):
        act(schedule)


def drive(seed: int, costs: list[float], kinds: int, workers: int, trouble: float) -> list[object]:
    """Random workers that fail and die; checks what must hold at every hand-out."""
    rng = random.Random(seed)
    tasks = tasks_of(costs, kinds)
    compiling = {f"k{i}": rng.choice([0.0, 1.0, 5.0]) for i in range(kinds)}
    schedule = Schedule(tasks, compiling, Policy(retries=2, losses=3))
    for number in range(workers):
        schedule.joined(f"w{number}")
    busy: dict[str, tuple[float, Task]] = {}
    failed: dict[str, set[str]] = defaultdict(set)
    died: Counter[str] = Counter()
    count: Counter[str] = Counter()
    won: Counter[str] = Counter()
    trace: list[object] = []
    now, fresh = 0.0, workers
    for _ in range(200 * (len(costs) + 5)):
        if schedule.done:
            break
        for worker in schedule.workers:
            if worker in busy:
                continue
            task = schedule.next(worker, now)
            trace.append((worker, task and task.name))
            if task is not None:
                assert won[task.name] == 0, "finished already"
                assert sum(t.name == task.name for _, t in busy.values()) <= 1, "two copies"
                others = set(schedule.workers) - failed[task.name]
                assert worker not in failed[task.name] or not others, "another has not failed it"
                slow = rng.choice([1.0, 1.0, 1.0, 3.0])
                busy[worker] = (now + schedule.expected(task, worker) * slow, task)
        times = [end for end, _ in busy.values()]
        wake = schedule.wake(now)
        assert times or wake is not None, "nothing runs and nothing will"
        now = min([*times, *([wake] if wake is not None else [])])
        for worker, (end, task) in list(busy.items()):
            if end > now:
                continue
            del busy[worker]
            chance = rng.random()
            if chance < trouble:
                failed[task.name].add(worker)
                count[task.name] += 1
                schedule.failed(worker, task, f"error {count[task.name]}", now)
            elif chance < 2 * trouble:
                died[task.name] += 1
                schedule.lost(worker, now)
                schedule.joined(f"w{fresh}")
                fresh += 1
            else:
                won[task.name] += schedule.finished(worker, task, now)
    assert schedule.done, "it never ends"
    given_up = {e.task.name: e for e in schedule.abandoned}
    for task in tasks:
        assert won[task.name] == (task.name not in given_up)
        if task.name in given_up:
            assert count[task.name] > 2 or died[task.name] > 3
    assert set(schedule.finished_tasks) == {name for name in won if won[name]}
    return trace


@given(
    seed=st.integers(0, 2**32),
    costs=st.lists(st.floats(0.1, 100.0), min_size=1, max_size=25),
    kinds=st.integers(1, 5),
    workers=st.integers(1, 6),
    trouble=st.sampled_from([0.0, 0.1, 0.3, 0.5]),
)
@settings(max_examples=40, deadline=None)
def test_every_task_is_finished_once_or_given_up_whatever_happens(
    seed: int, costs: list[float], kinds: int, workers: int, trouble: float
) -> None:
    assert drive(seed, costs, kinds, workers, trouble) == drive(
        seed, costs, kinds, workers, trouble
    ), "the same calls have the same answers"


@given(costs=st.lists(st.integers(1, 100), min_size=1, max_size=40), kinds=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_with_nothing_to_compile_tasks_come_by_falling_cost(costs: list[int], kinds: int) -> None:
    schedule = begin(tasks_of(list(map(float, costs)), kinds), 1)
    order = [costs[int(name[1:])] for name in names(schedule, "w0")]
    assert order == sorted(costs, reverse=True)
