"""Schedule: which worker does which task next, as a state machine without a clock."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kerasviz.atlas.engines.duration_estimates import Durations
from kerasviz.atlas.engines.protocol import Task
from kerasviz.atlas.engines.running_tasks import Attempt, RunningTasks
from kerasviz.atlas.engines.task_queue import TaskGroup, TaskQueue

__all__ = ["Policy", "Schedule", "TaskExhausted"]


@dataclass(frozen=True)
class Policy:
    """How tasks are handed out.

    retries
        How many times a task that failed is tried again.
    losses
        How many workers may die at a task before it is given up: machines that die are no fault of
        the task, but one that kills its workers must end.
    compiling
        The seconds to compile a kind, where nothing is known of any.
    ample
        As long as there is this many times the longest task to do for each worker, workers stay
        with the kinds that they have compiled; then the longest task comes first, but for what
        compiling it would cost.
    lag
        A worker that takes this many times as long as others is given shorter tasks, which it ends
        before others have begun all that waits; or none, if others would end them before.
    overdue
        A task that has taken this many times its expected seconds gets a second copy.
    gain
        A copy must be expected to end this many times its own seconds before the original.
    slack
        And no less than so many seconds; nor is anything overdue by less.
    rest
        After a failure a worker gets nothing for so many seconds, twice as many after the next in
        a row, and so on to ``longest_rest``: one that fails everything must not fail all tasks.
    """

    retries: int = 3
    losses: int = 12
    compiling: float = 2.0
    ample: float = 4.0
    lag: float = 1.2
    overdue: float = 1.5
    gain: float = 0.1
    slack: float = 2.0
    rest: float = 1.0
    longest_rest: float = 300.0


@dataclass(frozen=True)
class TaskExhausted:
    """A task that was given up: the last error, and the workers that failed it or died at it."""

    task: Task
    reason: str
    workers: tuple[str, ...]


@dataclass
class _WorkerState:
    compiled: dict[str, None] = field(default_factory=dict)
    consecutive_failures: int = 0
    rests: float = -math.inf
    trusted: float = -math.inf
    waits: float | None = None


@dataclass
class _State:
    """What has become of a task: who failed it, how often, and whether it ended."""

    failed: dict[str, None] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)
    failures: int = 0
    rests: float = -math.inf
    ended: bool = False


class Schedule:
    """Hands tasks to workers until each is finished once, or given up.

    Longest first, by costs that measured durations correct; workers stay with the kinds that they
    have compiled while that costs nothing. A task that failed goes to a worker that has not failed
    it, as long as one is alive. When nothing is left to hand out, what ends latest or is overdue
    gets one second copy: the first to finish counts. Deterministic: the same calls have the same
    answers. All times are seconds of any clock that does not run backwards; each call takes
    logarithmic time. ``compiling`` are the seconds to compile each kind where they are known.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        compiling: Mapping[str, float] | None = None,
        policy: Policy | None = None,
    ):
        self.policy = policy or Policy()
        self._tasks = list(tasks)
        self._numbers = {task.name: number for number, task in enumerate(self._tasks)}
        if len(self._numbers) < len(self._tasks):
            double = Counter(task.name for task in self._tasks).most_common(1)[0][0]
            raise ValueError(f"task {double!r} is there more than once; names must differ")
        self._states = [_State() for _ in self._tasks]
        self._workers: dict[str, _WorkerState] = {}
        self._durations = Durations(compiling or {}, self.policy.compiling)
        self._waiting = TaskQueue(self._tasks, self._durations.ratio)
        self._running = RunningTasks(
            [task.kind for task in self._tasks], self.policy.overdue, self.policy.slack
        )
        self._measured = 0
        self._rests: list[float] = []
        self._healthy = 0  # workers whose last task did not fail
        self.finished_tasks: dict[str, str] = {}
        self.exhausted: list[TaskExhausted] = []

    # -- what is known -----------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether every task is finished or given up."""
        return len(self.finished_tasks) + len(self.exhausted) == len(self._tasks)

    @property
    def waiting(self) -> int:
        """How many tasks no worker is at."""
        return self._waiting.count

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that are alive."""
        return tuple(self._workers)

    def task_of(self, worker: str) -> Task | None:
        """The task that a worker is at."""
        self._known(worker)
        attempt = self._running.of(worker)
        return None if attempt is None else self._tasks[attempt.number]

    def runners(self, task: Task) -> tuple[str, ...]:
        """The workers that are at a task, of which there may be two; after it is finished, too."""
        return self._running.runners(self._numbers[task.name])

    def expected(self, task: Task, worker: str) -> float:
        """The seconds that a task should take on a worker, with compiling its kind if need be."""
        return self._expected(self._numbers[task.name], worker)

    def wake(self, now: float) -> float | None:
        """When a worker that was refused should ask again, if nothing else happens before."""
        if len(self._running) == len(self._workers):
            return None
        due = self._running.next_overdue()
        times = [] if due is None else [due]
        if self._waiting.count:
            kinds = self._waiting.open
            times += [e for k in kinds if (e := self._running.soonest(k)) is not None]
            while self._rests and self._rests[0] <= now:
                heapq.heappop(self._rests)
            times += self._rests[:1]
        later = [time for time in times if time > now]
        return min(later) if later else None

    # -- what happens ------------------------------------------------------------------------

    def joined(self, worker: str) -> None:
        """A worker is there; one that was lost and comes back has compiled nothing."""
        if worker in self._workers:
            raise ValueError(f"worker {worker!r} is there already")
        self._workers[worker] = _WorkerState()
        self._healthy += 1

    def next(self, worker: str, now: float) -> Task | None:
        """The task that an idle worker does next; None if there is nothing for it now."""
        own = self._known(worker)
        if (task := self.task_of(worker)) is not None:
            raise ValueError(f"worker {worker!r} is at {task.name!r}")
        if now < own.rests:
            return None
        number = self._pick(worker, now)
        if number is None:
            number = self._copy(worker, now)
            if number is None:
                return None
        self._start(worker, number, now)
        return self._tasks[number]

    def finished(self, worker: str, task: Task, now: float, share: float = 1.0) -> bool:
        """A worker has done a task; False if another had done it before.

        ``share`` is how much there was left to do: how long a part took says little of the whole,
        and where nothing was left, nothing was compiled.
        """
        own, attempt = self._leave(worker, task)
        if share == 1.0:
            self._durations.measure(task, worker, now - attempt.began, attempt.compiles)
        if share > 0.0:
            own.compiled[task.kind] = None
        self._healthy += own.consecutive_failures > 0
        own.consecutive_failures = 0
        self._rank()
        state = self._states[attempt.number]
        if state.ended:
            return False
        state.ended = True
        self._running.settle(attempt.number)
        self.finished_tasks[task.name] = worker
        return True

    def failed(self, worker: str, task: Task, reason: str, now: float) -> None:
        """A worker has failed a task, and lives."""
        own, attempt = self._leave(worker, task)
        self._healthy -= own.consecutive_failures == 0
        own.rests = now + self._rest(own.consecutive_failures)
        own.trusted = now + self.policy.longest_rest
        own.consecutive_failures += 1
        state = self._states[attempt.number]
        state.rests = now + self._rest(state.failures)
        state.failures += 1
        state.failed[worker] = None
        for time in (own.rests, own.trusted, state.rests):
            heapq.heappush(self._rests, time)
        self._again(attempt.number, reason)

    def lost(self, worker: str, now: float, reason: str = "the worker died") -> None:
        """A worker is dead; its task goes to another."""
        own = self._known(worker)
        task = self.task_of(worker)
        attempt = None if task is None else self._leave(worker, task)[1]
        self._healthy -= own.consecutive_failures == 0
        del self._workers[worker]
        self._durations.forget(worker)
        if attempt is not None:
            self._states[attempt.number].died.append(worker)
            self._again(attempt.number, reason)

    # -- how -------------------------------------------------------------------------------

    def _known(self, worker: str) -> _WorkerState:
        if worker not in self._workers:
            raise ValueError(f"worker {worker!r} has not joined, or is lost")
        return self._workers[worker]

    def _expected(self, number: int, worker: str) -> float:
        task = self._tasks[number]
        seconds = task.cost * self._durations.ratio(task.kind)
        if task.kind not in self._workers[worker].compiled:
            seconds += self._durations.compiling(task.kind)
        return seconds * self._durations.slowness(worker)

    def _rest(self, before: int) -> float:
        """The seconds of rest after a failure that had so many before it."""
        return min(self.policy.rest * 2.0 ** min(before, 60), self.policy.longest_rest)

    def _may(self, worker: str, number: int, now: float) -> bool:
        """Not a worker that has failed it, nor one that fails all, unless there is no other."""
        state, own = self._states[number], self._workers[worker]
        if now < state.rests:
            return False
        if not state.failed or (worker not in state.failed and not own.consecutive_failures):
            return True
        alive = [self._workers[w] for w in state.failed if w in self._workers]
        if worker in state.failed:
            return len(alive) == len(self._workers)
        if now >= own.trusted:
            return True
        return self._healthy == sum(not other.consecutive_failures for other in alive)

    def _pick(self, worker: str, now: float) -> int | None:
        """The longest task that waits, or one of a kind that the worker has compiled."""
        if not self._waiting.count:
            return None
        own, waiting = self._workers[worker], self._waiting
        names = own.compiled if len(own.compiled) < len(waiting.open) else waiting.open
        mine = [waiting.open[n] for n in names if n in waiting.open and n in own.compiled]
        mine.sort(key=lambda kind: -self._seconds(kind))
        first = self._first()
        longest, compiling = self._seconds(first), self._durations.compiling(first.name)
        ample = compiling > 0
        ample = ample and waiting.cost >= self.policy.ample * longest * len(self._workers)
        slow = 1.0 if ample or len(self._workers) == 1 else self._slowness(worker)
        for kind in mine:
            near = self._seconds(kind) + compiling >= longest and slow == 1.0
            if (ample or near) and (number := self._take(kind, worker, now)) is not None:
                return number
        number = None
        drain = waiting.cost / len(self._workers)
        found = self._find(worker, now, ample, drain / slow if slow > 1 else longest)
        if found is not None:
            if slow > 1 and self._waits(own, (slow - 1) * self._seconds(found), drain, now):
                return None
            number = self._take(found, worker, now)
        while number is None and mine:
            number = self._take(mine.pop(0), worker, now)
        return number

    def _find(self, worker: str, now: float, ample: bool, most: float) -> TaskGroup | None:
        """The kind to go on with; if no task takes at most so many seconds, that with the least."""
        found = None
        with self._waiting.by_share() if ample else self._waiting.by_longest() as kinds:
            for kind in kinds:
                if not self._worth(kind, worker, now):
                    continue
                if any(self._may(worker, number, now) for _, number in kind.heap):
                    found = kind
                    if ample or self._seconds(kind) <= most:
                        break
        return found

    def _waits(self, own: _WorkerState, more: float, drain: float, now: float) -> bool:
        """Whether a slow worker leaves a task, which takes it so many seconds more, to others.

        They have done all that waits in ``drain`` seconds; but they may be gone or hang.
        """
        if more <= drain:
            return False
        if own.waits is None:
            own.waits = now + more
            heapq.heappush(self._rests, own.waits)
        return now < own.waits

    def _take(self, kind: TaskGroup, worker: str, now: float) -> int | None:
        return self._waiting.take(kind, lambda number: self._may(worker, number, now))

    def _first(self) -> TaskGroup:
        """The kind of the longest task that waits."""
        with self._waiting.by_longest() as kinds:
            return next(kinds)

    def _seconds(self, kind: TaskGroup) -> float:
        """The seconds of the longest task of a kind that waits."""
        return kind.longest * self._durations.ratio(kind.name)

    def _slowness(self, worker: str) -> float:
        """How many times slower a worker is than others, or 1 if that may be chance."""
        slow = self._durations.slowness(worker)
        return slow if slow > self.policy.lag else 1.0

    def _worth(self, kind: TaskGroup, worker: str, now: float) -> bool:
        """Whether a kind ends sooner if one more worker compiles it, or waits for those it has."""
        if kind.name in self._workers[worker].compiled or not kind.running:
            return True
        soonest = self._running.soonest(kind.name)
        if soonest is None or soonest <= now:
            return True
        task, all_tasks = self._seconds(kind), kind.cost * self._durations.ratio(kind.name)
        alone = soonest - now + max(task, all_tasks / kind.running)
        slow = self._durations.slowness(worker)
        return (self._durations.compiling(kind.name) + task) * slow < alone

    def _copy(self, worker: str, now: float) -> int | None:
        """What is overdue for the longest time, or ends latest if this worker ends before."""
        found = self._running.overdue(now, lambda number: self._may(worker, number, now))
        if found is None and (latest := self._running.latest()) is not None:
            end, number = latest
            seconds = self._expected(number, worker)
            seconds += max(self.policy.gain * seconds, self.policy.slack)
            if self._may(worker, number, now) and now + seconds < end:
                found = number
        return found

    def _start(self, worker: str, number: int, now: float) -> None:
        own, group = self._workers[worker], self._tasks[number].kind
        end = now + self._expected(number, worker)
        self._running.start(worker, Attempt(number, now, end, group not in own.compiled))
        self._waiting.runs(group, 1)
        own.waits = None

    def _leave(self, worker: str, task: Task) -> tuple[_WorkerState, Attempt]:
        own = self._known(worker)
        attempt = self._running.of(worker)
        if attempt is None or attempt.number != self._numbers.get(task.name):
            raise ValueError(f"worker {worker!r} is not at the task {task.name!r}")
        self._waiting.runs(task.kind, -1)
        return own, self._running.leave(worker)

    def _again(self, number: int, reason: str) -> None:
        """A runner of a task is gone without a result."""
        state, policy = self._states[number], self.policy
        if state.ended or self._running.runners(number):
            return
        if state.failures > policy.retries or len(state.died) > policy.losses:
            state.ended = True
            workers = (*state.failed, *state.died)
            self.exhausted.append(TaskExhausted(self._tasks[number], reason, workers))
        else:
            self._waiting.add(number)

    def _rank(self) -> None:
        """Sort what waits by the measured durations, when they differ from what was sorted by."""
        self._measured += 1
        if self._measured % max(1, len(self._waiting.kinds) // 4) == 0:
            self._waiting.rank()
