"""Rounds: all unfinished tasks are done by this run or by others at the same storage."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.engines import Done, Engine, Event, Job, Task, TaskAbandoned, run
from kerasviz.atlas.leases import FOLDER as LEASES
from kerasviz.atlas.leases import LEASE, Leases, Owner
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.run_log import RunLog
from kerasviz.atlas.shards import finished, shard_path
from kerasviz.atlas.worker import MADE, REFUSED, job_of
from kerasviz.errors import UsageError
from kerasviz.io.storage import Storage, StorageRefusedError

#: The folder of the last errors of abandoned tasks, in the storage.
FAILURES = "failures"
#: Seconds after which the storage is asked again what other runs have done.
LOOK = 1.0


@dataclass
class TaskRounds:
    """A run at a storage: ``engine`` makes its workers, ``watch`` gets its progress.

    Workers find the model at ``source``. A round does all unfinished tasks that no other run is
    at. Then the tasks of other runs are waited for. If one of these runs died, its leases run out
    and another round does its tasks.
    """

    atlas: Atlas
    storage: Storage
    owner: Owner
    source: str
    engine: Callable[[], Engine]
    log: RunLog
    watch: Callable[[RunProgress], None]
    lease: float = LEASE
    leases: Leases = field(init=False)
    seen: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.leases = Leases(self.storage, self.owner, self.lease)

    def finish(self, tasks: Sequence[Task], progress: RunProgress) -> None:
        """Return when all tasks are done or abandoned.

        Raises :class:`StorageRefusedError` in one line where the storage is full or forbidden, and
        :class:`KerasvizError` where no worker can start.
        """
        while True:
            progress.update_done(finished(self.storage))
            left = [
                t for t in tasks if t.name not in progress.done and t.name not in progress.abandoned
            ]
            free = self._free(left)
            progress.elsewhere = bool(left and not free)
            self.watch(progress)
            if not left:
                return
            if free:
                self._round(free, progress)
            else:
                time.sleep(LOOK)

    def _free(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that no other run is at."""
        leased = self.storage.names(LEASES) if tasks else set()
        return [t for t in tasks if t.name not in leased or self.leases.holder(t.name) is None]

    def _round(self, tasks: Iterable[Task], progress: RunProgress) -> None:
        engine = self.engine()
        with contextlib.closing(run(tasks, engine, self._job())) as events:
            for event in events:
                self.log.add(event)
                progress.add(event, engine.alive)
                self._judge(event)
                self.watch(progress)
        progress.alive = 0

    def _job(self) -> Job:
        return job_of(self.atlas, self.storage, self.owner, self.source, self.lease)

    def _judge(self, event: Event) -> None:
        """Save the error of an abandoned task, or end a run whose storage does not work."""
        if isinstance(event, TaskAbandoned):
            failure = {"task": event.task.name, "reason": event.reason}
            data = json.dumps(failure, ensure_ascii=False).encode()
            self.storage.write(f"{FAILURES}/{event.task.name}.json", data)
        if not isinstance(event, Done):
            return
        if event.result["state"] == REFUSED:
            raise StorageRefusedError(event.result["why"])
        if event.result["state"] == MADE and not self.seen:
            path = shard_path(event.task.name)
            if not self.storage.exists(path):
                raise UsageError(
                    f"a worker wrote {self.storage.address(path)!r}, which is not there on this "
                    "machine; give --out a folder that all machines share, or s3:// or gs://"
                )
            self.seen = True
