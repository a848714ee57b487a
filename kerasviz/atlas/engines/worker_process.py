"""The process of a local worker: it reads tasks from its input and answers on its output.

``python -m kerasviz.atlas.engines.worker_process [CORE,CORE...]``, started by ``local``. Each line
of input has a line of output, both JSON: the job and its argument first, then payloads of tasks.
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


def main(cores: str) -> None:
    """Work until the parent is gone or kills this process."""
    if cores:
        with contextlib.suppress(OSError):  # the container has lost these cores meanwhile
            os.sched_setaffinity(0, map(int, cores.split(",")))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, lines), daemon=True).start()
    worker = JobWorker()
    job, argument = lines.get()
    text = worker.prepare(job, argument)
    _write(answers, text)
    if Answer.from_text(text).reason:
        os._exit(1)
    while True:
        (payload,) = lines.get()
        _write(answers, worker.do(payload))


def _write(answers: BinaryIO, text: str) -> None:
    data = text.encode() + b"\n"
    while data:  # unbuffered: a pipe may take a part
        data = data[answers.write(data) :]


def _read(stream: BinaryIO, into: queue.SimpleQueue[list[str]]) -> None:
    """Read the input, and exit when it ends, even in a task: the parent is gone."""
    for line in stream:
        into.put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:] or [""])
