"""What happens while tasks are done, as the workers report it and as a run passes it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerasviz.engines.task import Task

__all__ = ["Began", "Done", "Event", "Failed", "GivenUp", "Joined", "Lost"]


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
class GivenUp:
    """A task failed too often; ``reason`` is its last error."""

    task: Task
    reason: str


#: What an engine reports are Joined, Done, Failed and Lost; Began and GivenUp are of the run.
Event = Joined | Began | Done | Failed | Lost | GivenUp
