"""Making an atlas: its tasks on many workers, the check of all pictures, one manifest, the site."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from kerasviz.atlas.assemble import SiteBuilder
from kerasviz.atlas.check import Checked, check, discard
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

__all__ = ["AtlasMade", "make_atlas"]

#: How many times pictures that the check finds damaged are made again.
REPAIRS = 3
#: The claim of the run that checks and gathers.
GATHERING = "gathering"


@dataclass(frozen=True)
class AtlasMade:
    """What :func:`make_atlas` did.

    ``index`` is the address of the first page. Of all ``pictures`` this run made ``made``;
    ``repaired`` files were missing or damaged when they were checked.
    """

    index: str
    pictures: int
    made: int
    repaired: int = 0


class AtlasOptions(TypedDict, total=False):
    """The named arguments of :func:`make_atlas`, all of which may be left out."""

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
) -> AtlasMade:
    """Render all pictures of an atlas that are not in a storage, and write its manifest and site.

    ``engine`` makes the workers, each time that some are needed. ``watch`` is told of the progress;
    ``examples`` are shown on the site; ``command`` is what makes pictures again; ``about`` is noted
    in the log of the run. Several runs may share a storage, and a run that was killed is gone on
    with: a claim of its workers holds for ``lease`` seconds. Raises :class:`UsageError` where the
    storage holds an atlas with other settings, and :class:`KerasvizError` in one line for tasks
    that were given up and a storage that is full; what is done is kept.
    """
    atlas = agree(storage, atlas)
    return _AtlasRun(_recorded(net, atlas), atlas, storage, engine, options).finish()


class _AtlasRun:
    """One run: all that it needs, and what it does in turn."""

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
        self.choice = atlas.choice(net, options.get("examples"))
        self.requests = unique_requests(net, self.choice.requests)
        plans = make_batches(net, self.requests)
        self.tasks = tasks_of(net, plans)
        self.tally = RunProgress({t.name: p.rows for t, p in zip(self.tasks, plans, strict=True)})
        self.workshop = SiteBuilder(storage)
        began = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        owner = Owner.here(f"{began}-{secrets.token_hex(3)}")
        about = {"tasks": len(self.tasks), "pictures": self.tally.pictures}
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

    def finish(self) -> AtlasMade:
        for _ in range(1 + REPAIRS):
            self._render()
            with self._alone():
                self._say(f"checking {self.tally.pictures} pictures")
                found = check(self.storage, [t.name for t in self.tasks], self.workshop.keep)
                if not found.faults:
                    index = self._gather(found)
                    tally = self.tally
                    return AtlasMade(index, tally.pictures, tally.made, tally.repaired)
                self.tally.repaired += found.files
                discard(self.storage, found)
        raise KerasvizError(
            f"{found.files} files in {self.storage.url!r} are missing or damaged each time that "
            f"they were made, such as {found.first!r}; is that disk sound?"
        )

    def _render(self) -> None:
        self.tally.stage = ""
        try:
            self.rounds.finish(self.tasks, self.tally)
        except StorageRefusedError as error:
            raise KerasvizError(f"{error}; {self.tally.kept}") from error
        finally:  # after Ctrl-C too
            self.rounds.log.end()
        if self.tally.given:
            given, reason = self.tally.given, list(self.tally.given.values())[-1]
            raise KerasvizError(
                f"{len(given)} of {len(self.tasks)} tasks failed wherever they were tried, the "
                f"last by {reason!r} (see {self.storage.address(FAILURES)!r}); {self.tally.kept}"
            )

    def _gather(self, found: Checked) -> str:
        self._say("writing the site")
        order = self.atlas.order(self.net, self.options.get("examples"))
        usual = CommandLine(self.net.identity.source, figures=None)
        store = self.workshop.merge(self.net, found.shards, self.requests)
        index = self.workshop.site(store, order, self.choice, self.options.get("command", usual))
        self.workshop.tidy()
        return index

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only run that checks and gathers: others that are ready wait."""
        claims = self.rounds.claims
        while not claims.take(GATHERING):
            self._say("another run checks the pictures and writes the site")
            time.sleep(LOOK)
        try:
            with claims.kept(GATHERING):
                yield
        finally:
            claims.drop(GATHERING)

    def _say(self, stage: str) -> None:
        self.tally.stage = stage
        self.watch(self.tally)


def _unwatched(_: RunProgress) -> None:
    """Tell nobody."""


def _recorded(net: Network, atlas: Atlas) -> Network:
    """The network under the name and with the description of its input that are recorded."""
    spec = InputSpec.from_json(dict(atlas.network["input"]))
    return net.renamed(atlas.network["name"]).with_input_spec(spec)


def _source(net: Network) -> str:
    """Where workers find the model, in whatever folder they are."""
    path = Path(net.identity.source)
    known = net.identity.format == "zoo" or not path.exists()
    return net.identity.source if known else str(path.absolute())
