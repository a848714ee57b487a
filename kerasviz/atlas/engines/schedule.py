"""Schedule: which worker does which task next, as a state machine without a clock."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kerasviz.atlas.engines.duration_estimates import Durations
from kerasviz.atlas.engines.protocol import Task, TaskAbandoned
from kerasviz.atlas.engines.running_tasks import Attempt, RunningTasks
from kerasviz.atlas.engines.task_queue import TaskGroup, TaskQueue


@dataclass(frozen=True)
class Policy:
    """Settings of a schedule.

    retries
        How often a task that failed is tried again.
    losses
        How many workers may die at a task before it is abandoned. Machines die without a fault of
        the task, but a task that kills its workers must end.
    compiling
        Seconds to compile a group, while no group was measured.
    ample
        Workers stay with the groups that they have compiled while each has work for this many
        times the longest task. Later the longest task comes first, unless compiling costs more.
    lag
        A worker that takes this many times as long as others is slow. It gets tasks that it ends
        before the others have begun all waiting ones, or none.
    overdue
        A task that takes this many times its expected seconds gets a second copy.
    gain
        A copy must be expected to end before the original, by this share of its own seconds.
    slack
        Seconds that a copy must gain at least, and that a task must be late to be overdue.
    rest
        Seconds for which a worker gets nothing after a failure. They double with each further one
        in a row, up to ``longest_rest``: a worker that fails everything must not fail all tasks.
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


@dataclass
class _WorkerState:
    """The groups that a worker has compiled, its failures, and until when it gets nothing."""

    compiled: dict[str, None] = field(default_factory=dict)
    consecutive_failures: int = 0
    rests: float = -math.inf
    trusted: float = -math.inf
    waits: float | None = None


@dataclass
class _TaskState:
    """The workers that failed a task or died at it, when it rests, and whether it has ended."""

    failed: dict[str, None] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)
    failures: int = 0
    rests: float = -math.inf
    ended: bool = False


