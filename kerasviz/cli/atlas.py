"""``kerasviz atlas``: pictures of every unit of a network, on many workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasviz.atlas.worker_options import WorkerOptions
from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    alpha_option,
    input_options,
    model_options,
    recipe_options,
    seed_option,
    spectrum_option,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network, say_sizes
from kerasviz.cli.typed import command_line
from kerasviz.cli.worker_options import worker_options
from kerasviz.errors import UsageError

if TYPE_CHECKING:
    from kerasviz.atlas.definition import Atlas
    from kerasviz.atlas.make import AtlasSummary
    from kerasviz.atlas.progress import RunProgress
    from kerasviz.io.storage import Storage
    from kerasviz.network.network import Network
    from kerasviz.rendering.commands import CommandLine
    from kerasviz.rendering.recipe_options import RecipeOptions


@click.command(
    "atlas",
    epilog="""\b
Examples:
  kerasviz atlas efficientnet-lite0 --plan --steps 128 --price 0.40
  kerasviz atlas efficientnet-lite0 stem block1a --steps 128 --size 64
  kerasviz atlas efficientnet-lite0 block5a@concepts.npz:nmf --recipe fast
  kerasviz atlas efficientnet-lite0 block5a --recipe maco --spectrum photos
  kerasviz atlas efficientnet-lite0 block5a --recipe fast --facets themes
  kerasviz atlas inceptionv1 --out s3://bucket/inceptionv1 --engine ray --address auto

