"""``kerasviz ablate``: what silenced units and weights change on photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

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
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.types import UnitLevel, WeightSign


@click.command(
    "ablate",
    epilog="""\b
Examples:
  kerasviz ablate efficientnet-lite0 block5a:79 --images photos
  kerasviz ablate googlenet.onnx inception_4c/output:0-7 --images imagenet/val --level mean
  kerasviz ablate model.onnx --cut conv1 conv2 negative --images photos --preprocess torchvision

Folders that are named after classes (their numbers or names) give the accuracy.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("units", metavar="UNIT...", nargs=-1, shell_complete=complete_taps)
@click.option(
    "--images", required=True, metavar="FOLDER|FILE|tfds:NAME", help="Images, as for examples."
)
@click.option(
    "--level",
    type=click.Choice(get_args(UnitLevel)),
    default="zero",
    show_default=True,
    help="What the units are set to: zero, or their mean over the images.",
)
@click.option(
    "--cut",
    type=(str, str, click.Choice(get_args(WeightSign))),
    multiple=True,
    metavar="TAP TAP SIGN",
    help="Weights to leave out between two neighbouring layers: the positive or negative ones, or "
    "all. May be repeated.",
)
@image_pass_options("images")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the page. [default: out/NAME OF THE MODEL-ablation]",
)
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    units: tuple[str, ...],
    images: str,
    level: UnitLevel,
    cut: tuple[tuple[str, str, WeightSign], ...],
    batch: int,
    limit: int | None,
    size: tuple[int, int] | None,
    out: Path | None,
    as_json: bool,
    data: Path | None,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Silence UNITs of MODEL, or leave out weights, and say what that changes on images.

    Writes a page with the changes of logits and of the accuracy, and all numbers as JSON.
    """
    import_tensorflow()
    from kerasviz.cli.progress import stepping
    from kerasviz.cli.stopping import stoppable
    from kerasviz.figures.ablation.make import ablate

    net = read_network(model, model_options, input_options)
    with stoppable(), stepping("compiling") as progress:
        made = ablate(
            net,
            units,
            images,
            level=level,
            cut=cut,
            batch=batch,
            limit=limit,
            size=size,
            out=out,
            data=data,
            progress=progress,
        )
    if as_json:
        click.echo(
            json.dumps({"page": str(made.page), **made.record}, ensure_ascii=False, indent=1)
        )
        return
    _report(made.record)
    click.echo(f"open {made.page}")


def _report(record: dict[str, Any]) -> None:
    for name, pair in record["accuracy"].items():
        if pair:
            before, after = (f"{100 * share:.1f} %" for share in pair)
            click.echo(f"{name.replace('top', 'top-')} accuracy {before}, after {after}")
    for verb, key in (("fall", "falling"), ("rise", "rising")):
        classes = ", ".join(f"{c['label']} {c['change']:+.3g}" for c in record[key][:5])
        click.echo(f"logits {verb} most: {classes or 'none'}")
    count = record["images"]["count"]
    click.echo(f"{record['switched']} of {count} images get another first guess")
    if record["unreadable"]:
        click.echo(f"{len(record['unreadable'])} images could not be read")
    if record["folders_without_class"]:
        click.echo(f"folders that name no class: {', '.join(record['folders_without_class'])}")
