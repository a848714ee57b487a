"""Workers of every engine: they make the job, do tasks and answer in text."""

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

#: The most characters of a reason.
REASON_LENGTH = 500


@dataclass(frozen=True)
class Answer:
    """The answer of a worker to its job or to a task: the result, or why there is none.

    ``reason`` is one line, empty after success; ``trace`` is the traceback.
    """

    seconds: float
    result: Any = None
    reason: str = ""
    trace: str = ""

    @staticmethod
    def from_text(text: str) -> Answer:
        """Read what :meth:`JobWorker.prepare` or :meth:`JobWorker.do` returned."""
        return Answer(**json.loads(text))


class JobWorker:
    """One job in one process; its answers are JSON text, whatever the engine."""

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
        """Block forever, so that a waiting caller notices when the process dies."""
        threading.Event().wait()


def one_line(error: BaseException) -> str:
    """Say an exception in one line, with its type unless it is a :class:`KerasvizError`.

    >>> one_line(ValueError("too much\\nof it")), one_line(KerasvizError("no such tap"))
    ('ValueError: too much', 'no such tap')
    """
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, KerasvizError) and first:
        return first[:REASON_LENGTH]
    name = type(error).__name__
    return (f"{name}: {first}" if first else name)[:REASON_LENGTH]


def _answer(work: Callable[[], Any]) -> str:
    began = time.perf_counter()
    try:
        result = work()
        seconds = time.perf_counter() - began
        return json.dumps(asdict(Answer(seconds, result)))
    except (Exception, SystemExit) as error:  # noqa: BLE001  the exception is the answer
        seconds = time.perf_counter() - began
        trace = traceback.format_exc()
        return json.dumps(asdict(Answer(seconds, reason=one_line(error), trace=trace)))
