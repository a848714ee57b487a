"""Make an atlas: its tasks on many workers, the check of all pictures, one manifest, the site."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from kerasviz.atlas.arrays import read_arrays, write_arrays
from kerasviz.atlas.definition import Atlas, agree, recorded
from kerasviz.atlas.engines import Engine
from kerasviz.atlas.picture_run import PictureRun, RunOptions
from kerasviz.atlas.progress import RunProgress
from kerasviz.atlas.progress_display import atlas_progress
from kerasviz.atlas.worker_options import WorkerOptions
from kerasviz.errors import whole_number
from kerasviz.examples import Examples
from kerasviz.figures.layout.example_panels import open_examples
from kerasviz.io.storage import FIRST, Storage
from kerasviz.io.terminal import reporting
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.facets import facet_precision
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.store import Store, unique_requests
from kerasviz.types import EngineName, Param, Precision, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Model, as_network
from kerasviz.zoo.model_source import ModelSource


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


class AtlasOptions(RunOptions, total=False):
    """The optional arguments of :func:`render_atlas`."""

    examples: Examples | None
    command: CommandLine


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
    facets: str | os.PathLike[str] | None = None,
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
        facets: A folder of one to four folders with photos: each unit has a picture for every
            folder, steered towards its photos, instead of four diverse ones.
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
    if facets is not None:
        asked = facet_precision(asked)
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
    if facets is not None:
        atlas = atlas.with_facets(net, Path(facets))
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
    write_arrays(storage, (atlas.recipe, atlas.facets))  # first, because workers read them
    atlas = read_arrays(storage, agree(storage, atlas))
    net, examples = recorded_as(net, atlas), options.get("examples")
    layout = atlas.layout(net, examples)
    requests = unique_requests(net, layout.requests)
    usual = CommandLine(net.identity.source, figures=None)
    run = PictureRun(net, atlas, storage, engine, requests, options)

    def assemble(store: Store) -> str:
        figure = atlas.options(net, examples)
        return run.builder.site(store, figure, layout, options.get("command", usual))

    index, progress = run.finish(assemble), run.progress
    return AtlasSummary(index, progress.pictures, progress.made, progress.repaired)


def recorded_as(net: Network, atlas: Atlas) -> Network:
    """Return the network under the name and with the description of its input of an atlas."""
    spec = InputSpec.from_json(dict(atlas.network["input"]))
    return net.renamed(atlas.network["name"]).with_input_spec(spec)