The same command continues a run that ended early, and may run on several machines at once.
`kerasviz verify DIR` makes the pictures again and compares them.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("taps", metavar="[TAP]...", nargs=-1, shell_complete=complete_taps)
@click.option(
    "--out",
    metavar="DIR|s3://…|gs://…",
    help="Where it is kept. [default: out/NAME OF THE MODEL-atlas]",
)
@worker_options
@click.option(
    "--fine",
    is_flag=True,
    help="Smaller batches for a part of the pictures, so that hundreds of workers end together; a "
    "few of them lose by it.",
)
@spectrum_option
@alpha_option
@click.option(
    "--facets",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of one to four folders with photos: of each unit a picture for every folder, "
    "steered towards its photos, instead of four diverse ones.",
)
@recipe_options("article")
@seed_option
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What `kerasviz examples` found, for the panels of dataset examples.",
)
@click.option(
    "--plan",
    "only_plan",
    is_flag=True,
    help="Print units, pictures, bytes and times by the number of workers, and end.",
)
@click.option(
    "--price",
    type=click.FloatRange(min=0),
    metavar="X",
    help="With --plan: what a machine like this costs for an hour.",
)
@input_options
@model_options
def command(
    model: str,
    taps: tuple[str, ...],
    *,
    out: str | None,
    engine: str,
    address: str | None,
    workers: int | None,
    threads: int | None,
    fine: bool,
    facets: Path | None,
    seed: int,
    examples: Path | None,
    only_plan: bool,
    price: float | None,
    recipe_options: RecipeOptions,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Render every unit of MODEL's layers on many workers into one site.

    MODEL is a file or a name of `kerasviz models list`; TAPs are layers (default: its main ones
    with positions), or directions of a file as TAP@FILE.npz:KEY[ROWS]. Of each unit there are seven
    pictures: neuron, channel, four facets, negative.
    """
    place = WorkerOptions(engine, address, workers, threads)
    if price is not None and not only_plan:
        raise UsageError("--price is for --plan; give both or none")
    if "tensorflow" not in sys.modules:  # what is timed here is timed as in the workers
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads or 1))
    import_tensorflow()
    net = read_network(model, model_options, input_options)

    from kerasviz.atlas.definition import Atlas
    from kerasviz.atlas.make import atlas_address, existing_atlas
    from kerasviz.cli.progress import working
    from kerasviz.io.storage import Storage
    from kerasviz.rendering.facets import facet_precision

    if facets is not None:
        recipe_options = facet_precision(recipe_options)
    where = atlas_address(net, out)
    existing, storage = existing_atlas(where), Storage(where)
    with working(f"choosing the precision of {net.name}"):
        atlas = Atlas.asked(
            net, taps, recipe_options, seed=seed, threads=threads, fine=fine, existing=existing
        )
    if facets is not None:
        with working(f"fitting probes to the photos in {facets}"):
            atlas = atlas.with_facets(net, facets)
    say_sizes(recipe_options.chosen(), [atlas.recipe])
    from kerasviz.network.front_ends.wrapped import reading_of

    source = model_options.source(net.identity.source)
    atlas = replace(atlas, source=replace(source, **reading_of(net)))
    if only_plan:
        _plan(net, atlas, price)
    else:
        line = replace(command_line(model, recipe_options.name), figures=None)
        _make(net, atlas, storage, place.with_threads(atlas.threads), line, examples)


def _make(
    net: Network,
    atlas: Atlas,
    storage: Storage,
    workers: WorkerOptions,
    line: CommandLine,
    examples: Path | None,
) -> None:
    from kerasviz.atlas.make import render_atlas
    from kerasviz.atlas.progress_display import atlas_progress
    from kerasviz.cli.stopping import stoppable
    from kerasviz.figures.layout.example_panels import open_examples

    seen: list[RunProgress] = []
    before: list[int] = []
    shown: list[Callable[[RunProgress], None]] = []

    def kept() -> str:
        return seen[-1].kept if seen else "nothing was rendered yet"

    engine = workers.maker()
    opened = None if examples is None else open_examples(examples, net)
    with stoppable(kept), ExitStack() as stack:

        def told(progress: RunProgress) -> None:
            if not shown:  # a line would break the bar
                before.append(progress.finished)
                _announce(progress)
                shown.append(stack.enter_context(atlas_progress()))
            seen[:] = [progress]
            shown[0](progress)

        made = render_atlas(
            net,
            atlas,
            storage,
            engine,
            watch=told,
            examples=opened,
            command=line,
            about=workers.to_json(),
        )
    _report(made, seen[-1], before[0])


def _report(made: AtlasSummary, progress: RunProgress, before: int) -> None:
    """Report what was done, and failures on the standard error."""
    from kerasviz.atlas.progress_display import failures_text

    if progress.failures:
        click.echo(f"on the way: {failures_text(progress.failures, 5)}", err=True)
    if made.repaired:
        files = "file was" if made.repaired == 1 else "files were"
        click.echo(f"made again: {made.repaired} {files} missing or damaged", err=True)
    if made.made:
        text = f"rendered {made.made:,} picture{'' if made.made == 1 else 's'}"
        if before:
            text += f", {before:,} {'was' if before == 1 else 'were'} complete"
        others = made.pictures - made.made - before
        click.echo(text + (f", {others:,} are of other runs" if others > 0 else ""))
    elif before < made.pictures:
        click.echo(f"other runs rendered the {made.pictures - before:,} pictures that were missing")
    else:
        click.echo(f"nothing to do: {made.pictures:,} pictures are complete")
    click.echo(f"open {made.index}")


def _announce(progress: RunProgress) -> None:
    """Announce the work before it begins."""
    if progress.finished < progress.pictures:
        there = f", {progress.finished:,} are complete" if progress.finished else ""
        tasks = f"{len(progress.sizes):,} batch{'' if len(progress.sizes) == 1 else 'es'}"
        click.echo(f"{progress.pictures:,} pictures in {tasks}{there}", err=True)


def _plan(net: Network, atlas: Atlas, price: float | None) -> None:
    """Print the time and space that the atlas takes."""
    from kerasviz.atlas.engines.local import cores_here
    from kerasviz.atlas.plan import largest_gain, plan_atlas
    from kerasviz.cli.atlas_plan import plan_lines
    from kerasviz.cli.progress import working
    from kerasviz.rendering.cost import Clock

    batches, fine, cores = atlas.batches(net), None, len(cores_here())
    with working(f"timing a few steps of {net.name}"):
        clock = Clock.of(net, batches)
        plan = plan_atlas(net, batches, clock, cores, atlas.threads)
        if not atlas.balanced:
            smaller = replace(atlas, balanced=True).batches(net)
            fine = largest_gain(plan, plan_atlas(net, smaller, clock, cores, atlas.threads))
    click.echo("\n".join(plan_lines(atlas, plan, clock, price, fine)))
