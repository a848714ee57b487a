"""The process of a local worker: it hears orders on its input and answers on its output.

``python -m kerasviz.atlas.engines.worker_process [CORE,CORE...]``, started by ``local``. A
line in and a line out, each JSON: first the job and its argument, then the payload of every task.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from typing import BinaryIO

from kerasviz.atlas.engines.worker import Answer, JobWorker

__all__ = ["main"]


def main(cores: str) -> None:
    """Work until the parent is gone, or kills."""
    if cores:
        with contextlib.suppress(OSError):  # they were taken from the whole container meanwhile
            os.sched_setaffinity(0, map(int, cores.split(",")))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    orders: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, orders), daemon=True).start()
    worker = JobWorker()
    job, argument = orders.get()
    text = worker.prepare(job, argument)
    _say(answers, text)
    if Answer.from_text(text).reason:
        os._exit(1)
    while True:
        (payload,) = orders.get()
        _say(answers, worker.do(payload))


def _say(answers: BinaryIO, text: str) -> None:
    data = text.encode() + b"\n"
    while data:  # unbuffered: a pipe may take a part
        data = data[answers.write(data) :]


def _listen(orders: BinaryIO, into: queue.SimpleQueue[list[str]]) -> None:
    """Without the parent there is nothing to work for, in the middle of a task either."""
    for line in orders:
        into.put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
