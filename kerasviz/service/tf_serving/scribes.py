"""Processes that read and write numbers beside the server.

JSON of a batch of images keeps a processor busy for about as long as a small network needs for
them, and Python lets only one thread at a time parse. So a part of it goes to processes that do
nothing else: each shares a piece of memory with the server and answers over a pipe.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from kerasviz.service.tf_serving.numbers import numbers_of, rows_of
from kerasviz.types import Array

__all__ = ["Scribe", "Scribes"]

#: The memory that is shared with one process, of which only what is used is taken.
SIZE = 64 * 2**20
#: Seconds until a process that ended is started again, and the most that an answer may take.
WAIT, PATIENCE = 30.0, 10.0
#: Processes at most: the rest of the work is no faster with more.
MOST = 4


class Scribe:
    """One process; only who was given it by :meth:`Scribes.free` may order anything.

    Where it cannot do what it is ordered to, for whatever reason, the result is ``None``.
    """

    def __init__(self) -> None:
        file = os.memfd_create("kerasviz")
        ours, theirs = Pipe()
        try:
            os.ftruncate(file, SIZE)
            self._memory = mmap.mmap(file, SIZE)
            words = [str(number) for number in (file, theirs.fileno())]
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *words],
                pass_fds=(file, theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        finally:
            os.close(file)
            theirs.close()
        self._pipe = ours
        self._owes = True  # it says when it has started
        self.failed = False

    @property
    def ready(self) -> bool:
        """Whether it has answered all that it was asked, and can be given work."""
        if self._owes:
            self._result(0.0)
        return not self._owes and not self.failed

    def order(self, what: str, data: Sequence[Any], *more: Any) -> None:
        """Have ``data`` (flat buffers of bytes) read or written; the result is to be asked for."""
        views = [memoryview(each) for each in data]
        if sum(view.nbytes for view in views) > SIZE:
            return
        place = 0
        for view in views:
            self._memory[place : place + view.nbytes] = view
            place += view.nbytes
        try:
            self._pipe.send((what, place, *more))
            self._owes = True
        except OSError:
            self.failed = True

    def numbers(self) -> Array | None:
        """The array that was ordered to be read, in the shared memory."""
        shape = self._result(PATIENCE)
        if shape is None:
            return None
        return np.frombuffer(self._memory, np.float64, math.prod(shape)).reshape(shape)

    def text(self) -> bytes | None:
        """The JSON of what was ordered to be written."""
        length = self._result(PATIENCE)
        return None if length is None else self._memory[:length]

    def _result(self, seconds: float) -> Any:
        if self.failed or not self._owes:
            return None
        try:
            if self._pipe.poll(seconds):
                self._owes = False
                return self._pipe.recv()
        except (EOFError, OSError):
            self.failed = True
        self.failed |= seconds > 0
        return None

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()


class Scribes:
    """The processes: one less than there are processors, started when they are first wanted."""

    def __init__(self, count: int | None = None):
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        possible = hasattr(os, "memfd_create")
        self.count = (min(MOST, processors - 1) if count is None else count) * possible
        self._idle: list[Scribe] = []
        self._all: list[Scribe] = []
        self._lock = threading.Lock()
        self._begun = -WAIT
        self._stopped = False

    @contextlib.contextmanager
    def free(self) -> Iterator[Scribe | None]:
        """One that has nothing to do, ``None`` if there is none: nobody waits for it."""
        with self._lock:
            self._fill()
            found = next((scribe for scribe in self._idle if scribe.ready), None)
            if found is not None:
                self._idle.remove(found)
        try:
            yield found
        finally:
            if found is not None:
                with self._lock:
                    self._idle.append(found)

    def _fill(self) -> None:
        for dead in [scribe for scribe in self._idle if scribe.failed]:
            self._idle.remove(dead)
            self._all.remove(dead)
            dead.stop()
        now = time.monotonic()
        if len(self._all) < self.count and now - self._begun >= WAIT and not self._stopped:
            self._begun = now
            while len(self._all) < self.count:
                made = Scribe()
                self._all.append(made)
                self._idle.append(made)

    def stop(self) -> None:
        """End the processes."""
        with self._lock:
            self._stopped = True
            for scribe in self._all:
                scribe.stop()
            self._all.clear()
            self._idle.clear()


# -- the other side ----------------------------------------------------------------------------


def _work(file: int, pipe: Connection) -> None:
    """Do what is ordered until the server is gone."""
    memory = mmap.mmap(file, SIZE)
    with contextlib.suppress(EOFError, OSError):
        pipe.send("ready")
        while True:
            what, length, *more = pipe.recv()
            pipe.send(_read(memory, length) if what == "read" else _write(memory, *more))


def _read(memory: mmap.mmap, length: int) -> tuple[int, ...] | None:
    found = numbers_of(memory[:length])
    if found is None or found.nbytes > SIZE:
        return None
    np.frombuffer(memory, np.float64, found.size)[:] = found.ravel()
    return tuple(found.shape)


def _write(memory: mmap.mmap, kinds: Sequence[tuple[str, str, Sequence[int]]]) -> int | None:
    values, place = {}, 0
    for name, dtype, shape in kinds:
        count = math.prod(shape)
        values[name] = np.frombuffer(memory, dtype, count, place).reshape(shape)
        place += values[name].nbytes
    text = rows_of(values)
    if len(text) > SIZE:
        return None
    memory[: len(text)] = text
    return len(text)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server says when it is over
    _work(int(sys.argv[1]), Connection(int(sys.argv[2])))
