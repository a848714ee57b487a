"""``kerasviz directions``: directions in the activations of photos, as a file for targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    data_option,
    image_pass_options,
    input_options,
    json_option,
    model_options,
    seed_option,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.types import DirectionMethod

if TYPE_CHECKING:
    from kerasviz.examples.directions import Directions


@click.command(
    "directions",
    epilog="""\b
Methods:
  nmf     parts that add up to the activations of a layer behind a ReLU
  pca     the axes of the largest variance; their signs mean nothing, look at both
  kmeans  the centres of clusters
  cav     the direction that tells the photos of --images from those of --against

\b
Examples:
  kerasviz directions model.onnx conv4 --images photos --method nmf --count 8 --out parts.npz
  kerasviz render model.onnx "conv4@parts.npz:nmf[0-7]#cosine=2"
  kerasviz directions efficientnet-lite0 block5c --method cav --images striped --against others

The same photos give the same file.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("tap", metavar="TAP", shell_complete=complete_taps)
@click.option(
    "--images", required=True, metavar="FOLDER|FILE|tfds:NAME", help="Photos, as for examples."
)
@click.option(
    "--method",
    type=click.Choice(get_args(DirectionMethod)),
    default="nmf",
    show_default=True,
    help="How to find them.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help="Directions to find. [default: 10; cav finds 1]",
)
@click.option("--against", metavar="FOLDER|FILE|tfds:NAME", help="Photos without it, for cav.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="File for the directions. [default: out/NAME OF THE MODEL-directions/TAP-METHOD.npz]",
)
@image_pass_options("photos")
@seed_option
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    tap: str,
    images: str,
    method: DirectionMethod,
    count: int | None,
    against: str | None,
    out: Path | None,
    limit: int | None,
    batch: int,
    size: tuple[int, int] | None,
    seed: int,
    as_json: bool,
    data: Path | None,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Find directions in the activations of TAP in MODEL on photos, and write them into a file.

    `kerasviz render MODEL TAP@FILE.npz` shows them.
    """
    import_tensorflow()
    from kerasviz.cli.progress import stepping
    from kerasviz.cli.stopping import stoppable
    from kerasviz.examples.directions import directions_file, find_directions

    net = read_network(model, model_options, input_options)
    with stoppable(), stepping("compiling") as progress:
        found = find_directions(
            net,
            tap,
            images,
            method=method,
            count=count,
            against=against,
            out=out or directions_file(net, tap, method),
            limit=limit,
            batch=batch,
            size=size,
            seed=seed,
            data=data,
            progress=progress,
        )
    _report(found, model, as_json)


def _report(found: Directions, model: str, as_json: bool) -> None:
    if as_json:
        data = {**found.about, "file": str(found.file), "targets": found.targets}
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    count = len(found.vectors)
    directions = f"{count} direction{'' if count == 1 else 's'}"
    click.echo(f"found {directions} of {found.tap} in {found.images} photos by {found.method}")
    if "accuracy" in found.report:
        accuracy = found.report["accuracy"]
        click.echo(f"told apart with accuracy {accuracy:.2f} on other photos (a guess: 0.50)")
    if "explained" in found.report:
        what = "squares" if found.method == "nmf" else "variance"
        explained = 100 * found.report["explained"]
        click.echo(f"explained {explained:.0f} % of the {what} of the activations")
    if found.unreadable:
        click.echo(f"{found.unreadable} photos could not be read")
    if found.odd:
        click.echo(f"{found.odd} photos gave activations that are not finite and are left out")
    click.echo(f'wrote {found.file}; kerasviz render {model} "{found.tap}@{found.file}"')
