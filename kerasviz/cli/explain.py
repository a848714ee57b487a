"""``kerasviz explain``: what decides what a network says to photos."""

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
from kerasviz.types import Grid


@click.command(
    "explain",
    epilog="""\b
Examples:
  kerasviz explain efficientnet-lite0 cat.jpg
  kerasviz explain efficientnet-lite0 photos --target "logit:tabby - logit:lynx" --no-pictures
  kerasviz explain model.onnx cat.jpg --tap layer3 --target layer4:7 --preprocess torchvision
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument(
    "photos", metavar="PHOTO...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--target",
    metavar="TARGET",
    shell_complete=complete_taps,
    help="Class, unit, direction or difference to explain. [default: the class that the network "
    "sees]",
)
@click.option(
    "--tap",
    multiple=True,
    metavar="TAP",
    shell_complete=complete_taps,
    help="Layer; may be repeated. [default: all main layers before the target]",
)
@click.option(
    "--units",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="Units of each layer that raise the score, and as many that lower it.",
)
@click.option(
    "--gradients",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    metavar="N",
    help="Gradients that are averaged; 1 is the linear approximation.",
)
@click.option(
    "--groups",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    metavar="N",
    help="Groups of units that are active together; 0 for none.",
)
@click.option(
    "--detail",
    metavar="TAP",
    default="",
    shell_complete=complete_taps,
    help="Layer whose positions are shown with their units, groups and classes. [default: the last "
    "with about 14 x 14 positions]",
)
@click.option(
    "--grid",
    type=click.Choice(("none", "naive", "shared")),
    default="none",
    show_default=True,
    help="Optimize an icon for each position of that layer: each by itself, or with parts that "
    "those of a group share.",
)
@click.option("--pictures/--no-pictures", default=True, help="Render pictures of the units.")
@unit_picture_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the pages. [default: out/NAME OF THE MODEL-explanations]",
)
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    photos: tuple[Path, ...],
    target: str | None,
    tap: tuple[str, ...],
    units: int,
    gradients: int,
    groups: int,
    detail: str,
    grid: Grid,
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
    """Show which units and positions of every layer decide what MODEL says to PHOTOs.

    Writes a page for each photo, an overview as PNG and all numbers as JSON. A PHOTO is a picture
    file or a folder.
    """
    import_tensorflow()
    from kerasviz.cli.progress import rendering_units
    from kerasviz.figures.explain.make import explanations_folder, make_explanations

    net = read_network(model, model_options, input_options)
    folder = explanations_folder(net, out)
    with rendering_units(folder) as progress:
        made = make_explanations(
            net,
            photos,
            target=target,
            tap=tap,
            units=units,
            gradients=gradients,
            groups=groups,
            detail=detail,
            grid=grid,
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
        explanations = [found.to_json() for found in made.explanations]
        report = {"page": str(made.page), "explanations": explanations}
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
        return
    for photo, found in zip(made.photos, made.explanations, strict=True):
        last = found.layers[-1]
        raising = ", ".join(f"{last.tap}:{u.unit} {u.contribution:+.3g}" for u in last.raising)
        click.echo(f"{photo}: {found.target} {found.score:.4g}; most by {raising or 'none'}")
    click.echo(f"open {made.page}")
