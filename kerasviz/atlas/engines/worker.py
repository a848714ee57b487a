"""What every engine's workers do: make the job, do tasks, and answer in text."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from kerasviz.atlas.engines.protocol import Job
from kerasviz.errors import KerasvizError

__all__ = ["Answer", "JobWorker", "one_line"]

#: Characters of a reason, at most.
LONGEST = 500


@dataclass(frozen=True)
class Answer:
    """What a worker says of its job or of a task: its result, or why there is none.

    ``reason`` is empty where it went well, else one line; ``trace`` is all that Python says.
    """

    seconds: float
    result: Any = None
    reason: str = ""
    trace: str = ""

    @staticmethod
    def from_text(text: str) -> Answer:
        """The answer that :meth:`Worker.prepare` or :meth:`Worker.do` gave."""
        return Answer(**json.loads(text))


class JobWorker:
    """One job in one process; all that it says is JSON, so that no engine allows more."""

    def __init__(self) -> None:
        self._run: Callable[[str], Any] | None = None

    def prepare(self, job: str, argument: str) -> str:
        """Make the job from its name and the JSON of its argument."""

        def make() -> None:
            self._run = Job(job, json.loads(argument)).prepare()

        return _answer(make)

    def do(self, payload: str) -> str:
        """Do a task."""
        run = self._run
        if run is None:
            raise RuntimeError("the worker has no job")
        return _answer(lambda: run(payload))

    def watch(self) -> None:
        """Return never: whoever waits for it learns when the process is gone."""
        threading.Event().wait()


def one_line(error: BaseException) -> str:
    """An exception in a line: what kerasviz explains is said as it is, others with their type.

    >>> one_line(ValueError("too much\\nof it")), one_line(KerasvizError("no such tap"))
    ('ValueError: too much', 'no such tap')
    """
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, KerasvizError) and first:
        return first[:LONGEST]
    name = type(error).__name__
    return (f"{name}: {first}" if first else name)[:LONGEST]


def _answer(work: Callable[[], Any]) -> str:
    began = time.perf_counter()
    try:
        result = work()
        seconds = time.perf_counter() - began
        return json.dumps(asdict(Answer(seconds, result)))
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it raises is the answer
        seconds = time.perf_counter() - began
        trace = traceback.format_exc()
        return json.dumps(asdict(Answer(seconds, reason=one_line(error), trace=trace)))
