"""``kerasviz circuits``: what units are built from, and what they feed."""

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
    "circuits",
    epilog="""\b
Examples:
  kerasviz circuits efficientnet-lite0 block5a:79
  kerasviz circuits googlenet.onnx inception_4c/output:0-7 --from inception_3b/output
  kerasviz circuits model.onnx layer.6:3 --preprocess torchvision --photo dog.jpg

Pages of one folder lead to each other: the same command with a partner's name shows its circuit.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("targets", metavar="UNIT...", nargs=-1, shell_complete=complete_taps, required=True)
@click.option(
    "--from",
    "from_",
    multiple=True,
    metavar="TAP",
    shell_complete=complete_taps,
    help="Earlier tap; may be repeated. [default: the main layers two back]",
)
@click.option(
    "--to",
    multiple=True,
    metavar="TAP",
    shell_complete=complete_taps,
    help="Later tap; may be repeated. [default: the next main layers]",
)
@click.option(
    "--partners",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    metavar="N",
    help="Units of each layer that excite, and as many that inhibit.",
)
@click.option(
    "--factors",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Spatial patterns into which weights from the layer before are factorized; 0 for none.",
)
@click.option(
    "--by-position/--no-by-position",
    default=False,
    help="Render what the units expect at each position of the layer before.",
)
@click.option(
    "--families",
    type=click.Path(path_type=Path),
    metavar="FILE.json",
    help="Families whose shares in the weights are shown; see kerasviz families.",
)
@click.option(
    "--photo",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Picture at which gates and attention are held, and on which contributions are shown. "
    "[default: grey, without contributions]",
)
@unit_picture_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the pages. [default: out/NAME OF THE MODEL-circuits]",
)
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    targets: tuple[str, ...],
    from_: tuple[str, ...],
    to: tuple[str, ...],
    partners: int,
    factors: int,
    by_position: bool,
    families: Path | None,
    photo: Path | None,
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
    """Show what UNITs of MODEL are built from and what they feed, with the weights between.

    Writes a page for each unit, with pictures of its strongest partners, and all numbers as JSON.
    """
    import_tensorflow()
    from kerasviz.cli.progress import rendering_units
    from kerasviz.figures.circuits.make import circuits_folder, make_circuits

    net = read_network(model, model_options, input_options)
    folder = circuits_folder(net, out)
    with rendering_units(folder) as progress:
        made = make_circuits(
            net,
            targets,
            from_=from_,
            to=to,
            partners=partners,
            factors=factors,
            by_position=by_position,
            families=families,
            photo=photo,
            recipe=recipe,
            steps=steps,
            size=size,
            seed=seed,
            out=folder,
            data=data,
            progress=progress,
        )
    if as_json:
        circuits = [circuit.to_json() for circuit in made.circuits]
        data_ = {"page": str(made.page), "circuits": circuits}
        click.echo(json.dumps(data_, indent=1, ensure_ascii=False))
        return
    for circuit in made.circuits:
        for layer in circuit.layers:
            way = "from" if layer.level < 0 else "to"
            exciting = ", ".join(str(p.unit) for p in layer.exciting)
            inhibiting = ", ".join(str(p.unit) for p in layer.inhibiting)
            click.echo(
                f"{circuit.tap}:{circuit.unit} {way} {layer.tap}: excites {exciting or 'none'}; "
                f"inhibits {inhibiting or 'none'}"
            )
    click.echo(f"open {made.page}")
