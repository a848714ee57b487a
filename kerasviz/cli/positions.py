"""``kerasviz positions``: where in the image units prefer to find what they look for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    data_option,
    input_options,
    json_option,
    model_options,
    recipe_options,
    seed_option,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network

if TYPE_CHECKING:
    from kerasviz.rendering.recipe_options import RecipeOptions


@click.command(
    "positions",
    epilog="""\b
Examples:
  kerasviz positions vit.onnx blocks.6:100 blocks.9:0-7 --recipe vit
  kerasviz positions efficientnet-lite0 block5a:7 --json

A picture of each unit is rendered and shifted around by whole positions. The mean of the unit over
all shifts, at each position, is what the position alone does: everything in the picture has been
everywhere. `position: 40% of variance` says how much it matters.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument(
    "targets", metavar="TARGET...", nargs=-1, required=True, shell_complete=complete_taps
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for pictures and maps. [default: out/NAME OF THE MODEL-positions]",
)
@click.option(
    "--shifts",
    type=click.IntRange(min=2),
    default=256,
    show_default=True,
    metavar="N",
    help="The most shifts of a picture.",
)
@recipe_options("fast")
@seed_option
@data_option
@json_option
@input_options
@model_options
def command(
    model: str,
    targets: tuple[str, ...],
    out: Path | None,
    shifts: int,
    seed: int,
    data: Path | None,
    as_json: bool,
    recipe_options: RecipeOptions,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Map at which positions of the image the TARGETs in MODEL are largest.

    TARGETs are units or directions of layers with positions. A folder gets the picture of each,
    its map as `TARGET-positions.png`, and the numbers as `positions.json`.
    """
    import_tensorflow()
    from kerasviz.cli.progress import rendering
    from kerasviz.cli.stopping import stoppable
    from kerasviz.rendering.position_maps import find_positions

    net = read_network(model, model_options, input_options)
    folder = out or Path("out") / f"{net.name}-positions"
    chosen = recipe_options
    with stoppable(), rendering() as progress:
        found = find_positions(
            net,
            targets,
            recipe=chosen.recipe,
            seed=seed,
            shifts=shifts,
            size=chosen.size,
            steps=chosen.steps,
            param=chosen.param,  # type: ignore[arg-type] # one of the choices
            precision=chosen.precision,  # type: ignore[arg-type]
            until_converged=chosen.until_converged,
            tile=chosen.tile,
            out=folder,
            data=data,
            progress=progress,
        )
    if as_json:
        maps = [each.to_json() for each in found]
        click.echo(json.dumps({"folder": str(folder), "maps": maps}, indent=1))
        return
    for each in found:
        best, least = (",".join(map(str, place)) for place in (each.best, each.least))
        click.echo(
            f"{each.target}: largest at @{best} ({each.values.max():.3g}), smallest at @{least} "
            f"({each.values.min():.3g}); position: {each.dependence:.0%} of variance"
        )
    click.echo(f"wrote {len(found)} map{'' if len(found) == 1 else 's'} to {folder}")
