"""The workers of a service: started, watched, started again, stopped."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
import time
import uuid
from dataclasses import dataclass
from multiprocessing import connection as pipes
from typing import Any

from kerasviz.service.jobs import worker
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.picture_queue import Queue
from kerasviz.service.settings import ServiceSettings

__all__ = ["Workers"]

log = logging.getLogger("kerasviz.service.jobs.workers")

#: Seconds before a worker that ended early is started again, doubled each time up to the most.
WAIT, LONGEST = 0.5, 30.0
#: A worker that lived so many seconds counts as one that can work.
GOOD = 60.0
#: Seconds beyond the grace until a worker that does not stop is killed.
EXTRA = 10.0


@dataclass
class _Running:
    process: Any
    orders: Any
    worker_id: str
    began: float
    ready: bool = False


class Workers:
    """``setting.workers`` processes that render, each of them replaced when it ends.

    What an earlier service left running is queued again at the start, and what a worker held when
    it ended at once.
    """

    def __init__(self, setting: ServiceSettings, database: Database):
        self.setting, self.database = setting, database
        self.boot = uuid.uuid4().hex[:12]
        self.deaths = 0
        self._context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self._running: list[_Running] = []
        self._started = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Queue again what was left, and start the processes."""
        Queue(self.database, self.boot).give_back_all()
        for _ in range(self.setting.workers):
            self._start_one()
        if self.setting.workers:
            self._watcher = threading.Thread(target=self._watch, name="workers", daemon=True)
            self._watcher.start()

    @property
    def alive(self) -> int:
        """How many workers live and have TensorFlow at hand."""
        with self._lock:
            return sum(r.ready and r.process.is_alive() for r in self._running)

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        with self._lock:
            return [int(r.process.pid) for r in self._running]

    def wake(self) -> None:
        """Say that there is work."""
        self._tell("wake")

    def stop(self) -> None:
        """Let the workers end, those that cannot within the grace by force; their work waits."""
        self._stopping.set()
        self._tell("stop")
        if self._watcher is not None:
            self._watcher.join()
        latest = time.monotonic() + self.setting.grace + EXTRA
        for running in self._running:
            running.process.join(max(0.0, latest - time.monotonic()))
            if running.process.is_alive():
                running.process.kill()
                running.process.join()
            running.orders.close()
            Queue(self.database, running.worker_id).give_back()
        self._running.clear()

    def _tell(self, order: str) -> None:
        with self._lock:
            for running in self._running:
                with contextlib.suppress(OSError):
                    running.orders.send(order)

    def _start_one(self) -> None:
        ours, theirs = self._context.Pipe()
        with self._lock:
            self._started += 1
            worker_id = f"{self.boot}:{self._started}"
        process = self._context.Process(
            target=worker.main,
            args=(self.setting, worker_id, theirs),
            name=f"kerasviz worker {worker_id}",
            daemon=True,
        )
        process.start()
        theirs.close()  # so that either side notices when the other is gone
        with self._lock:
            self._running.append(_Running(process, ours, worker_id, time.monotonic()))

    def _watch(self) -> None:
        wait = WAIT
        while not self._stopping.is_set():
            with self._lock:
                running = list(self._running)
            waited = [r.process.sentinel for r in running]
            waited += [r.orders for r in running if not r.ready]
            pipes.wait(waited, timeout=0.25)
            for each in running:
                if not each.ready and each.process.is_alive() and each.orders.poll():
                    with contextlib.suppress(EOFError, OSError):
                        each.ready = each.orders.recv() == "ready"
                if not each.process.is_alive() and not self._stopping.is_set():
                    lived = time.monotonic() - each.began
                    wait = WAIT if lived > GOOD else min(2 * wait, LONGEST)
                    self._replace(each, wait)

    def _replace(self, dead: _Running, wait: float) -> None:
        dead.process.join()
        held = Queue(self.database, dead.worker_id).give_back(died=True)
        self.deaths += 1
        fields = {"exit": dead.process.exitcode, "held": held, "again_in": wait}
        log.warning("a worker ended", extra={"fields": {"worker": dead.worker_id, **fields}})
        with self._lock:
            self._running.remove(dead)
        dead.orders.close()
        if not self._stopping.wait(wait):
            self._start_one()
