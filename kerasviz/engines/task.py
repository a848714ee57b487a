"""A piece of work for an engine: what it is called, what it needs, what it costs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Task"]


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
