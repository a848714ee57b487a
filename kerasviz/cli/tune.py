"""``kerasviz tune``: how units respond to shapes, gratings and colours in all directions."""

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
    "tune",
    epilog="""\b
Examples:
  kerasviz tune efficientnet-lite0 block2b:3
  kerasviz tune googlenet.onnx inception_3b/output:0-479 --families --no-pictures
  kerasviz tune model.onnx relu3:5 relu3:9 --stimuli line,grating,colour --preprocess torchvision
  kerasviz tune model.onnx relu3:0-7 --images photos --families
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("targets", metavar="UNIT...", nargs=-1, shell_complete=complete_taps, required=True)
@click.option(
    "--stimuli",
    default="curve",
    show_default=True,
    metavar="KIND,KIND...",
    help="curve, line, angle, circle, grating, boundary (of two frequencies), colour, or all.",
)
@click.option(
    "--style",
    default="filled",
    show_default=True,
    metavar="filled|outlined",
    help="Shapes as areas, or as lines.",
)
@click.option(
    "--colours",
    default="black,white",
    show_default=True,
    metavar="INNER,OUTER",
    help="Colours of the two sides of a shape, as names or #RRGGBB.",
)
@click.option(
    "--angles",
    type=click.IntRange(min=36),
    default=360,
    show_default=True,
    metavar="N",
    help="Responses around the circle.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Photos: the strongest of each unit are turned, and all units recorded.",
)
@click.option(
    "--photos",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Photos of each unit that are turned.",
)
@click.option(
    "--turns",
    type=click.IntRange(min=36),
    default=72,
    show_default=True,
    metavar="N",
    help="Responses around the circle for photos.",
)
@click.option(
    "--families",
    is_flag=True,
    help="Suggest families of the units: those that are alike but for a rotation.",
)
@click.option("--pictures/--no-pictures", default=True, help="Render pictures of the units.")
@unit_picture_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the page. [default: out/NAME OF THE MODEL-tuning]",
)
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    targets: tuple[str, ...],
    stimuli: str,
    style: str,
    colours: str,
    angles: int,
    images: Path | None,
    photos: int,
    turns: int,
    families: bool,
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
    """Show how UNITs of MODEL respond to shapes, gratings and colours in all directions.

    Writes a page with tuning curves, radial plots and heat maps, the same as PNG files, and all
    numbers as JSON and CSV. UNIT@y,x is recorded at another position than the centre.
    """
    import_tensorflow()
    from kerasviz.cli.progress import rendering_units
    from kerasviz.figures.tuning.geometry import value_text
    from kerasviz.figures.tuning.make import make_tuning, tuning_folder

    net = read_network(model, model_options, input_options)
    folder = tuning_folder(net, out)
    with rendering_units(folder) as progress:
        made = make_tuning(
            net,
            targets,
            stimuli=stimuli,
            style=style,
            colours=colours,
            angles=angles,
            images=images,
            photos=photos,
            turns=turns,
            families=families,
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
        click.echo(json.dumps(made.to_json(), indent=1, ensure_ascii=False))
        return
    for tuning in made.tunings:
        at = value_text(tuning.fine, tuning.preferred)
        row = value_text(tuning.down, tuning.down.values[tuning.row])
        click.echo(
            f"{tuning.name} {tuning.kind}: {tuning.maximum:.3g} at {at}, {tuning.down.name} {row}"
        )
    for family in made.families:
        turned = ", ".join(
            f"{unit} at {degrees:g}°"
            for unit, degrees in zip(family.units, family.degrees, strict=True)
        )
        click.echo(f"alike but for a rotation: {turned}")
    click.echo(f"open {made.page}")
