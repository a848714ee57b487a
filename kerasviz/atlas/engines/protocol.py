"""What a run and an engine agree on: tasks, the job of the workers, events, and the engine."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "Began",
    "Done",
    "Engine",
    "Event",
    "Failed",
    "Job",
    "Joined",
    "Lost",
    "Report",
    "Task",
    "TaskAbandoned",
]


@dataclass(frozen=True)
class Task:
    """What a worker does in one go; it knows nothing of what is made.

    ``name`` is unique among the tasks of a run, ``payload`` is the text that the job is called
    with, ``cost`` the seconds that it is expected to take on one worker, ``kind`` names what a
    worker compiles for it: a worker that did a task does others of its kind without compiling.
    """

    name: str
    payload: str
    cost: float = 1.0
    kind: str = ""


@dataclass(frozen=True)
class Job:
    """The name of a function that makes the function that does tasks, and what it is given.

    ``make`` is ``"module:function"``. Each worker imports the module, calls the function with
    ``argument`` (plain data, as JSON has it) once, and what it returns with the payload of every
    task; that returns plain data again, which is small: pictures go to the storage. A dictionary
    may say as ``"share"`` how much of the task was left to do, 0 to 1: only whole tasks tell how
    long others will take. A worker may be ended at any moment, so what is written is written whole
    or not at all, and a task may be done twice, also at the same time by two workers.
    """

    make: str
    argument: Mapping[str, Any] = field(default_factory=dict)

    def prepare(self) -> Callable[[str], Any]:
        """Import and call; whatever that raises goes to the caller.

        >>> Job("kerasviz.atlas.engines.protocol:_echo", {"greeting": "hello"}).prepare()("you")
        'hello you'
        """
        module, _, function = self.make.partition(":")
        made: Callable[[str], Any] = getattr(importlib.import_module(module), function)(
            dict(self.argument)
        )
        return made


def _echo(argument: Mapping[str, Any]) -> Callable[[str], Any]:
    return lambda payload: f"{argument['greeting']} {payload}"


@dataclass(frozen=True)
class Joined:
    """A worker has its job at hand, ``seconds`` after it was started."""

    worker: str
    seconds: float


@dataclass(frozen=True)
class Began:
    """A worker was given a task; ``copy`` says that another one has it, too."""

    worker: str
    task: Task
    copy: bool = False


@dataclass(frozen=True)
class Done:
    """A task is done: what its job returned, and the seconds that it took in the worker."""

    worker: str
    task: Task
    result: Any
    seconds: float

    @property
    def share(self) -> float:
        """How much of the task was left to do, if its job says so; see :class:`Job`."""
        return float(self.result.get("share", 1.0)) if isinstance(self.result, dict) else 1.0


@dataclass(frozen=True)
class Failed:
    """A task raised an exception: ``reason`` is one line, ``trace`` all that Python says."""

    worker: str
    task: Task
    reason: str
    trace: str
    seconds: float


@dataclass(frozen=True)
class Lost:
    """A worker is gone with the task that it had, if any; ``trace`` is what it wrote last.

    ``replaced`` says whether its engine starts another one in its place.
    """

    worker: str
    task: Task | None
    reason: str
    trace: str = ""
    replaced: bool = True


@dataclass(frozen=True)
class TaskAbandoned:
    """A task failed too often; ``reason`` is its last error."""

    task: Task
    reason: str


#: What an engine reports.
Report = Joined | Done | Failed | Lost
#: What a run passes on: the reports of its engine, and what the run itself decides.
Event = Report | Began | TaskAbandoned


class Engine(Protocol):
    """Workers that each have one job and at most one task at a time.

    A worker's name is never used again: what replaces a lost one has another.
    """

    def start(self, job: Job) -> None:
        """Start the workers, without waiting for them; each reports :class:`Joined` when ready.

        Raises :class:`kerasviz.errors.KerasvizError` where none can be started.
        """
        ...

    @property
    def idle(self) -> Sequence[str]:
        """The workers that are ready and have no task."""
        ...

    @property
    def alive(self) -> int:
        """How many workers are ready, with a task or without."""
        ...

    def submit(self, worker: str, task: Task) -> None:
        """Give an idle worker a task; it answers by :class:`Done`, :class:`Failed` or it is lost.

        A worker that died in the meantime is no error here: :meth:`poll` reports it lost.
        """
        ...

    def poll(self, timeout: float) -> Sequence[Report]:
        """Wait for news, at most ``timeout`` seconds, and return them in their order.

        A worker whose process ends is :class:`Lost` at once and replaced by a fresh one. Raises
        :class:`kerasviz.errors.KerasvizError` with the last reason in one line where no worker can
        be started any more.
        """
        ...

    def stop(self) -> None:
        """End all workers now, whatever they do; also after an error, and more than once."""
        ...
