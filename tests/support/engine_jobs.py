"""A job for tests of engines: its tasks sleep, fail, or kill the process that does them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kerasviz.atlas.engines import Job, Task
from kerasviz.errors import ModelError

MAKE = "support.engine_jobs:make"


def job(**argument: Any) -> Job:
    """The job, which says what it is asked to do while it is made."""
    return Job(MAKE, argument)


def task(name: str, do: str, cost: float = 1.0, kind: str = "", **more: Any) -> Task:
    """A task of :func:`make`."""
    return Task(name, json.dumps({"do": do, **more}), cost, kind)


def make(argument: Mapping[str, Any]) -> Callable[[str], Any]:
    if "refused" in argument:
        raise ModelError(argument["refused"])
    if argument.get("dies"):
        _die()
    made = os.getpid(), time.time_ns()

    def do(payload: str) -> Any:
        order = json.loads(payload)
        return getattr(Tasks, order.pop("do"))(made=made, **order)

    return do


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # it comes from outside this thread


def _first(marker: str) -> bool:
    """Whether nobody was here before."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Tasks:
    """What a task can do; ``made`` tells one making of the job from another."""

    @staticmethod
    def echo(made: Any, words: Any = None) -> Any:
        return words

    @staticmethod
    def sleep(made: Any, seconds: float) -> list[int]:
        time.sleep(seconds)
        return list(made)

    @staticmethod
    def meet(made: Any, place: str, count: int) -> list[int]:
        """Wait for a number of processes to be here at once, however long each took to start."""
        folder = Path(place)
        folder.mkdir(exist_ok=True)
        (folder / str(os.getpid())).touch()
        latest = time.monotonic() + 300.0
        while len(list(folder.iterdir())) < count:
            if time.monotonic() > latest:
                raise TimeoutError(f"only {len(list(folder.iterdir()))} came to {place}")
            time.sleep(0.02)
        return list(made)

    @staticmethod
    def look(made: Any) -> dict[str, Any]:
        cores = sorted(os.sched_getaffinity(0))
        return {"pid": os.getpid(), "environment": dict(os.environ), "cores": cores}

    @staticmethod
    def fail(made: Any, words: str) -> None:
        raise ValueError(words)

    @staticmethod
    def leave(made: Any) -> None:
        sys.exit("it had enough")

    @staticmethod
    def unsayable(made: Any) -> Any:
        return object()

    @staticmethod
    def shout(made: Any, words: str) -> str:
        print(words, flush=True)
        os.write(1, words.encode())
        return words

    @staticmethod
    def die(made: Any) -> None:
        _die()

    @staticmethod
    def die_once(made: Any, marker: str) -> str:
        if _first(marker):
            _die()
        return "alive"

    @staticmethod
    def hang_once(made: Any, marker: str) -> str:
        if _first(marker):
            time.sleep(600)
        return "quick"

    @staticmethod
    def hang(made: Any, told: str) -> None:
        """Say who hangs, and do."""
        Path(told).with_suffix(".part").write_text(str(os.getpid()))
        Path(told).with_suffix(".part").rename(told)
        time.sleep(600)
