"""What every worker of a run does with its tasks: a function that is made once in each process."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Job"]


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

        >>> Job("kerasviz.engines.job:_echo", {"greeting": "hello"}).prepare()("you")
        'hello you'
        """
        module, _, function = self.make.partition(":")
        made: Callable[[str], Any] = getattr(importlib.import_module(module), function)(
            dict(self.argument)
        )
        return made


def _echo(argument: Mapping[str, Any]) -> Callable[[str], Any]:
    return lambda payload: f"{argument['greeting']} {payload}"
