"""Make an atlas: its tasks on many workers, the check of all pictures, one manifest, the site."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from kerasviz.atlas.assemble import SiteBuilder
from kerasviz.atlas.check import CheckResult, check, discard
from kerasviz.atlas.definition import Atlas, agree
from kerasviz.atlas.engines import Engine
from kerasviz.atlas.leases import LEASE, Owner
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.rounds import FAILURES, LOOK, TaskRounds
from kerasviz.atlas.run_log import RunLog
from kerasviz.atlas.tasks import tasks_of
from kerasviz.errors import KerasvizError
from kerasviz.examples import Examples
from kerasviz.io.storage import Storage, StorageRefusedError
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Network
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.store import unique_requests

#: How often pictures that the check finds damaged are made again.
REPAIRS = 3
#: The lease of the run that checks and assembles.
ASSEMBLY = "gathering"


@dataclass(frozen=True)
class AtlasSummary:
    """The result of :func:`make_atlas`.

    ``index`` is the address of the first page. Of all ``pictures`` this run made ``made``. The
    check found ``repaired`` files missing or damaged.
    """

    index: str
    pictures: int
    made: int
    repaired: int = 0


class AtlasOptions(TypedDict, total=False):
    """The optional arguments of :func:`make_atlas`."""

    watch: Callable[[RunProgress], None]
    examples: Examples | None
    command: CommandLine
    about: dict[str, Any]
    lease: float


def make_atlas(
    net: Network,
    atlas: Atlas,
    storage: Storage,
    engine: Callable[[], Engine],
    **options: Unpack[AtlasOptions],
) -> AtlasSummary:
    """Render the missing pictures of an atlas, and write its manifest and site.

    ``engine`` makes an engine whenever workers are needed. ``watch`` gets the progress, the site
    shows ``examples``, ``command`` makes pictures again, and the log of the run has ``about``.
    Several runs may share a storage. After a run was killed, others take over its tasks in
    ``lease`` seconds. Raises :class:`UsageError` where the storage holds an atlas with other
    settings, and :class:`KerasvizError` for abandoned tasks and a full storage; finished pictures
    are kept.
    """
    atlas = agree(storage, atlas)
    return _AtlasRun(_recorded(net, atlas), atlas, storage, engine, options).finish()


class _AtlasRun:
    """One run of :func:`make_atlas`."""

    def __init__(
        self,
        net: Network,
        atlas: Atlas,
        storage: Storage,
        engine: Callable[[], Engine],
        options: AtlasOptions,
    ):
        self.net, self.atlas, self.storage, self.options = net, atlas, storage, options
        self.watch = options.get("watch", _unwatched)
        self.layout = atlas.layout(net, options.get("examples"))
        self.requests = unique_requests(net, self.layout.requests)
        batches = make_batches(net, self.requests)
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

    def finish(self) -> AtlasSummary:
        for _ in range(1 + REPAIRS):
            self._render()
            with self._alone():
                self._say(f"checking {self.progress.pictures} pictures")
                result = check(self.storage, [t.name for t in self.tasks], self.builder.keep)
                if not result.faults:
                    index, progress = self._assemble(result), self.progress
                    return AtlasSummary(index, progress.pictures, progress.made, progress.repaired)
                self.progress.repaired += result.files
                discard(self.storage, result)
        raise KerasvizError(
            f"{result.files} files in {self.storage.url!r} are missing or damaged each time that "
            f"they were made, such as {result.first!r}; is that disk sound?"
        )

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

    def _assemble(self, result: CheckResult) -> str:
        self._say("writing the site")
        options = self.atlas.options(self.net, self.options.get("examples"))
        usual = CommandLine(self.net.identity.source, figures=None)
        store = self.builder.merge(self.net, result.shards, self.requests)
        index = self.builder.site(store, options, self.layout, self.options.get("command", usual))
        self.builder.tidy()
        return index

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only run that checks and assembles; others wait."""
        leases = self.rounds.leases
        while not leases.take(ASSEMBLY):
            self._say("another run checks the pictures and writes the site")
            time.sleep(LOOK)
        try:
            with leases.kept(ASSEMBLY):
                yield
        finally:
            leases.drop(ASSEMBLY)

    def _say(self, stage: str) -> None:
        self.progress.stage = stage
        self.watch(self.progress)


def _unwatched(_: RunProgress) -> None:
    """Do nothing with the progress."""


def _recorded(net: Network, atlas: Atlas) -> Network:
    """The network under the name and with the description of its input that are recorded."""
    spec = InputSpec.from_json(dict(atlas.network["input"]))
    return net.renamed(atlas.network["name"]).with_input_spec(spec)


def _source(net: Network) -> str:
    """Return where workers find the model, whatever their working folder is."""
    path = Path(net.identity.source)
    known = net.identity.format == "zoo" or not path.exists()
    return net.identity.source if known else str(path.absolute())
