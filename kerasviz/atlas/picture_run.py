"""Pictures on workers: the tasks of requests, the check of all files, one store of them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from kerasviz.atlas.assemble import SiteBuilder
from kerasviz.atlas.check import check, discard
from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.engines import Engine
from kerasviz.atlas.leases import LEASE, Owner
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.rounds import FAILURES, LOOK, TaskRounds
from kerasviz.atlas.run_log import RunLog
from kerasviz.atlas.tasks import tasks_of
from kerasviz.errors import KerasvizError
from kerasviz.io.storage import Storage, StorageRefusedError
from kerasviz.network.network import Network
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store

Result = TypeVar("Result")

#: How often pictures that the check finds damaged are made again.
REPAIRS = 3
#: The lease of the run that checks and assembles.
ASSEMBLY = "gathering"


class RunOptions(TypedDict, total=False):
    """The optional arguments of a run.

    ``watch`` gets the progress, the log of the run has ``about``, and after a run was killed,
    others take over its tasks in ``lease`` seconds.
    """

    watch: Callable[[RunProgress], None]
    about: dict[str, Any]
    lease: float


class PictureRun:
    """Render the requests that a storage lacks on workers, and assemble all of them.

    ``engine`` makes an engine whenever workers are needed. ``atlas`` says what workers load, and
    with which threads.
    """

    def __init__(
        self,
        net: Network,
        atlas: Atlas,
        storage: Storage,
        engine: Callable[[], Engine],
        requests: Sequence[Request],
        options: RunOptions,
    ):
        self.net, self.storage, self.requests = net, storage, requests
        self.watch = options.get("watch", _unwatched)
        batches = make_batches(net, requests)
        self.tasks = tasks_of(net, batches)
        self.progress = RunProgress(
            {task.name: batch.rows for task, batch in zip(self.tasks, batches, strict=True)}
        )
        self.builder = SiteBuilder(storage)
        began = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        owner = Owner.here(f"{began}-{secrets.token_hex(3)}")
        about = {"tasks": len(self.tasks), "pictures": self.progress.pictures}
        self.rounds = TaskRounds(
            atlas,
            storage,
            owner,
            _source(net),
            engine,
            RunLog(storage, owner.run, {**options.get("about", {}), **about}),
            self.watch,
            options.get("lease", LEASE),
        )

    def finish(self, assemble: Callable[[Store], Result]) -> Result:
        """Render, check all files, and return what ``assemble`` makes of the store of all.

        Raises :class:`KerasvizError` for abandoned tasks and a full storage; finished pictures are
        kept.
        """
        for _ in range(1 + REPAIRS):
            self._render()
            with self._alone():
                self.say(f"checking {self.progress.pictures} pictures")
                result = check(self.storage, [t.name for t in self.tasks], self.builder.keep)
                if not result.faults:
                    self.say("writing the site")
                    made = assemble(self.builder.merge(self.net, result.shards, self.requests))
                    self.builder.tidy()
                    return made
                self.progress.repaired += result.files
                discard(self.storage, result)
        raise KerasvizError(
            f"{result.files} files in {self.storage.url!r} are missing or damaged each time that "
            f"they were made, such as {result.first!r}; is that disk sound?"
        )

    def say(self, stage: str) -> None:
        """Report what is done now, beside rendering."""
        self.progress.stage = stage
        self.watch(self.progress)

    def _render(self) -> None:
        self.progress.stage = ""
        try:
            self.rounds.finish(self.tasks, self.progress)
        except StorageRefusedError as error:
            raise KerasvizError(f"{error}; {self.progress.kept}") from error
        finally:  # after Ctrl-C too
            self.rounds.log.end()
        if abandoned := self.progress.abandoned:
            reason = list(abandoned.values())[-1]
            raise KerasvizError(
                f"{len(abandoned)} of {len(self.tasks)} tasks failed wherever they were tried, the "
                f"last by {reason!r} (see {self.storage.address(FAILURES)!r}); {self.progress.kept}"
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only run that checks and assembles; others wait."""
        leases = self.rounds.leases
        while not leases.take(ASSEMBLY):
            self.say("another run checks the pictures and writes the site")
            time.sleep(LOOK)
        try:
            with leases.kept(ASSEMBLY):
                yield
        finally:
            leases.drop(ASSEMBLY)


def _unwatched(_: RunProgress) -> None:
    """Do nothing with the progress."""


def _source(net: Network) -> str:
    """Return where workers find the model, whatever their working folder is."""
    path = Path(net.identity.source)
    known = net.identity.format == "zoo" or not path.exists()
    return net.identity.source if known else str(path.absolute())
