"""The worker processes of a service: started, watched, restarted, stopped."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from dataclasses import dataclass
from multiprocessing import connection as pipes
from typing import Any

from kerasviz.service.jobs import start_worker
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.picture_queue import Queue
from kerasviz.service.settings import ServiceSettings

log = logging.getLogger("kerasviz.service.jobs.workers")

#: Seconds before a worker that ended early is restarted; doubled each time.
FIRST_WAIT = 0.5
#: Seconds before a restart at most.
LONGEST_WAIT = 30.0
#: Seconds after which a worker counts as healthy.
HEALTHY_SECONDS = 60.0
#: Seconds beyond the grace until a worker that does not stop is killed.
KILL_SECONDS = 10.0


@dataclass
class _Running:
    process: Any
    orders: Any
    worker_id: str
    began: float
    ready: bool = False


class Workers:
    """Keeps ``setting.workers`` rendering processes alive.

    Pictures that an earlier service or an ended worker left running are queued again.
    """

    def __init__(self, setting: ServiceSettings, database: Database):
        self.setting, self.database = setting, database
        self.boot = uuid.uuid4().hex[:12]
        self.deaths = 0
        self._running: list[_Running] = []
        self._started = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self, first: start_worker.StartedWorker | None = None) -> None:
        """Queue unfinished pictures again, and start the processes; ``first`` runs before."""
        Queue(self.database, self.boot).give_back_all()
        for number in range(self.setting.workers):
            self._start_one(None if number else first)
        if self.setting.workers:
            self._watcher = threading.Thread(target=self._watch, name="workers", daemon=True)
            self._watcher.start()

    @property
    def alive(self) -> int:
        """The number of workers that are alive and have imported TensorFlow."""
        with self._lock:
            return sum(r.ready and r.process.is_alive() for r in self._running)

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        with self._lock:
            return [int(r.process.pid) for r in self._running]

    def wake(self) -> None:
        """Tell the workers that pictures wait."""
        self._tell("wake")

    def stop(self) -> None:
        """Stop the workers, by force after the grace, and queue their pictures again."""
        self._stopping.set()
        self._tell("stop")
        if self._watcher is not None:
            self._watcher.join()
        latest = time.monotonic() + self.setting.grace + KILL_SECONDS
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

    def _start_one(self, started: start_worker.StartedWorker | None = None) -> None:
        with self._lock:
            self._started += 1
            worker_id = f"{self.boot}:{self._started}"
        one = started or start_worker.start()
        one.take(self.setting, worker_id)
        with self._lock:
            self._running.append(_Running(one.process, one.orders, worker_id, time.monotonic()))

    def _watch(self) -> None:
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            with self._lock:
                running = list(self._running)
            waited = [r.process.sentinel for r in running]
            waited += [r.orders for r in running if not r.ready]
            pipes.wait(waited, timeout=0.25)
            for one in running:
                if not one.ready and one.process.is_alive() and one.orders.poll():
                    with contextlib.suppress(EOFError, OSError):
                        one.ready = one.orders.recv() == "ready"
                if not one.process.is_alive() and not self._stopping.is_set():
                    lived = time.monotonic() - one.began
                    wait = FIRST_WAIT if lived > HEALTHY_SECONDS else min(2 * wait, LONGEST_WAIT)
                    self._replace(one, wait)

    def _replace(self, dead: _Running, wait: float) -> None:
        dead.process.join()
        held = Queue(self.database, dead.worker_id).give_back(died=True)
        self.deaths += 1
        fields = {"exit": dead.process.exitcode, "held": held, "again_in": wait}
        log.warning("a worker ended", extra={"worker": dead.worker_id, **fields})
        with self._lock:
            self._running.remove(dead)
        dead.orders.close()
        if not self._stopping.wait(wait):
            self._start_one()
