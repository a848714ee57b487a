"""The engine of this machine: processes, each pinned to cores or to a GPU."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kerasviz.atlas.engines.protocol import Job
from kerasviz.atlas.engines.threads import SHARED, threads_environment
from kerasviz.atlas.engines.worker import Answer, one_line
from kerasviz.atlas.engines.worker_pool import Answered, Ended, Signal, WorkerPool
from kerasviz.errors import UsageError

__all__ = ["Processes", "cores_here", "gpus_here", "local_engine"]

#: Bytes of what a worker wrote that are kept when it dies.
TAIL = 4000
#: Seconds for what a killed worker wrote to be read: it may have given its output to a child.
PATIENCE = 5.0


def local_engine(
    workers: int | None = None, threads: int = 1, gpus: Sequence[str] | None = None
) -> WorkerPool:
    """An engine with processes of this machine.

    ``workers`` are as many as there are cores for (``threads`` cores each), or one for every GPU.
    ``gpus`` are names as in CUDA_VISIBLE_DEVICES: the workers take turns with them; by default all
    that are found, and () works on the CPU. Raises :class:`UsageError` for numbers below 1.
    """
    if threads < 1 or (workers is not None and workers < 1):
        wrong = threads if threads < 1 else workers
        raise UsageError(f"{wrong} is no number of workers or threads; give 1 or more")
    cards = tuple(gpus_here() if gpus is None else gpus)
    count = workers or len(cards) or max(1, len(cores_here()) // threads)
    return WorkerPool(Processes(count, threads, cards))


def cores_here() -> list[int]:
    """The cores that this process may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def gpus_here(environment: Mapping[str, str] = os.environ, devices: str = "/dev") -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    >>> gpus_here({"CUDA_VISIBLE_DEVICES": "2,3"}), gpus_here({"CUDA_VISIBLE_DEVICES": "-1"})
    (['2', '3'], [])
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        files = Path(devices).glob("nvidia[0-9]*")
        return [str(n) for n in range(sum(bool(re.fullmatch(r"nvidia\d+", f.name)) for f in files))]
    found = [name.strip() for name in named.split(",")]
    return [name for name in found if name and not name.startswith("-")]


@dataclass
class _Process:
    popen: subprocess.Popen[bytes]
    said: IO[bytes]
    reader: threading.Thread


class Processes:
    """Starts and ends the processes of :mod:`kerasviz.atlas.engines.worker_process`.

    They are new Pythons and nothing of this one is imported in them but the path: the environment
    is set before they start, a script needs no guard, and Ctrl-C does not reach them. They end when
    this process does, however it ends, since their input ends.
    """

    def __init__(self, workers: int, threads: int, gpus: Sequence[str]):
        self.workers, self.threads, self.gpus = workers, threads, tuple(gpus)
        self._running: dict[str, _Process] = {}
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._job: Job | None = None

    def open(self, job: Job) -> None:
        """Remember the job."""
        self._job = job
        self._signals = queue.SimpleQueue()

    def wanted(self) -> int:
        """As many as were asked for."""
        return self.workers

    def cores(self, place: int) -> list[int]:
        """The cores of a place: its own where all have enough, else all; none said on a GPU."""
        cores = cores_here()
        if self.gpus or not hasattr(os, "sched_setaffinity"):
            return []
        if self.workers * self.threads > len(cores):
            return cores
        return cores[place * self.threads : (place + 1) * self.threads]

    def environment(self, place: int) -> dict[str, str]:
        """The environment of the worker of a place."""
        gpu = self.gpus[place % len(self.gpus)] if self.gpus else "-1"
        path = os.pathsep.join(each or os.getcwd() for each in sys.path)
        shared = {SHARED: "true"} if self.workers > len(self.gpus) > 0 else {}
        return {
            **shared,
            **os.environ,
            **threads_environment(self.threads),
            "CUDA_VISIBLE_DEVICES": gpu,
            "PYTHONPATH": path,
        }

    def launch(self, worker: str, place: int) -> None:
        """Start a process and tell it the job."""
        assert self._job is not None
        said = tempfile.TemporaryFile()  # noqa: SIM115  closed when the process is gone
        cores = ",".join(map(str, self.cores(place)))
        try:
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "kerasviz.atlas.engines.worker_process", cores],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=self.environment(place),
                start_new_session=True,  # Ctrl-C goes to all of a session
            )
        except OSError as error:  # no memory or no processes left, for now
            said.close()
            self._signals.put(Ended(worker, one_line(error)))
            return
        arguments = (worker, popen, said, self._signals)
        reader = threading.Thread(target=_read, args=arguments, name=f"worker {worker}")
        reader.daemon = True
        self._running[worker] = _Process(popen, said, reader)
        reader.start()
        self._tell(worker, [self._job.make, json.dumps(dict(self._job.argument))])

    def send(self, worker: str, payload: str) -> None:
        """Give a worker a task."""
        self._tell(worker, [payload])

    def wait(self, timeout: float) -> list[Signal]:
        """The next signals; a process that ends is known as soon as its output is closed."""
        found: list[Signal] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._signals.get(timeout=timeout))
            while True:
                found.append(self._signals.get_nowait())
        for each in found:
            if isinstance(each, Ended):
                self.end(each.worker)
        return found

    def end(self, worker: str) -> None:
        """Kill a process, and wait until it is gone."""
        process = self._running.pop(worker, None)
        if process is not None:
            process.popen.kill()
            _clean(process)

    def close(self) -> None:
        """Kill all."""
        running, self._running = list(self._running.values()), {}
        for process in running:
            process.popen.kill()
        for process in running:
            _clean(process)

    def _tell(self, worker: str, order: list[str]) -> None:
        stdin = self._running[worker].popen.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # it is dead, which its reader says
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()


def _clean(process: _Process) -> None:
    process.popen.wait()
    process.reader.join(PATIENCE)
    stdin, stdout = process.popen.stdin, process.popen.stdout
    assert stdin is not None and stdout is not None
    with contextlib.suppress(OSError):  # what it did not hear
        stdin.close()
    stdout.close()
    process.said.close()


def _read(worker: str, popen: Any, said: IO[bytes], into: queue.SimpleQueue[Signal]) -> None:
    """Pass the answers of a process on, and that it ended."""
    for line in popen.stdout:
        if line.endswith(b"\n"):  # else it was killed while it spoke
            into.put(Answered(worker, Answer.from_text(line.decode())))
    status = popen.wait()
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - TAIL))
    trace = said.read().decode(errors="replace")
    into.put(Ended(worker, _reason(status, trace), trace))


def _reason(status: int, trace: str) -> str:
    """How a process ended, in a line.

    >>> _reason(-9, ""), _reason(1, "Traceback\\n ...\\nImportError: no such module\\n")
    ('killed by signal 9 (SIGKILL)', 'ended with status 1: ImportError: no such module')
    """
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else ""
        return f"killed by signal {-status}" + (f" ({name})" if name else "")
    last = trace.strip().splitlines()[-1:]
    return f"ended with status {status}" + (f": {last[0].strip()[:300]}" if last else "")