class Schedule:
    """Hands out tasks until each is finished once or abandoned.

    The longest task comes first, by costs that measured durations correct. Workers stay with the
    groups that they have compiled while that costs nothing. A failed task goes to a worker that has
    not failed it, if one is alive. When no task waits, the one that ends last or is overdue gets
    one copy; the first to finish counts. The same calls have the same answers. Times are seconds of
    any clock that does not run backwards. Each call takes logarithmic time. ``compiling`` has the
    known seconds to compile groups.
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
        self._states = [_TaskState() for _ in self._tasks]
        self._workers: dict[str, _WorkerState] = {}
        self._durations = Durations(compiling or {}, self.policy.compiling)
        self._queue = TaskQueue(self._tasks, self._durations.ratio)
        self._running = RunningTasks(
            [task.group for task in self._tasks], self.policy.overdue, self.policy.slack
        )
        self._measured = 0
        self._rests: list[float] = []
        self._healthy = 0  # workers whose last task did not fail
        self.finished_tasks: dict[str, str] = {}
        self.abandoned: list[TaskAbandoned] = []

    # -- questions ---------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether every task is finished or abandoned."""
        return len(self.finished_tasks) + len(self.abandoned) == len(self._tasks)

    @property
    def waiting(self) -> int:
        """The number of tasks that no worker is at."""
        return self._queue.count

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that are alive."""
        return tuple(self._workers)

    def task_of(self, worker: str) -> Task | None:
        """Return the task that a worker is at."""
        self._state_of(worker)
        attempt = self._running.of(worker)
        return None if attempt is None else self._tasks[attempt.number]

    def runners(self, task: Task) -> tuple[str, ...]:
        """Return the workers that are at a task, at most two, also after it is finished."""
        return self._running.runners(self._numbers[task.name])

    def expected(self, task: Task, worker: str) -> float:
        """Estimate the seconds of a task on a worker, with those to compile its group if needed."""
        return self._expected(self._numbers[task.name], worker)

    def wake(self, now: float) -> float | None:
        """Return when a refused worker should ask again, if no event comes before."""
        if len(self._running) == len(self._workers):
            return None
        due = self._running.next_overdue()
        times = [] if due is None else [due]
        if self._queue.count:
            ends = map(self._running.soonest, self._queue.open)
            times += [end for end in ends if end is not None]
            while self._rests and self._rests[0] <= now:
                heapq.heappop(self._rests)
            times += self._rests[:1]
        return min((time for time in times if time > now), default=None)

    # -- events ------------------------------------------------------------------------------

    def joined(self, worker: str) -> None:
        """Add a worker, which has compiled nothing."""
        if worker in self._workers:
            raise ValueError(f"worker {worker!r} exists already")
        self._workers[worker] = _WorkerState()
        self._healthy += 1

    def next(self, worker: str, now: float) -> Task | None:
        """Give an idle worker a task; ``None`` if no task is suitable now."""
        if (task := self.task_of(worker)) is not None:
            raise ValueError(f"worker {worker!r} is at {task.name!r}")
        if now < self._workers[worker].rests:
            return None
        number = self._pick(worker, now)
        if number is None:
            number = self._copy(worker, now)
            if number is None:
                return None
        self._start(worker, number, now)
        return self._tasks[number]

    def finished(self, worker: str, task: Task, now: float, share: float = 1.0) -> bool:
        """Note that a worker has finished a task; return False if another had before.

        ``share`` is the part of the task that was left to do. The time of a part says little about
        whole tasks, and a worker that had nothing to do has compiled nothing.
        """
        state, attempt = self._leave(worker, task)
        if share == 1.0:
            self._durations.measure(task, worker, now - attempt.began, attempt.compiles)
        if share > 0.0:
            state.compiled[task.group] = None
        self._healthy += state.consecutive_failures > 0
        state.consecutive_failures = 0
        self._rank()
        if self._states[attempt.number].ended:
            return False
        self._states[attempt.number].ended = True
        self._running.settle(attempt.number)
        self.finished_tasks[task.name] = worker
        return True

    def failed(self, worker: str, task: Task, reason: str, now: float) -> None:
        """Note that a worker has failed a task, and lives."""
        state, attempt = self._leave(worker, task)
        self._healthy -= state.consecutive_failures == 0
        state.rests = now + self._rest(state.consecutive_failures)
        state.trusted = now + self.policy.longest_rest
        state.consecutive_failures += 1
        task_state = self._states[attempt.number]
        task_state.rests = now + self._rest(task_state.failures)
        task_state.failures += 1
        task_state.failed[worker] = None
        for time in (state.rests, state.trusted, task_state.rests):
            heapq.heappush(self._rests, time)
        self._retry(attempt.number, reason)

    def lost(self, worker: str, now: float, reason: str = "the worker died") -> None:
        """Note that a worker is dead; its task goes to another."""
        state, task = self._state_of(worker), self.task_of(worker)
        attempt = None if task is None else self._leave(worker, task)[1]
        self._healthy -= state.consecutive_failures == 0
        del self._workers[worker]
        self._durations.forget(worker)
        if attempt is not None:
            self._states[attempt.number].died.append(worker)
            self._retry(attempt.number, reason)

    # -- choice of a task --------------------------------------------------------------------

    def _state_of(self, worker: str) -> _WorkerState:
        if worker not in self._workers:
            raise ValueError(f"worker {worker!r} has not joined, or is lost")
        return self._workers[worker]

    def _expected(self, number: int, worker: str) -> float:
        task = self._tasks[number]
        seconds = task.cost * self._durations.ratio(task.group)
        if task.group not in self._workers[worker].compiled:
            seconds += self._durations.compiling(task.group)
        return seconds * self._durations.slowness(worker)

    def _rest(self, failures: int) -> float:
        """Return the seconds of rest after one more failure."""
        return min(self.policy.rest * 2.0 ** min(failures, 60), self.policy.longest_rest)

    def _may(self, worker: str, number: int, now: float) -> bool:
        """Return whether a worker may run a task.

        Workers that failed it, or fail everything, may only if no other is left.
        """
        task_state, state = self._states[number], self._workers[worker]
        failed = task_state.failed
        if now < task_state.rests:
            return False
        if not failed or (worker not in failed and not state.consecutive_failures):
            return True
        alive = [self._workers[name] for name in failed if name in self._workers]
        if worker in failed:
            return len(alive) == len(self._workers)
        if now >= state.trusted:
            return True
        return self._healthy == sum(not other.consecutive_failures for other in alive)

    def _pick(self, worker: str, now: float) -> int | None:
        """Take the longest waiting task, or one of a group that the worker has compiled."""
        queue, state = self._queue, self._workers[worker]
        if not queue.count:
            return None
        names = state.compiled if len(state.compiled) < len(queue.open) else queue.open
        compiled = [
            queue.open[name] for name in names if name in queue.open and name in state.compiled
        ]
        compiled.sort(key=lambda group: -self._longest(group))
        with queue.by_longest() as groups:
            first = next(groups)
        longest, compiling = self._longest(first), self._durations.compiling(first.name)
        ample = compiling > 0
        ample = ample and queue.cost >= self.policy.ample * longest * len(self._workers)
        slow = 1.0 if ample or len(self._workers) == 1 else self._slowness(worker)
        for group in compiled:
            near = self._longest(group) + compiling >= longest and slow == 1.0
            if (ample or near) and (number := self._take(group, worker, now)) is not None:
                return number
        drain = queue.cost / len(self._workers)  # seconds until no task waits
        best = self._find(worker, now, ample, drain / slow if slow > 1 else longest)
        number = None
        if best is not None:
            if slow > 1 and self._waits(state, (slow - 1) * self._longest(best), drain, now):
                return None
            number = self._take(best, worker, now)
        while number is None and compiled:
            number = self._take(compiled.pop(0), worker, now)
        return number

    def _find(self, worker: str, now: float, ample: bool, most: float) -> TaskGroup | None:
        """Find the group to go on with: the first whose longest task takes ``most`` seconds.

        If all take longer, it is the group with the shortest of these tasks.
        """
        best = None
        with self._queue.by_share() if ample else self._queue.by_longest() as groups:
            for group in groups:
                if not self._gains(group, worker, now):
                    continue
                if any(self._may(worker, number, now) for _, number in group.heap):
                    best = group
                    if ample or self._longest(group) <= most:
                        break
        return best

    def _waits(self, state: _WorkerState, more: float, drain: float, now: float) -> bool:
        """Return whether a slow worker leaves a task, which takes it ``more`` seconds, to others.

        The others have begun all waiting tasks in ``drain`` seconds. As they may die or hang, the
        worker waits only once.
        """
        if more <= drain:
            return False
        if state.waits is None:
            state.waits = now + more
            heapq.heappush(self._rests, state.waits)
        return now < state.waits

    def _take(self, group: TaskGroup, worker: str, now: float) -> int | None:
        return self._queue.take(group, lambda number: self._may(worker, number, now))

    def _longest(self, group: TaskGroup) -> float:
        """Return the seconds of the longest waiting task of a group."""
        return group.longest * self._durations.ratio(group.name)

    def _slowness(self, worker: str) -> float:
        """Return how many times slower a worker is than others, or 1 for a small difference."""
        slow = self._durations.slowness(worker)
        return slow if slow > self.policy.lag else 1.0

    def _gains(self, group: TaskGroup, worker: str, now: float) -> bool:
        """Return whether a group ends sooner if a worker joins, and compiles where it must."""
        if group.name in self._workers[worker].compiled or not group.running:
            return True
        soonest = self._running.soonest(group.name)
        if soonest is None or soonest <= now:
            return True
        longest, work = self._longest(group), group.cost * self._durations.ratio(group.name)
        without = soonest - now + max(longest, work / group.running)
        slow = self._durations.slowness(worker)
        return (self._durations.compiling(group.name) + longest) * slow < without

    def _copy(self, worker: str, now: float) -> int | None:
        """Choose the task that is overdue for the longest time, or ends last and after its copy."""
        number = self._running.overdue(now, lambda number: self._may(worker, number, now))
        if number is None and (latest := self._running.latest()) is not None:
            end, last = latest
            seconds = self._expected(last, worker)
            seconds += max(self.policy.gain * seconds, self.policy.slack)
            if self._may(worker, last, now) and now + seconds < end:
                return last
        return number

    # -- state -------------------------------------------------------------------------------

    def _start(self, worker: str, number: int, now: float) -> None:
        state, group = self._workers[worker], self._tasks[number].group
        end = now + self._expected(number, worker)
        self._running.start(worker, Attempt(number, now, end, group not in state.compiled))
        self._queue.runs(group, 1)
        state.waits = None

    def _leave(self, worker: str, task: Task) -> tuple[_WorkerState, Attempt]:
        state = self._state_of(worker)
        attempt = self._running.of(worker)
        if attempt is None or attempt.number != self._numbers.get(task.name):
            raise ValueError(f"worker {worker!r} is not at the task {task.name!r}")
        self._queue.runs(task.group, -1)
        return state, self._running.leave(worker)

    def _retry(self, number: int, reason: str) -> None:
        """Let a task wait again, or abandon it, after a worker has left it without a result."""
        state, policy = self._states[number], self.policy
        if state.ended or self._running.runners(number):
            return
        if state.failures > policy.retries or len(state.died) > policy.losses:
            state.ended = True
            workers = (*state.failed, *state.died)
            self.abandoned.append(TaskAbandoned(self._tasks[number], reason, workers))
        else:
            self._queue.add(number)

    def _rank(self) -> None:
        """Sort the waiting tasks by the measured durations, after a number of finished ones."""
        self._measured += 1
        if self._measured % max(1, len(self._queue.groups) // 4) == 0:
            self._queue.rank()
