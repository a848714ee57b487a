"""``kerasviz activation-atlas``: what a network sees in many photos, on one map."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    input_options,
    json_option,
    model_options,
    recipe_options,
    seed_option,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.cli.worker_options import worker_options

if TYPE_CHECKING:
    from kerasviz.atlas.activations.make import ActivationAtlasSummary
    from kerasviz.rendering.recipe_options import RecipeOptions
    from kerasviz.types import EngineName, Param, Precision


def grids_of(text: str) -> tuple[int, ...]:
    """Parse cells along each side from ``10,20,40``.

    >>> grids_of("20, 10")
    (10, 20)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r}: expected cells along each side such as 10,20,40")
    return tuple(sorted({int(part) for part in parts}))


@click.command(
    "activation-atlas",
    epilog="""\b
Examples:
  kerasviz activation-atlas efficientnet-lite0 block5c --images photos
  kerasviz activation-atlas model.onnx layer3 --images photos --grids 10,20 --steps 64 --size 64
  kerasviz activation-atlas efficientnet-lite0 block5c --images photos --of-class goldfish
  kerasviz activation-atlas model.onnx layer3 --activations layer3.npy --layout umap.npy

The same command continues a run that ended early, and may run on several machines at once.
`kerasviz verify DIR` makes the icons again and compares them.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("tap", metavar="TAP", shell_complete=complete_taps)
@click.option("--images", metavar="FOLDER|FILE|tfds:NAME", help="Photos, as for examples.")
@click.option(
    "--activations",
    metavar="FILE.npy",
    help="Activations of TAP in place of photos, a row for each: [N, channels].",
)
@click.option(
    "--attributions",
    metavar="FILE.npy",
    help="What these contribute to classes: [N, classes].",
)
@click.option(
    "--layout",
    metavar="umap|pca|FILE.npy",
    help="How they are laid out, or a place for each: [N, 2]. [default: umap where umap-learn is "
    "installed, else pca]",
)
@click.option(
    "--of-class", metavar="CLASS", help="An atlas of the activations that speak for a class."
)
@click.option("--against", metavar="CLASS", help="A second class, with which it is compared.")
@click.option(
    "--positions",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Random positions of each photo.",
)
@click.option(
    "--grids",
    type=grids_of,
    metavar="N,...",
    help="Cells along each side. [default: 10,20,40,80, to compare classes 10]",
)
@click.option(
    "--least",
    type=click.IntRange(min=0),
    metavar="N",
    help="Leave out cells with N activations or fewer. [default: 5, of a class 4]",
)
@click.option(
    "--whiten/--no-whiten",
    default=True,
    help="Show what a cell has more of than others, or all of its mean.",
)
@click.option(
    "--cosine",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="P",
    help="Power of the cosine in the score of icons.",
)
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    metavar="N",
    help="Crops of photos of each cell.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="Photos that are computed at once.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The first N photos only.")
@click.option(
    "--out",
    metavar="DIR|s3://…|gs://…",
    help="Where it is kept. [default: out/NAME OF THE MODEL-TAP-activation-atlas]",
)
@worker_options
@recipe_options("fast")
@seed_option
@json_option
@input_options
@model_options
def command(
    model: str,
    tap: str,
    *,
    images: str | None,
    activations: str | None,
    attributions: str | None,
    layout: str | None,
    of_class: str | None,
    against: str | None,
    positions: int,
    grids: tuple[int, ...] | None,
    least: int | None,
    whiten: bool,
    cosine: float,
    examples: int,
    batch: int,
    limit: int | None,
    out: str | None,
    engine: EngineName,
    address: str | None,
    workers: int | None,
    threads: int | None,
    seed: int,
    as_json: bool,
    recipe_options: RecipeOptions,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Map what MODEL sees in many photos at TAP: like activations side by side, as icons.

    Activations at random positions are laid out in two dimensions and cut into cells; the mean of
    each cell is shown as a picture that is optimized for it. A page zooms through the grids.
    """
    import_tensorflow()
    from kerasviz.cli.progress import stepping
    from kerasviz.cli.stopping import stoppable

    net = read_network(model, model_options, input_options)

    from kerasviz.atlas.activations.make import activation_atlas_address, make_activation_atlas

    place = activation_atlas_address(net, tap, out)

    def kept() -> str:
        return f"what is finished is kept in {place}, the same command continues from there"

    special = model_options.imports or model_options.unsafe or model_options.importer
    source = model_options.source(net.identity.source, net.input_spec)
    with stoppable(kept), stepping("compiling") as progress:
        made = make_activation_atlas(
            source if special else net,  # which tells workers how to read the file
            tap,
            images=images,
            activations=activations,
            attributions=attributions,
            layout=layout,
            of_class=of_class,
            against=against,
            positions=positions,
            grids=grids,
            least=least,
            whiten=whiten,
            cosine=cosine,
            examples=examples,
            limit=limit,
            batch=batch,
            out=place,
            engine=engine,
            address=address,
            workers=workers,
            threads=threads,
            recipe=recipe_options.recipe,
            size=recipe_options.size,
            steps=recipe_options.steps,
            param=cast("Param | None", recipe_options.param),
            precision=cast("Precision | None", recipe_options.precision),
            until_converged=recipe_options.until_converged,
            tile=recipe_options.tile,
            seed=seed,
            progress=progress,
        )
    _report(made, as_json)


def _report(made: ActivationAtlasSummary, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(made), indent=1, ensure_ascii=False))
        return
    for note in made.notes:
        click.echo(note)
    grids = ", ".join(f"{cells:,} of {grid} x {grid}" for grid, cells in made.grids.items())
    click.echo(f"{made.activations:,} activations, laid out by {made.layout[:12]}; cells: {grids}")
    if made.made:
        click.echo(f"rendered {made.made:,} of {made.icons:,} icons")
    else:
        click.echo(f"nothing to do: {made.icons:,} icons are complete")
    click.echo(f"open {made.index}")
