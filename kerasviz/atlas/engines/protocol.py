"""What a run and an engine agree on: tasks, the job of the workers, and events."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """What a worker does in one go.

    ``name`` is unique among the tasks of a run. The job is called with the text ``payload``.
    ``cost`` are the seconds that one worker should take. ``group`` names what a worker compiles for
    the task: the worker does not compile for further tasks of the group.
    """

    name: str
    payload: str
    cost: float = 1.0
    group: str = ""


@dataclass(frozen=True)
class Job:
    """The function that makes the function that does tasks, by name, and its argument.

    Each worker imports ``make`` (``"module:function"``) and calls it once with ``argument``, which
    is plain data of JSON. The function that it returns is called with the payload of every task.
    Results are plain data of JSON, and small: pictures go to the storage. A dictionary may have as
    ``"share"`` the part of the task that was left to do, 0 to 1: only whole tasks tell how long
    others take. As a worker may be ended at any moment, files must appear whole or not at all. A
    task may be done twice, also at the same time by two workers.
    """

    make: str
    argument: Mapping[str, Any] = field(default_factory=dict)

    def prepare(self) -> Callable[[str], Any]:
        """Import and call ``make``; what it raises goes to the caller.

        >>> Job("kerasviz.atlas.engines.protocol:_echo", {"greeting": "hello"}).prepare()("you")
        'hello you'
        """
        module, _, function = self.make.partition(":")
        make = getattr(importlib.import_module(module), function)
        run: Callable[[str], Any] = make(dict(self.argument))
        return run


def _echo(argument: Mapping[str, Any]) -> Callable[[str], Any]:
    return lambda payload: f"{argument['greeting']} {payload}"


@dataclass(frozen=True)
class Joined:
    """A worker is ready for tasks, ``seconds`` after it was started."""

    worker: str
    seconds: float


@dataclass(frozen=True)
class Began:
    """A worker was given a task; ``copy`` says that another worker has the task, too."""

    worker: str
    task: Task
    copy: bool = False


@dataclass(frozen=True)
class Done:
    """A task is done, with what its job returned and the seconds in the worker."""

    worker: str
    task: Task
    result: Any
    seconds: float

    @property
    def share(self) -> float:
        """The part of the task that was left to do, if its job says so; see :class:`Job`."""
        return float(self.result.get("share", 1.0)) if isinstance(self.result, dict) else 1.0


@dataclass(frozen=True)
class Failed:
    """A task raised an exception: ``reason`` is one line, ``trace`` the traceback."""

    worker: str
    task: Task
    reason: str
    trace: str
    seconds: float


@dataclass(frozen=True)
class Lost:
    """A worker is dead, with the task that it had, if any; ``trace`` is the end of its output.

    ``replaced`` says whether its engine starts another worker in its slot.
    """

    worker: str
    task: Task | None
    reason: str
    trace: str = ""
    replaced: bool = True


@dataclass(frozen=True)
class TaskAbandoned:
    """A task failed too often: its last error, and the workers that failed it or died at it."""

    task: Task
    reason: str
    workers: tuple[str, ...] = ()


#: What an engine reports.
Report = Joined | Done | Failed | Lost
#: What a run passes on: the reports of its engine, and what the run itself decides.
Event = Report | Began | TaskAbandoned
