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

#: Bytes at the end of a dead worker's output that are kept.
TAIL = 4000
#: Seconds to read the output of a killed worker, which may have given it to a child.
PATIENCE = 5.0


def local_engine(
    workers: int | None = None, threads: int = 1, gpus: Sequence[str] | None = None
) -> WorkerPool:
    """Make an engine of processes of this machine.

    By default there is a worker for each GPU, or for each ``threads`` cores. ``gpus`` are names as
    in CUDA_VISIBLE_DEVICES, which the workers share: by default all GPUs, none for (). Raises
    :class:`UsageError` for numbers below 1.
    """
    if threads < 1 or (workers is not None and workers < 1):
        wrong = threads if threads < 1 else workers
        raise UsageError(f"{wrong} is no number of workers or threads; give 1 or more")
    cards = tuple(gpus_here() if gpus is None else gpus)
    count = workers or len(cards) or max(1, len(cores_here()) // threads)
    return WorkerPool(Processes(count, threads, cards))


def cores_here() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def gpus_here(environment: Mapping[str, str] = os.environ, devices: str = "/dev") -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    >>> gpus_here({"CUDA_VISIBLE_DEVICES": "2,3"}), gpus_here({"CUDA_VISIBLE_DEVICES": "-1"})
    (['2', '3'], [])
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        files = Path(devices).glob("nvidia[0-9]*")
        return [str(n) for n in range(sum(bool(re.fullmatch(r"nvidia\d+", f.name)) for f in files))]
    names = [name.strip() for name in visible.split(",")]
    return [name for name in names if name and not name.startswith("-")]


@dataclass
class _Process:
    popen: subprocess.Popen[bytes]
    output: IO[bytes]
    reader: threading.Thread


class Processes:
    """Starts and ends the processes of :mod:`kerasviz.atlas.engines.worker_process`.

    Each is a new Python that gets the import path only: its environment is set before it starts, a
    script needs no ``__main__`` guard, and Ctrl-C does not reach it. When this process ends, its
    workers' input ends, and so do they.
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
        """Return the number of workers that was asked for."""
        return self.workers

    def cores(self, slot: int) -> list[int]:
        """Return the cores of a slot: its own if there are enough, else all; none on a GPU."""
        cores = cores_here()
        if self.gpus or not hasattr(os, "sched_setaffinity"):
            return []
        if self.workers * self.threads > len(cores):
            return cores
        return cores[slot * self.threads : (slot + 1) * self.threads]

    def environment(self, slot: int) -> dict[str, str]:
        """Return the environment of the worker of a slot."""
        gpu = self.gpus[slot % len(self.gpus)] if self.gpus else "-1"
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        shared = {SHARED: "true"} if self.workers > len(self.gpus) > 0 else {}
        return {
            **shared,
            **os.environ,
            **threads_environment(self.threads),
            "CUDA_VISIBLE_DEVICES": gpu,
            "PYTHONPATH": path,
        }

    def launch(self, worker: str, slot: int) -> None:
        """Start a process and tell it the job."""
        assert self._job is not None
        output = tempfile.TemporaryFile()  # noqa: SIM115  closed when the process is gone
        cores = ",".join(map(str, self.cores(slot)))
        try:
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "kerasviz.atlas.engines.worker_process", cores],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=self.environment(slot),
                start_new_session=True,  # Ctrl-C goes to all processes of a session
            )
        except OSError as error:  # no memory or no processes left, for now
            output.close()
            self._signals.put(Ended(worker, one_line(error)))
            return
        arguments = (worker, popen, output, self._signals)
        reader = threading.Thread(target=_read, args=arguments, name=f"worker {worker}")
        reader.daemon = True
        self._running[worker] = _Process(popen, output, reader)
        reader.start()
        self._send(worker, [self._job.make, json.dumps(dict(self._job.argument))])

    def send(self, worker: str, payload: str) -> None:
        """Give a worker a task."""
        self._send(worker, [payload])

    def wait(self, timeout: float) -> list[Signal]:
        """Return the next signals; closing its output tells that a process ends."""
        signals: list[Signal] = []
        with contextlib.suppress(queue.Empty):
            signals.append(self._signals.get(timeout=timeout))
            while True:
                signals.append(self._signals.get_nowait())
        for item in signals:
            if isinstance(item, Ended):
                self.end(item.worker)
        return signals

    def end(self, worker: str) -> None:
        """Kill a process and wait for its end."""
        process = self._running.pop(worker, None)
        if process is not None:
            process.popen.kill()
            _clean(process)

    def close(self) -> None:
        """Kill all processes."""
        running, self._running = list(self._running.values()), {}
        for process in running:
            process.popen.kill()
        for process in running:
            _clean(process)

    def _send(self, worker: str, line: list[str]) -> None:
        stdin = self._running[worker].popen.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # the worker is dead, which its reader says
            stdin.write(json.dumps(line).encode() + b"\n")
            stdin.flush()


def _clean(process: _Process) -> None:
    process.popen.wait()
    process.reader.join(PATIENCE)
    stdin, stdout = process.popen.stdin, process.popen.stdout
    assert stdin is not None and stdout is not None
    with contextlib.suppress(OSError):  # lines that it has not read
        stdin.close()
    stdout.close()
    process.output.close()


def _read(worker: str, popen: Any, output: IO[bytes], into: queue.SimpleQueue[Signal]) -> None:
    """Pass on the answers of a process, and its end."""
    for line in popen.stdout:
        if line.endswith(b"\n"):  # else it was killed while it wrote
            into.put(Answered(worker, Answer.from_text(line.decode())))
    status = popen.wait()
    output.seek(0, os.SEEK_END)
    output.seek(max(0, output.tell() - TAIL))
    trace = output.read().decode(errors="replace")
    into.put(Ended(worker, _reason(status, trace), trace))


def _reason(status: int, trace: str) -> str:
    """Say in one line how a process ended.

    >>> _reason(-9, ""), _reason(1, "Traceback\\n ...\\nImportError: no such module\\n")
    ('killed by signal 9 (SIGKILL)', 'ended with status 1: ImportError: no such module')
    """
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else ""
        return f"killed by signal {-status}" + (f" ({name})" if name else "")
    last = trace.strip().splitlines()[-1:]
    return f"ended with status {status}" + (f": {last[0].strip()[:300]}" if last else "")
