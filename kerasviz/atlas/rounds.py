"""Rounds: tasks that are not done are done, by this run or by others at the same storage."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.engines import Done, Engine, Event, Job, Task, TaskAbandoned, run
from kerasviz.atlas.leases import FOLDER as CLAIMS
from kerasviz.atlas.leases import LEASE, Leases, Owner
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.run_log import RunLog
from kerasviz.atlas.shards import finished, shard_path
from kerasviz.atlas.worker import MADE, REFUSED, job_of
from kerasviz.errors import UsageError
from kerasviz.io.storage import Storage, StorageRefusedError

__all__ = ["FAILURES", "TaskRounds"]

FAILURES = "failures"
#: Seconds between two looks at what other runs have done.
LOOK = 1.0


@dataclass
class TaskRounds:
    """A run at a storage: ``engine`` makes its workers, ``watch`` is told of its tally.

    ``source`` is where workers find the model. A round hands out all tasks that are not done and
    that no other run is at. When it ends, what others were at is waited for; if one of them died,
    its claims run out and another round does its tasks.
    """

    atlas: Atlas
    storage: Storage
    owner: Owner
    source: str
    engine: Callable[[], Engine]
    log: RunLog
    watch: Callable[[RunProgress], None]
    lease: float = LEASE
    claims: Leases = field(init=False)
    seen: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.claims = Leases(self.storage, self.owner, self.lease)

    def finish(self, tasks: Sequence[Task], tally: RunProgress) -> None:
        """Return when all tasks are done, or given up.

        Raises :class:`StorageRefusedError` in one line where the storage is full or forbidden, and
        :class:`KerasvizError` where no worker can start.
        """
        while True:
            tally.found(finished(self.storage))
            left = [t for t in tasks if t.name not in tally.done and t.name not in tally.given]
            free = self._free(left)
            tally.elsewhere = bool(left and not free)
            self.watch(tally)
            if not left:
                return
            if free:
                self._round(free, tally)
            else:
                time.sleep(LOOK)

    def _free(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks that no other run is at."""
        claimed = self.storage.names(CLAIMS) if tasks else set()
        return [t for t in tasks if t.name not in claimed or self.claims.holder(t.name) is None]

    def _round(self, tasks: Iterable[Task], tally: RunProgress) -> None:
        engine = self.engine()
        with contextlib.closing(run(tasks, engine, self._job())) as events:
            for event in events:
                self.log.note(event)
                tally.note(event, engine.alive)
                self._judge(event)
                self.watch(tally)
        tally.alive = 0

    def _job(self) -> Job:
        return job_of(self.atlas, self.storage, self.owner, self.source, self.lease)

    def _judge(self, event: Event) -> None:
        """End a run in which nothing can come of what is left; keep the error of a task."""
        if isinstance(event, TaskAbandoned):
            words = {"task": event.task.name, "reason": event.reason}
            data = json.dumps(words, ensure_ascii=False).encode()
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
