"""``kerasviz families``: units that belong together."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    data_option,
    input_options,
    json_option,
    model_options,
    unit_picture_options,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network


@click.command(
    "families",
    epilog="""\b
Examples:
  kerasviz families googlenet.onnx conv1/7x7_s2
  kerasviz families model.onnx layer2 --families mine.json --preprocess torchvision
  kerasviz families googlenet.onnx inception_5b/output --from inception_5a/output --no-pictures

A file of families is a list of {"tap": ..., "name": ..., "units": [...], "comment": ...}.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("tap", metavar="TAP", shell_complete=complete_taps)
@click.option(
    "--families",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Families to show. [default: suggested by the weights from the pixels]",
)
@click.option(
    "--alike",
    type=click.FloatRange(-1, 1),
    default=0.8,
    show_default=True,
    metavar="C",
    help="Least mean cosine of the weights of a suggested family.",
)
@click.option(
    "--from",
    "from_",
    metavar="TAP",
    shell_complete=complete_taps,
    help="Earlier tap, the weights from which are factorized for families and all units.",
)
@click.option("--pictures/--no-pictures", default=True, help="Render pictures of the units.")
@unit_picture_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the page. [default: out/NAME OF THE MODEL-families]",
)
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    tap: str,
    families: Path | None,
    alike: float,
    from_: str | None,
    pictures: bool,
    recipe: str,
    steps: int | None,
    size: tuple[int, int] | None,
    seed: int,
    out: Path | None,
    as_json: bool,
    data: Path | None,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Show the families of TAP in MODEL: units that are alike but for a turn, a flip or the sign.

    Writes a page with a row of pictures for each family, and the families as JSON.
    """
    import_tensorflow()
    from kerasviz.cli.progress import rendering_units
    from kerasviz.figures.families.make import families_folder, make_families

    net = read_network(model, model_options, input_options)
    folder = families_folder(net, out)
    with rendering_units(folder) as progress:
        made = make_families(
            net,
            tap,
            families=families,
            alike=alike,
            from_=from_,
            pictures=pictures,
            recipe=recipe,
            steps=steps,
            size=size,
            seed=seed,
            out=folder,
            data=data,
            progress=progress,
        )
    if as_json:
        report = {"page": str(made.page), "file": str(made.file), **made.record}
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
        return
    for family in made.families:
        units = ", ".join(map(str, family.units))
        click.echo(f"{family.name}: {units}{f' ({family.comment})' if family.comment else ''}")
    click.echo(f"open {made.page}")
