"""Make an atlas: its tasks on many workers, the check of all pictures, one manifest, the site."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from kerasviz.atlas.arrays import read_arrays, write_arrays
from kerasviz.atlas.assemble import SiteBuilder
from kerasviz.atlas.check import CheckResult, check, discard
from kerasviz.atlas.definition import Atlas, agree, recorded
from kerasviz.atlas.engines import Engine
from kerasviz.atlas.leases import LEASE, Owner
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.progress_display import atlas_progress
from kerasviz.atlas.rounds import FAILURES, LOOK, TaskRounds
from kerasviz.atlas.run_log import RunLog
from kerasviz.atlas.tasks import tasks_of
from kerasviz.atlas.worker_options import WorkerOptions
from kerasviz.errors import KerasvizError, whole_number
from kerasviz.examples import Examples
from kerasviz.figures.layout.example_panels import open_examples
from kerasviz.io.storage import FIRST, Storage, StorageRefusedError
from kerasviz.io.terminal import reporting
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import Recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.store import unique_requests
from kerasviz.types import EngineName, Param, Precision, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Model, as_network
from kerasviz.zoo.model_source import ModelSource

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
    """The optional arguments of :func:`render_atlas`."""

    watch: Callable[[RunProgress], None]
    examples: Examples | None
    command: CommandLine
    about: dict[str, Any]
    lease: float


@named_arguments()
def make_atlas(  # noqa: PLR0913 - the options of the command
    net: Model,
    taps: str | Sequence[str] = (),
    *,
    out: str | os.PathLike[str] | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    fine: bool = False,
    recipe: str | Path | Recipe = "article",
    size: int | Size | str | None = None,
    steps: int | None = None,
    param: Param | None = None,
    precision: Precision | None = None,
    until_converged: bool = False,
    tile: int | None = None,
    spectrum: str | os.PathLike[str] | None = None,
    alpha: bool = False,
    seed: int = 0,
    examples: str | Path | None = None,
    progress: bool | Callable[[RunProgress], None] | None = None,
) -> AtlasSummary:
    """Render every unit of a network's layers on many workers into one site.

    This is ``kerasviz atlas``: the same call continues a run that ended early, and several runs
    may share a storage. In a script, call it below ``if __name__ == "__main__":``.

    Args:
        net: The network, or what :func:`kerasviz.load` takes, as far as workers can read it: a
            file, or a name of the zoo.
        taps: The layers, or one; by default the main ones with positions. Directions of a file
            are ``"TAP@FILE.npz:KEY"``, with rows as ``[0-9]`` or all.
        out: A folder, or an address such as ``s3://bucket/name``; by default ``out/NAME-atlas``.
        engine: What the workers are: processes of this machine, or actors of a Ray cluster.
        address: The Ray cluster, such as ``"auto"``.
        workers: Their number, by default as many as there are cores or GPUs for.
        threads: The cores of a worker, by default 1 or those of the atlas in ``out``.
        fine: Whether a part of the pictures has smaller batches, so that hundreds of workers end
            together.
        recipe: How to optimize, the name of a recipe or its file.
        size: Pixels, a number or (height, width); by default the network's own where it takes no
            other, else the recipe's.
        steps: The updates of the image.
        param: What is optimized: pixels, their Fourier spectrum, a pyramid, 32 x 32 pixels, or a
            small network that paints them.
        precision: The numbers in which convolutions are computed; see :func:`kerasviz.render`.
        until_converged: Whether a picture ends when its score has stopped growing.
        tile: The side of the tiles, in pixels, that the network sees of large pictures.
        spectrum: A folder of photographs: pictures of the recipe maco have the magnitudes of their
            spectrum; by default those built in.
        alpha: Whether pictures are transparent: only what the units need is opaque.
        seed: The seed of the noise that the pictures start from.
        examples: A folder that :func:`kerasviz.find_examples` made, for the panels of examples.
        progress: ``None`` shows a bar at a terminal, ``True`` elsewhere too, ``False`` never; a
            function is called with the counts of the run.

    Returns:
        The address of the first page, and the numbers of pictures.

    Raises:
        UsageError: For unknown layers, settings other than those of the atlas in ``out``, and a
            network that workers cannot read.
        KerasvizError: For tasks that failed on all workers and a full storage; finished pictures
            are kept.

    Example:
        >>> kerasviz.make_atlas(net, "stem", steps=128, size=64).index  # doctest: +SKIP
        '.../out/efficientnet-lite0-atlas/index.html'
    """
    source = net if isinstance(net, ModelSource) else None
    options = WorkerOptions(engine, address, workers, threads)
    asked = RecipeOptions(
        recipe,
        steps,
        size,
        param,
        precision,
        tile,
        until_converged,
        spectrum=None if spectrum is None else Path(spectrum),
        alpha=bool(alpha),
    )
    asked.chosen()
    net = as_network(net)
    place = atlas_address(net, out)
    atlas = Atlas.asked(
        net,
        [taps] if isinstance(taps, str) else taps,
        asked,
        seed=whole_number("seed", seed, 0),
        threads=threads,
        fine=fine,
        existing=existing_atlas(place),
    )
    if source is not None:
        atlas = replace(atlas, source=replace(source, path=net.identity.source))
    options = options.with_threads(atlas.threads)
    opened = None if examples is None else open_examples(examples, net)
    command = replace(CommandLine.of_python(net, asked.name), figures=None)
    engine_maker, storage = options.maker(), Storage(place)
    with reporting(progress, atlas_progress) as watch:
        return render_atlas(
            net,
            atlas,
            storage,
            engine_maker,
            watch=watch,
            examples=opened,
            command=command,
            about=options.to_json(),
        )


def atlas_address(net: Network, out: str | os.PathLike[str] | None = None) -> str:
    """Return the address of a network's atlas: ``out``, or a folder of the network's name."""
    return str(Path("out") / f"{net.name}-atlas") if out is None else os.fspath(out)


def existing_atlas(address: str) -> Atlas | None:
    """Return the definition of the atlas at an address, ``None`` where there is none."""
    return recorded(Storage(address, FIRST))


def render_atlas(
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
    write_arrays(storage, atlas.recipe)  # first, because workers read them
    atlas = read_arrays(storage, agree(storage, atlas))
    return _AtlasRun(_recorded(net, atlas), atlas, storage, engine, options).finish()


class _AtlasRun:
    """One run of :func:`render_atlas`."""

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
