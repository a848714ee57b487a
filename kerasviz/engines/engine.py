"""What runs tasks: workers that are started, given tasks, asked for news and stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kerasviz.engines.events import Done, Failed, Joined, Lost
from kerasviz.engines.job import Job
from kerasviz.engines.task import Task

__all__ = ["Engine", "Report"]

#: What a worker can report.
Report = Joined | Done | Failed | Lost


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
